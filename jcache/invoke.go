package jcache

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/internal/engine"
)

// An Entry is a key, its value and its deadline, as they were when they were read.
type Entry[K comparable, V any] struct {
	// Key and Value are as they went in.
	Key   K
	Value V
	// Deadline is when the entry expires unless it is touched. Zero: never.
	Deadline time.Time

	seen  engine.Record
	known bool // seen is what was read
}

func entryOf[K comparable, V any](key K, value V, seen *engine.Record) Entry[K, V] {
	e := Entry[K, V]{Key: key, seen: *seen, known: true}
	if seen.Live {
		e.Value, e.Deadline = value, engine.Time(seen.Deadline)
	}
	return e
}

// Absent stands for a key that most likely has no entry. InvokeEntry then shows the
// processor none, without having looked; if there is one, the processor runs again and sees
// it.
func Absent[K comparable, V any](key K) Entry[K, V] {
	return Entry[K, V]{Key: key, known: true}
}

// A MutableEntry is what a processor works on. Only the net effect of its methods
// takes place, after the processor returned without an error. It belongs to one
// run of one processor and is not safe for concurrent use.
//
// JSR-107: MutableEntry.
type MutableEntry[K comparable, V any] struct {
	scheme *scheme[K, V]
	key    K
	seen   engine.Record
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
	return e.state == entrySet || e.state != entryRemoved && e.seen.Live
}

