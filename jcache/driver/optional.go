package driver

import (
	"context"
	"iter"
	"time"
)

// The optional interfaces of a Cache. Each says what the portable layer does
// without it.

// BatchGetter reads many keys in fewer round trips than one each. Without it
// they are read in parallel, one call each.
type BatchGetter interface {
	// GetBatch returns one item per key found, with its Key set, in any order.
	// The keys are distinct.
	GetBatch(ctx context.Context, keys []string) ([]Item, error)
}

// BatchPutter writes many records in fewer round trips than one each. Without
// it they are written in parallel, one call each.
type BatchPutter interface {
	// PutBatch puts every record. The keys are distinct. The result is nil if
	// all were stored; otherwise it has one element for each entry, in their
	// order, nil for those that were stored. The batch is not atomic.
	PutBatch(ctx context.Context, entries []Entry) []error
}

// An Entry is a record to be put.
type Entry struct {
	// Key, Record and Deadline are what Put takes.
	Key      string
	Record   []byte
	Deadline time.Time
}

// Exchanger writes or removes a record and returns the one that was there, in
// one round trip. Without it that is a Get and a Swap.
type Exchanger interface {
	// Exchange stores record, or removes the key if record is nil, and
	// returns the previous item.
	Exchange(ctx context.Context, key string, record []byte, deadline time.Time) (previous Item, existed bool, err error)
}

// Toucher moves a record's deadline without rewriting the record. Without it the
// record is swapped for one with the new deadline.
//
// A driver that implements Toucher keeps deadlines exactly (Info.ExpiryStep is
// zero) and returns them in Item.Deadline.
type Toucher interface {
	// Touch gives the record under key a new deadline if its token is still
	// the given one, and keeps the token. If the key is absent or was written
	// since, nothing is changed and touched is false.
	Touch(ctx context.Context, key string, token Token, deadline time.Time) (touched bool, err error)
}

// Prolonger makes a record live longer without writing it again, which needs no room. It is
// the way out where a backend that is no Toucher is full: without it, moving a deadline
// fails with ErrFull, and the record dies although it is used. It is no ability of its own,
// so it has no name as a [Feature].
type Prolonger interface {
	// Prolong makes the record under key live until deadline, and up to Info.ExpiryStep
	// longer, if its token is still the given one, and keeps the token. If the key is
	// absent or was written since, nothing is changed and prolonged is false.
	Prolong(ctx context.Context, key string, token Token, deadline time.Time) (prolonged bool, err error)
	// Prolonged returns the deadline that the record with the token has by Prolong, if it
	// has one that has not passed. It is asked about records that are past their own.
	Prolonged(ctx context.Context, key string, token Token) (deadline time.Time, prolonged bool, err error)
}

// Invoker executes functions where the records are, in one round trip whatever the
// record's size, and never more than once. Without it, or where the process that serves
// the key does not know the function, the record is read, the function is executed in
// this process, and the outcome is swapped in.
type Invoker interface {
	// Invoke executes the Processor that is registered under that name on the record
	// of key, stores what it decides, and returns its output. If the process that
	// serves the key does not know the name, the error matches ErrNoProcessor.
	Invoke(ctx context.Context, key, processor string, args []byte) (output []byte, err error)
}

// Scanner lists records. Without it, iteration is unsupported.
type Scanner interface {
	// Scan yields every record with its Key set. A key that is present from
	// the first to the last step is yielded exactly once; others may or may
	// not be. An error ends the sequence. The loop body may call the cache.
	Scan(ctx context.Context) iter.Seq2[Item, error]
}

// Clearer removes every record of the cache. Without it, the records are scanned
// and removed one by one.
type Clearer interface {
	// Clear removes the records that were present when it was called, and
	// only those of this cache. A record that is put after Clear returned
	// stays.
	Clear(ctx context.Context) error
}

// Sizer counts records. Without it, they are scanned.
type Sizer interface {
	// Size returns the number of stored records. Records that are dead but
	// not yet dropped may be counted.
	Size(ctx context.Context) (int, error)
}

// Watcher reports changes, whoever made them. Without it, only what this process
// does itself can be observed.
type Watcher interface {
	// Watch calls on for each change from now until stop is called. Calls for
	// one key are in the order of the changes and one at a time; on must be
	// quick and must not call the cache. When stop returns, on is not
	// running and will not be called again.
	Watch(ctx context.Context, on func(Event)) (stop func(), err error)
}

// KeyWatcher is a Watcher that can leave out what nobody asks for: the events of WatchKeys need have no
// Record and no Old. It is no ability of its own, so it has no name as a [Feature].
type KeyWatcher interface {
	// WatchKeys is Watch; on may get events without Record and Old.
	WatchKeys(ctx context.Context, on func(Event)) (stop func(), err error)
}

// Freshness is a Watcher that knows whether it hears of changes. It is no ability of its own, so it has no
// name as a [Feature].
type Freshness interface {
	// Fresh reports whether everything was told that happened until a moment ago; how long that is the provider
	// says. It is false from a gap on until changes are heard of again, and costs nothing.
	Fresh() bool
}

// EventKind says what happened to a record.
type EventKind uint8

// The kinds of events.
const (
	// EventPut: Record was stored; Old is what it replaced, if known.
	EventPut EventKind = iota + 1
	// EventRemoved: the key was removed by a call; Old as above.
	EventRemoved
	// EventExpired: the record in Old passed its deadline and was dropped.
	EventExpired
	// EventEvicted: the live record in Old was dropped for lack of room.
	EventEvicted
	// EventCleared: every key may have been removed at once.
	EventCleared
	// EventGap: events were lost; anything may have happened to any key.
	EventGap
)

// An Event is one change. Key is empty for EventCleared and EventGap.
type Event struct {
	// Kind says what happened, and Key to which entry.
	Kind EventKind
	Key  string
	// Record is what was put, and Old what was there before, where the driver knows it.
	Record []byte
	Old    []byte
}

// Locker excludes other clients from a key for a while. Without it, exclusive
// operations are unsupported.
//
// Locks bind those who ask for them. They do not stop a Put or a Swap.
type Locker interface {
	// Lock waits until the key's lock is free, takes it and returns the call
	// that frees it. The lock frees itself after lease.
	Lock(ctx context.Context, key string, lease time.Duration) (unlock func(context.Context) error, err error)
}

// Locality knows where a record lives, so that a key that can be chosen is chosen well.
// Without it, every key is Anywhere.
type Locality interface {
	// Placement is a hint, cheap and without any input or output.
	Placement(key string) Placement
}

// Placement says who serves a key.
type Placement uint8

// The placements.
const (
	// Anywhere: some server does, and no key is nearer than another one.
	Anywhere Placement = iota
	// Local: this process does, itself.
	Local
	// Remote: another process does. This one serves other keys itself.
	Remote
	// Unavailable: nobody does at the moment, as far as is known.
	Unavailable
)

// Unwrapper gives access to the backend's own client, for what no portable
// operation covers.
type Unwrapper interface {
	// Unwrap returns the object behind the cache. Its type is documented by
	// the provider.
	Unwrap() any
}
