// Package engine is the one pipeline that every operation of a cache passes, on records
// whose keys and values are bytes: enter, look, decide, write, settle, tell. What
// depends on types, such as policies and codecs, is a decision that package jcache passes
// in.
//
//	enter    Store.Enter: no call on a closed cache, none without a deadline
//	near     a driver that is a Near may answer a read from a copy in this process
//	load     Hooks.Load may find what the driver has not
//	decide   a pure function from a Record to a Change; it may run again
//	write    write.go, the only file that calls a method of a driver that writes
//	settle   settle.go: what became of a write whose acknowledgement was lost
//	tell     Hooks.Write and Notify hear of the decision that took place, once
//	count    count.go: what it was, in the statistics
package engine

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

var (
	// ErrClosed means that the cache or its manager is closed.
	ErrClosed = errors.New("closed")
	// ErrContention means that other writers changed the key between every read and swap,
	// as often as was tried. Nothing was changed.
	ErrContention = errors.New("too much contention")
)

// A Store is the records of an open cache of a driver.
type Store struct {
	absence  // until there is a cache
	cache    driver.Cache
	info     driver.Info
	features driver.Features
	inRecord bool // see DeadlinesInRecords
	stripes  *stripes
	gate     *Gate
	near     Near   // nil: none
	hooks    *Hooks // nil: none
	counters counters
}

// A Near is a driver's cache that keeps copies of records in this process.
type Near interface {
	// Copy returns what was stored under the key a moment ago, if there is a copy of it. Its deadline may be over.
	Copy(key string) (item driver.Item, ok bool)
}

// Hooks are the steps that not every cache has. Those that are nil cost nothing.
type Hooks struct {
	// Load is asked for a key that has no live record, and returns what is there now.
	Load func(ctx context.Context, key string) (Record, error)
	// Write and Notify hear of each effect, in this order. Their errors are the
	// operation's, which has taken place.
	Write  func(ctx context.Context, key string, e Effect) error
	Notify func(ctx context.Context, key string, e Effect) error
}

// NewStore returns the pipeline to an open cache, which it owns. Of the cache's optional
// interfaces it uses those that features has.
func NewStore(cache driver.Cache, features driver.Features, hooks *Hooks) *Store {
	s := NewAbsentStore(nil, hooks)
	s.Arrive(cache, features)
	return s
}

// Info describes the cache. It is zero while the store is absent.
func (s *Store) Info() driver.Info {
	if s.absent() != nil {
		return driver.Info{}
	}
	return s.info
}

// Near returns the cache if it keeps copies, and has arrived; otherwise nil.
func (s *Store) Near() Near {
	if s.absent() != nil {
		return nil
	}
	return s.near
}

// CanClear says why a cache cannot be cleared.
func (s *Store) CanClear() error {
	if err := s.absent(); err != nil {
		return err
	}
	if s.features.Clearer == nil && s.features.Scanner == nil {
		return fmt.Errorf("%w: the provider can neither clear nor list a cache", errors.ErrUnsupported)
	}
	return nil
}

// DeadlinesInRecords points to whether the driver leaves it to the records to keep their
// deadlines. It is read inside a call.
func (s *Store) DeadlinesInRecords() *bool { return &s.inRecord }

// Scans reports whether the driver can list its records.
func (s *Store) Scans() bool { return s.features.Scanner != nil }

// Locks reports whether the driver has locks.
func (s *Store) Locks() bool { return s.features.Locker != nil }

// Invokes reports whether the driver executes processors.
func (s *Store) Invokes() bool { return s.features.Invoker != nil }

// Unwrap returns the driver's own object, or nil.
func (s *Store) Unwrap() any {
	if s.absent() != nil {
		return nil
	}
	if u := s.features.Unwrapper; u != nil {
		return u.Unwrap()
	}
	return nil
}

// Closed reports whether the store lets no call in any more.
func (s *Store) Closed() bool { return s.gate.Closed() }

// Shut lets no call in any more, and does not wait.
func (s *Store) Shut() { s.gate.Shut() }

// Drain lets no call in any more, and waits for those that are inside. It can be
// repeated.
func (s *Store) Drain(ctx context.Context) error { return s.gate.Close(ctx) }

// A Call is one operation inside the store.
type Call struct {
	store *Store
	ctx   context.Context
	bound *deadline // ctx, if the store has made it
}

// Enter lets an operation in: none on a closed store, and none with a context that has
// ended. If the context has no deadline and the driver may wait, the call gets one.
// After a nil error, Leave must be called.
func (s *Store) Enter(ctx context.Context) (Call, error) {
	if err := s.admit(ctx); err != nil {
		return Call{}, err
	}
	return s.call(ctx), nil
}

// EnterUnbounded is Enter for a call that gets no deadline: it waits for nobody, or it lasts,
// and each Step of it gets one.
func (s *Store) EnterUnbounded(ctx context.Context) (Call, error) {
	if err := s.admit(ctx); err != nil {
		return Call{}, err
	}
	return Call{store: s, ctx: ctx}, nil
}

func (s *Store) admit(ctx context.Context) error {
	if !s.gate.Enter() {
		return ErrClosed
	}
	err := ctx.Err()
	if err == nil {
		err = s.absent()
	}
	if err != nil {
		s.gate.Leave()
	}
	return err
}