// Value returns the value, or ok == false if there is none.
func (e *MutableEntry[K, V]) Value() (value V, ok bool, err error) {
	if !e.Exists() {
		return value, false, nil
	}
	if e.state == entryUntouched {
		if e.value, err = e.scheme.decode(&e.seen); err != nil {
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
	if !e.seen.Live {
		return time.Time{}
	}
	return engine.Time(e.seen.Deadline)
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
func (e *MutableEntry[K, V]) change() (engine.Change, error) {
	switch {
	case e.state == entrySet && e.expiry != nil:
		return e.scheme.writeWith(*e.expiry, e.value, &e.seen)
	case e.state == entrySet:
		return e.scheme.write(e.key, e.value, &e.seen)
	case !e.seen.Live:
		return engine.Change{}, nil
	case e.state == entryRemoved:
		return remove(e.seen)
	case e.expiry != nil:
		return retime(*e.expiry), nil
	case e.read:
		return e.scheme.access(e.key, e.value), nil
	}
	return engine.Change{}, nil
}

// A Processor decides, with the entry in hand, what becomes of it. If other
// processes change the entry at the same time it runs again on what they left, so
// it should have no effects but those on the entry and on its result. An error
// leaves the entry as it was, and so does a panic. It must not call the cache.
//
// JSR-107: EntryProcessor.
type Processor[K comparable, V, T any] func(ctx context.Context, entry *MutableEntry[K, V]) (T, error)

// Invoke runs the processor on the entry of key, atomically, and returns its
// result.
//
// JSR-107: Cache.invoke.
func Invoke[K comparable, V, T any](ctx context.Context, c *Cache[K, V], key K, p Processor[K, V, T]) (T, error) {
	return invoke(ctx, c, "invoke", key, nil, p)
}

// InvokeEntry is Invoke for an entry that GetEntry, All or Absent returned. The processor's
// first run sees the entry as it was read then, which saves reading it again; if it
// has been changed meanwhile, the processor runs again on what is there. For an Entry
// that was made by hand it is Invoke of its Key.
func InvokeEntry[K comparable, V, T any](ctx context.Context, c *Cache[K, V], entry Entry[K, V], p Processor[K, V, T]) (T, error) {
	if !entry.known {
		return invoke(ctx, c, "invoke", entry.Key, nil, p)
	}
	seen := entry.seen
	seen.Age()
	return invoke(ctx, c, "invoke", entry.Key, &seen, p)
}

// InvokeExclusive is Invoke under the key's lock: the processor runs once, as long
// as it returns within lease and every other writer of the key uses
// InvokeExclusive too. It wraps errors.ErrUnsupported where the provider has no
// locks.
func InvokeExclusive[K comparable, V, T any](ctx context.Context, c *Cache[K, V], key K, lease time.Duration, p Processor[K, V, T]) (result T, err error) {
	const op = "invoke exclusive"
	call, err := c.store.Enter(ctx)
	if err != nil {
		return result, c.fail(op, err)
	}
	defer call.Leave()
	switch {
	case !c.store.Locks():
		err = fmt.Errorf("%w: the provider has no locks", errors.ErrUnsupported)
	case p == nil:
		err = errNoProcessor
	case lease <= 0:
		err = fmt.Errorf("%w: the lease is not positive", ErrInvalid)
	}
	if err != nil {
		return result, c.fail(op, err)
	}
	stored, err := c.storedKey(&call, key)
	if err != nil {
		return result, c.fail(op, err)
	}
	unlock, err := call.Lock(stored, lease)
	if err != nil {
		return result, c.fail(op, err)
	}
	defer func() { // the processor may panic
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lease)
		defer cancel()
		_ = unlock(ctx) // the work is done and said; a lock that cannot be freed frees itself
	}()
	result, err = process(&call, c, key, stored, nil, p)
	return result, c.fail(op, err)
}

var errNoProcessor = fmt.Errorf("%w: the processor is nil", ErrInvalid)

func invoke[K comparable, V, T any](ctx context.Context, c *Cache[K, V], op string, key K, start *engine.Record, p Processor[K, V, T]) (result T, err error) {
	call, err := c.store.Enter(ctx)
	if err != nil {
		return result, c.fail(op, err)
	}
	defer call.Leave()
	if p == nil {
		return result, c.fail(op, errNoProcessor)
	}
	stored, err := c.storedKey(&call, key)
	if err != nil {
		return result, c.fail(op, err)
	}
	result, err = process(&call, c, key, stored, start, p)
	return result, c.fail(op, err)
}

// process runs a processor in a call that has begun.
func process[K comparable, V, T any](call *engine.Call, c *Cache[K, V], key K, stored string, start *engine.Record, p Processor[K, V, T]) (result T, err error) {
	_, err = call.Run(stored, engine.Plan{Start: start, Looks: true}, func(seen engine.Record) (ch engine.Change, err error) {
		e := MutableEntry[K, V]{scheme: &c.scheme, key: key, seen: seen}
		if result, err = p(call.Context(), &e); err != nil {
			return ch, err
		}
		return e.change()
	})
	if err != nil {
		var none T
		return none, err
	}
	return result, nil
}

// A Result is what a processor returned for one key of InvokeAll.
type Result[T any] struct {
	// Value is what it returned, if Err is nil.
	Value T
	// Err is what it failed with, or what kept it from running.
	Err error
}

// InvokeAll runs the processor on the entry of each key, several at a time, and
// returns one result for each distinct key. It is atomic for each key only; the
// error is that of the whole operation, such as a closed cache. A processor that panics
// has failed for its key, with an error that matches ErrProcessor and ErrPanic.
//
// JSR-107: Cache.invokeAll.
func InvokeAll[K comparable, V, T any](ctx context.Context, c *Cache[K, V], keys []K, p Processor[K, V, T]) (map[K]Result[T], error) {
	return invokeAll(ctx, c, keys, p == nil, func(call *engine.Call, key K, stored string) (T, error) {
		return process(call, c, key, stored, nil, p)
	})
}

func invokeAll[K comparable, V, T any](ctx context.Context, c *Cache[K, V], keys []K, missing bool, one func(call *engine.Call, key K, stored string) (T, error)) (map[K]Result[T], error) {
	b, err := c.bulk(ctx, keys)
	if err != nil {
		return nil, c.fail("invoke all", err)
	}
	defer b.Leave()
	if missing {
		return nil, c.fail("invoke all", errNoProcessor)
	}
	values := make([]T, len(b.keys))
	_ = b.result(engine.Parallel(len(b.keys), func(i int) (err error) { // each key has its own result
		values[i], err = one(&b.Call, b.keys[i], b.stored[i])
		return err
	}))
	results := make(map[K]Result[T], b.of)
	for i, key := range b.keys {
		results[key] = Result[T]{Value: values[i]}
	}
	for key, err := range b.failed {
		if errors.Is(err, ErrPanic) && !errors.Is(err, ErrProcessor) {
			err = fmt.Errorf("%w: %w", ErrProcessor, err)
		}
		results[key] = Result[T]{Err: c.fail("invoke", err)}
	}
	return results, nil
}
