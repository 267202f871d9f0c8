package driver

import (
	"context"
	"time"
)

// WriteIDBytes is the length of the identifier that begins every record and
// differs between any two writes.
const WriteIDBytes = 8

// A Provider is an open connection to a backend.
type Provider interface {
	// OpenCache gives access to the records of the named cache and creates
	// the cache in the backend where that is needed. Names match
	// [A-Za-z0-9._-]{1,128}. Opening a name again, in this process or in
	// another one, reaches the same records.
	//
	// What the backend cannot do as opts ask is an error that wraps
	// errors.ErrUnsupported.
	OpenCache(ctx context.Context, name string, opts CacheOptions) (Cache, error)

	// Ping reports whether the backend answers.
	Ping(ctx context.Context) error

	// Close releases every connection and waits for every goroutine of the
	// provider. Its caches have been closed before. If it fails, or is cut short by
	// ctx, it is called again when the program tries again.
	Close(ctx context.Context) error
}

// Safety is implemented by a Provider that keeps records in the processes that use it and
// is no Reporter, which could say why it is not safe.
type Safety interface {
	// Safe reports whether every record has all the copies that it can have among
	// the processes that are there, and none is being moved.
	Safe() bool
}

// A Splitter is a Provider whose servers serve on in each part of a network that was split,
// and keep one of two records of a key as a whole when the parts are rejoined. Whatever
// ended or changed an entry in one part may then be undone by a record of the other one.
type Splitter interface {
	// Rejoined returns when parts may have been rejoined last, as far as this process can
	// know: not before it connected. It costs nothing.
	Rejoined() time.Time
}

// A Leaver is a Provider that hands records over to other processes when it is closed.
type Leaver interface {
	// LeaveTimeout is how long Close may take for that, whatever its context allows.
	LeaveTimeout() time.Duration
}

// A Forgetter is a Provider that keeps records in processes, and waits for those that do not
// answer while nobody else has what they may have.
type Forgetter interface {
	// Forget takes an operator's word that the processes at some addresses, or all that
	// are missing if none is given, have ended for good: what only they had is lost. It
	// returns the addresses. A process that answers is not forgotten, which is an error.
	Forget(ctx context.Context, addrs ...string) ([]string, error)
}

// CacheOptions is what the portable layer knows about the records of a cache
// before it writes the first one.
type CacheOptions struct {
	// LongestTTL is the longest life that the cache's expiry policy gives a
	// record, as a rule, counted from its last write; one that lives longer must
	// be kept all the same. Zero: unknown, or for ever.
	LongestTTL time.Duration
}

// A Cache stores the records of one named cache.
type Cache interface {
	// Info describes the cache. It never changes and costs nothing.
	Info() Info

	// Get returns the record stored under key. A key that was never written,
	// was removed or has expired is found == false with a nil error.
	Get(ctx context.Context, key string) (item Item, found bool, err error)

	// Put stores a record whatever was there before. The zero deadline means
	// that the record does not expire.
	Put(ctx context.Context, key string, record []byte, deadline time.Time) error

	// Delete removes a record. Removing an absent key is not an error.
	Delete(ctx context.Context, key string) error

	// Swap stores record only if the key's present token is old. The zero
	// Token demands that the key be absent; a nil record removes the key.
	//
	// If the token differs, nothing is changed, swapped is false and the
	// error is nil; current is then the present item if the driver learned it
	// without another round trip, and nil otherwise.
	Swap(ctx context.Context, key string, old Token, record []byte, deadline time.Time) (swapped bool, current *Item, err error)

	// Close releases what OpenCache acquired. The records stay.
	Close() error
}

// An Item is a stored record and the version it has.
type Item struct {
	// Key is set by GetBatch and Scan; Get and Swap may leave it empty.
	Key string
	// Record is immutable.
	Record []byte
	// Token is the version for Swap. It is never the zero Token.
	Token Token
	// Deadline is set by drivers that implement Toucher, and only by them.
	// Zero: the record does not expire.
	Deadline time.Time
}

// A Token is a driver's version of a record; only the driver that made it knows
// what is in it. The zero Token stands for "no record".
type Token struct {
	// N is for backends that number their versions.
	N uint64
	// B is for backends that compare bytes. It is immutable, as records are.
	B []byte
}

// IsZero reports whether t stands for "no record".
func (t Token) IsZero() bool { return t.N == 0 && t.B == nil }

// Info describes an open cache.
type Info struct {
	// MaxKeyBytes and MaxRecordBytes are the longest key and record that the
	// backend takes. Zero: no limit of its own.
	MaxKeyBytes    int
	MaxRecordBytes int

	// RequestTimeout bounds an operation whose context has no deadline. Zero:
	// the records are in this process and no call ever waits.
	RequestTimeout time.Duration

	// ExpiryStep is how much longer than asked a dead record may stay
	// readable. Zero: it is gone at its deadline.
	ExpiryStep time.Duration

	// Shared reports whether other processes reach the same records.
	Shared bool

	// Evicts reports whether the backend may drop a live record, for lack of
	// memory say.
	Evicts bool
}