func (s *Store) call(ctx context.Context) Call {
	c := Call{store: s, ctx: ctx}
	if s.info.RequestTimeout > 0 {
		if _, ok := ctx.Deadline(); !ok {
			c.bound = &deadline{Context: ctx, at: time.Now().Add(s.info.RequestTimeout)}
			c.ctx = c.bound
		}
	}
	return c
}

// Leave ends the call.
func (c *Call) Leave() {
	c.End()
	c.store.gate.Leave()
}

// Step is a part of an unbounded call that has a deadline of its own. It ends with End.
func (c *Call) Step() Call { return c.store.call(c.ctx) }

// End ends a step.
func (c *Call) End() {
	if c.bound != nil {
		c.bound.cancel()
	}
}

// Context is the caller's context, or one with a deadline that ends with the call.
func (c *Call) Context() context.Context { return c.ctx }

// CheckKey refuses keys that the driver does not take.
func (c *Call) CheckKey(key string) error {
	if limit := c.store.info.MaxKeyBytes; limit > 0 && len(key) > limit {
		return longKey(len(key), limit)
	}
	return nil
}

func longKey(n, limit int) error {
	return fmt.Errorf("%w: a key of %d bytes, the provider takes %d", driver.ErrTooLarge, n, limit)
}

// CheckRecord refuses records that are longer than limit. Zero: there is none.
func CheckRecord(record []byte, limit int) error {
	if limit > 0 && len(record) > limit {
		return longRecord(len(record), limit)
	}
	return nil
}

func longRecord(n, limit int) error {
	return fmt.Errorf("%w: an encoded value of %d bytes, the provider takes %d; "+
		"store less in one entry or raise the provider's limit", driver.ErrTooLarge, n, limit)
}

// Has reports whether there is a live record. That is no access to it.
func (c *Call) Has(key string) (bool, error) {
	var seen Record
	err := c.look(key, &seen)
	return seen.Live, c.told(err)
}

// look sees what is stored under key, or a copy of it. Absent is the zero Record.
func (c *Call) look(key string, seen *Record) error {
	if n := c.store.near; n != nil {
		if item, ok := n.Copy(key); ok && seen.parse(&item) == nil && seen.Live {
			return nil // a dead record may have been prolonged
		}
	}
	return c.store.read(c.ctx, key, seen)
}

func (s *Store) read(ctx context.Context, key string, seen *Record) error {
	item, found, err := s.cache.Get(ctx, key)
	if err == nil && found {
		return s.parse(ctx, key, &item, seen)
	}
	*seen = Record{}
	return err
}

// parse takes the header off an item that was read. A record past its own deadline may have
// been prolonged.
func (s *Store) parse(ctx context.Context, key string, item *driver.Item, seen *Record) error {
	if err := seen.parse(item); err != nil || seen.Live || s.features.Prolonger == nil {
		return err
	}
	deadline, prolonged, err := s.features.Prolonger.Prolonged(ctx, key, seen.Token)
	if prolonged {
		seen.Live, seen.Deadline = true, 0
		if !deadline.IsZero() {
			seen.Deadline = Millis(deadline)
		}
	}
	return err
}

// Placement says who serves the key; known is false where the driver has no notion of that.
func (c *Call) Placement(key string) (p driver.Placement, known bool) {
	if l := c.store.features.Locality; l != nil {
		return l.Placement(key), true
	}
	return driver.Anywhere, false
}

// Size counts the records.
func (c *Call) Size() (int, error) {
	s := c.store
	if z := s.features.Sizer; z != nil {
		n, err := z.Size(c.ctx)
		return n, c.told(err)
	}
	if !s.Scans() {
		return 0, fmt.Errorf("%w: the provider can neither count nor list a cache", errors.ErrUnsupported)
	}
	n := 0
	for _, err := range s.features.Scanner.Scan(c.ctx) {
		if err != nil {
			return 0, c.told(err)
		}
		n++
	}
	return n, nil
}

// Scan lists the records of a store that Scans. The caller may Leave for the time of a
// loop body and Enter again; if it cannot, it ends the loop.
func (s *Store) Scan(ctx context.Context) iter.Seq2[driver.Item, error] {
	return s.features.Scanner.Scan(ctx)
}

// Lock takes the key's lock in a store that Locks.
func (c *Call) Lock(key string, lease time.Duration) (unlock func(context.Context) error, err error) {
	unlock, err = c.store.features.Locker.Lock(c.ctx, key, lease)
	return unlock, c.told(err)
}

func (c *Call) told(err error) error {
	if err == nil {
		return nil
	}
	return Told(c.ctx, err)
}

// Told makes the error of a call whose context has ended say so, whatever the driver made
// of it. That a caller gave up is no fault of the provider's.
func Told(ctx context.Context, err error) error {
	why := cause(ctx)
	switch {
	case why == nil:
		return err
	case errors.Is(why, context.Canceled) && errors.Is(err, driver.ErrUnavailable):
		return fmt.Errorf("%w: %v", why, err) //nolint:errorlint // it must not match ErrUnavailable
	case errors.Is(err, why):
		return err
	}
	return fmt.Errorf("%w: %w", err, why)
}
