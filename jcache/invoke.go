package jcache

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// An Entry is a key, its value and its deadline, as they were when they were read.
type Entry[K comparable, V any] struct {
	Key   K
	Value V
	// Deadline is when the entry expires unless it is touched. Zero: never.
	Deadline time.Time

	seen  observed
	known bool // seen is what was read
}

// A MutableEntry is what a processor works on. Only the net effect of its methods
// takes place, after the processor returned without an error. It belongs to one
// run of one processor and is not safe for concurrent use.
//
// JSR-107: MutableEntry.
type MutableEntry[K comparable, V any] struct {
	scheme *scheme[K, V]
	key    K
	seen   observed
	state  entryState
	value  V // if state is entryDecoded or entrySet
	read   bool
	expiry *Expiry
}

type entryState uint8

const (
	entryUntouched entryState = iota // as it was read, the value not yet decoded
	entryDecoded
	entrySet
	entryRemoved
)

// Key returns the key.
func (e *MutableEntry[K, V]) Key() K { return e.key }

// Exists reports whether there is a value now.
func (e *MutableEntry[K, V]) Exists() bool {
	return e.state == entrySet || e.state != entryRemoved && e.seen.live
}

// Value returns the value, or ok == false if there is none.
func (e *MutableEntry[K, V]) Value() (value V, ok bool, err error) {
	if !e.Exists() {
		return value, false, nil
	}
	if e.state == entryUntouched {
		if e.value, err = e.scheme.decode(e.seen); err != nil {
			return value, false, err
		}
		e.state = entryDecoded
	}
	e.read = true
	return e.value, true, nil
}

// Deadline returns when the entry was going to expire as the processor found it.
// Zero: never, or there is no entry.
func (e *MutableEntry[K, V]) Deadline() time.Time {
	if !e.seen.live {
		return time.Time{}
	}
	return fromMillis(e.seen.deadline)
}

// SetValue gives the entry a value.
func (e *MutableEntry[K, V]) SetValue(value V) { e.value, e.state = value, entrySet }

// Remove takes the entry away.
func (e *MutableEntry[K, V]) Remove() { e.state = entryRemoved }

// SetExpiry overrules the cache's policy for this change. Without SetValue it
// moves the entry's deadline and leaves the value alone; providers that can do so
// then do not rewrite it.
func (e *MutableEntry[K, V]) SetExpiry(expiry Expiry) { e.expiry = &expiry }

// change is the net effect of what the processor did.
func (e *MutableEntry[K, V]) change() (change, error) {
	switch {
	case e.state == entrySet && e.expiry != nil:
		return e.scheme.writeWith(*e.expiry, e.value, e.seen)
	case e.state == entrySet:
		return e.scheme.write(e.key, e.value, e.seen)
	case !e.seen.live:
		return change{}, nil
	case e.state == entryRemoved:
		return change{kind: changeRemove}, nil
	case e.expiry != nil:
		return retime(*e.expiry), nil
	case e.read:
		return e.scheme.access(e.key, e.value), nil
	}
	return change{}, nil
}

// A Processor decides, with the entry in hand, what becomes of it. If other
// processes change the entry at the same time it runs again on what they left, so
// it should have no effects but those on the entry and on its result. An error
// leaves the entry as it was. It must not call the cache.
//
// JSR-107: EntryProcessor.
type Processor[K comparable, V, T any] func(ctx context.Context, entry *MutableEntry[K, V]) (T, error)

// Invoke runs the processor on the entry of key, atomically, and returns its
// result.
//
// JSR-107: Cache.invoke.
func Invoke[K comparable, V, T any](ctx context.Context, c *Cache[K, V], key K, p Processor[K, V, T]) (T, error) {
	return invoke(ctx, c, key, nil, p)
}

