package jcache

import (
	"context"
	"sync"

	"github.com/keepsake-cache/keepsake/jcache/internal/engine"
)

// A bulk is a bulk operation in progress: its distinct keys as the driver stores them,
// and what went wrong. A key that cannot be stored fails alone.
type bulk[K comparable] struct {
	engine.Call
	keys   []K
	stored []string
	failed map[K]error
	of     int // keys, those that have failed included
}

// bulk begins an operation on many keys. After a nil error, Leave must be called.
func (c *Cache[K, V]) bulk(ctx context.Context, keys []K) (*bulk[K], error) {
	call, err := c.store.Enter(ctx)
	if err != nil {
		return nil, err
	}
	b := &bulk[K]{Call: call, keys: make([]K, 0, len(keys)), stored: make([]string, 0, len(keys))}
	seen := make(map[K]struct{}, len(keys))
	for _, key := range keys {
		if _, twice := seen[key]; twice {
			continue
		}
		seen[key] = struct{}{}
		b.of++
		var stored string
		if err := engine.Guarded(func() (err error) { stored, err = c.storedKey(&call, key); return err }); err != nil {
			b.fail(key, err)
			continue
		}
		b.keys, b.stored = append(b.keys, key), append(b.stored, stored)
	}
	return b, nil
}

func (b *bulk[K]) fail(key K, err error) {
	if b.failed == nil {
		b.failed = make(map[K]error)
	}
	b.failed[key] = err
}

// result is the error of the operation, given those of the stored keys.
func (b *bulk[K]) result(errs []error) error {
	for i, err := range errs {
		if err != nil {
			b.fail(b.keys[i], err)
		}
	}
	if b.failed == nil {
		return nil
	}
	return &BatchError[K]{Failed: b.failed, Of: b.of}
}

// GetAll returns the entries of those keys that have one. Keys that cannot be stored and
// entries that cannot be decoded are listed in a *BatchError[K]; the others are returned
// with it.
//
// JSR-107: Cache.getAll.
func (c *Cache[K, V]) GetAll(ctx context.Context, keys ...K) (map[K]V, error) {
	b, err := c.bulk(ctx, keys)
	if err != nil {
		return nil, c.fail("get all", err)
	}
	defer b.Leave()
	var mu sync.Mutex
	found := make(map[K]V, len(b.keys))
	errs, err := b.GetAll(b.stored, func(i int, seen engine.Record) (engine.Change, error) {
		value, ch, err := c.read(b.keys[i], &seen)
		if err == nil {
			mu.Lock()
			defer mu.Unlock()
			found[b.keys[i]] = value
		}
		return ch, err
	})
	if err != nil {
		return nil, c.fail("get all", err)
	}
	for i, err := range errs {
		if err != nil { // the value was read, and its access was not written
			delete(found, b.keys[i])
		}
	}
	return found, c.fail("get all", b.result(errs))
}

// PutAll stores every entry. It is atomic for each key only; if some fail, a
// *BatchError[K] lists them.
//
// JSR-107: Cache.putAll.
func (c *Cache[K, V]) PutAll(ctx context.Context, entries map[K]V) error {
	keys := make([]K, 0, len(entries))
	for key := range entries {
		keys = append(keys, key)
	}
	return c.changeAll(ctx, "put all", keys, engine.Plan{Blind: c.blind()}, func(key K, seen engine.Record) (engine.Change, error) {
		return c.write(key, entries[key], &seen)
	})
}

// RemoveKeys removes the entries of the given keys. It is atomic for each key only;
// if some fail, a *BatchError[K] lists them.
//
// JSR-107: Cache.removeAll(keys).
func (c *Cache[K, V]) RemoveKeys(ctx context.Context, keys ...K) error {
	return c.changeAll(ctx, "remove keys", keys, engine.Plan{Blind: true, Answers: c.store.Counting()}, func(_ K, seen engine.Record) (engine.Change, error) {
		return remove(seen)
	})
}

// changeAll is change for many keys.
func (c *Cache[K, V]) changeAll(ctx context.Context, op string, keys []K, plan engine.Plan, decide func(key K, seen engine.Record) (engine.Change, error)) error {
	b, err := c.bulk(ctx, keys)
	if err != nil {
		return c.fail(op, err)
	}
	defer b.Leave()
	return c.fail(op, b.result(b.RunAll(b.stored, plan, func(i int, seen engine.Record) (engine.Change, error) {
		return decide(b.keys[i], seen)
	})))
}

// RemoveAll removes every entry. If its acknowledgement was lost, it has taken effect if
// there is no entry left; otherwise the error matches ErrIndeterminate. If statistics are on and
// the provider can list its entries, each is removed and counted; after an error some are left.
//
// JSR-107: Cache.removeAll().
func (c *Cache[K, V]) RemoveAll(ctx context.Context) error {
	const op = "remove all"
	call, err := c.store.EnterUnbounded(ctx)
	if err != nil {
		return c.fail(op, err)
	}
	defer call.Leave()
	return c.fail(op, call.RemoveAll())
}

// Clear drops every entry. It differs from RemoveAll in that nobody hears of it, the statistics
// neither.
//
// JSR-107: Cache.clear.
func (c *Cache[K, V]) Clear(ctx context.Context) error {
	const op = "clear"
	call, err := c.store.Enter(ctx)
	if err != nil {
		return c.fail(op, err)
	}
	defer call.Leave()
	return c.fail(op, call.Clear())
}