// InvokeEntry is Invoke for an entry that GetEntry or All returned. The processor's
// first run sees the entry as it was read then, which saves reading it again; if it
// has been changed meanwhile, the processor runs again on what is there. For an Entry
// that was made by hand it is Invoke of its Key.
func InvokeEntry[K comparable, V, T any](ctx context.Context, c *Cache[K, V], entry Entry[K, V], p Processor[K, V, T]) (T, error) {
	if !entry.known {
		return invoke(ctx, c, entry.Key, nil, p)
	}
	seen := entry.seen
	seen.live = seen.live && (seen.deadline == 0 || time.Now().UnixMilli() < seen.deadline)
	return invoke(ctx, c, entry.Key, &seen, p)
}

var errNoProcessor = fmt.Errorf("%w: the processor is nil", ErrInvalid)

func invoke[K comparable, V, T any](ctx context.Context, c *Cache[K, V], key K, start *observed, p Processor[K, V, T]) (result T, err error) {
	ctx, cancel, stored, err := c.start(ctx, key)
	if err != nil {
		return result, c.fail("invoke", err)
	}
	defer c.end(cancel)
	if p == nil {
		return result, c.fail("invoke", errNoProcessor)
	}
	err = c.mutate(ctx, stored, start, func(seen observed) (change, error) {
		e := MutableEntry[K, V]{scheme: &c.scheme, key: key, seen: seen}
		var err error
		if result, err = p(ctx, &e); err != nil {
			return change{}, err
		}
		return e.change()
	})
	if err != nil {
		var zero T
		return zero, c.fail("invoke", err)
	}
	return result, nil
}

// InvokeExclusive is Invoke under the key's lock: the processor runs once, as long
// as it returns within lease and every other writer of the key uses
// InvokeExclusive too. It wraps errors.ErrUnsupported where the provider has no
// locks.
func InvokeExclusive[K comparable, V, T any](ctx context.Context, c *Cache[K, V], key K, lease time.Duration, p Processor[K, V, T]) (result T, err error) {
	if c.features.Locker == nil {
		return result, c.fail("invoke exclusive", fmt.Errorf("%w: the provider has no locks", errors.ErrUnsupported))
	}
	ctx, cancel, stored, err := c.start(ctx, key)
	if err != nil {
		return result, c.fail("invoke exclusive", err)
	}
	defer c.end(cancel)
	if lease <= 0 {
		return result, c.fail("invoke exclusive", fmt.Errorf("%w: the lease is not positive", ErrInvalid))
	}
	unlock, err := c.features.Locker.Lock(ctx, stored, lease)
	if err != nil {
		return result, c.fail("invoke exclusive", err)
	}
	defer func() { // the processor may panic
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lease)
		defer cancel()
		_ = unlock(ctx) // the work is done and said; a lock that cannot be freed frees itself
	}()
	return invoke(ctx, c, key, nil, p)
}

// A Result is what a processor returned for one key of InvokeAll.
type Result[T any] struct {
	Value T
	Err   error
}

// InvokeAll runs the processor on the entry of each key, several at a time, and
// returns one result for each distinct key. It is atomic for each key only; the
// error is that of the whole operation, such as a closed cache.
//
// JSR-107: Cache.invokeAll.
func InvokeAll[K comparable, V, T any](ctx context.Context, c *Cache[K, V], keys []K, p Processor[K, V, T]) (map[K]Result[T], error) {
	if p == nil {
		return nil, c.fail("invoke all", errNoProcessor)
	}
	return invokeAll(ctx, c, keys, func(ctx context.Context, key K) (T, error) { return invoke(ctx, c, key, nil, p) })
}

func invokeAll[K comparable, V, T any](ctx context.Context, c *Cache[K, V], keys []K, one func(ctx context.Context, key K) (T, error)) (map[K]Result[T], error) {
	ctx, cancel, err := c.begin(ctx)
	if err != nil {
		return nil, c.fail("invoke all", err)
	}
	defer c.end(cancel)
	keys = distinct(keys)
	results := make([]Result[T], len(keys))
	parallel(len(keys), func(i int) {
		results[i].Value, results[i].Err = one(ctx, keys[i])
	})
	all := make(map[K]Result[T], len(keys))
	for i, key := range keys {
		all[key] = results[i]
	}
	return all, nil
}
