package jcache

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// bulkWidth is how many keys of a bulk operation are under way at once where the
// provider has no batches: enough to fill a connection, few enough to be fair.
const bulkWidth = 16

// parallel calls do for 0 to n-1, bulkWidth at a time, and waits.
func parallel(n int, do func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(n, bulkWidth) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	wg.Wait()
}

func distinct[K comparable](keys []K) []K {
	seen := make(map[K]struct{}, len(keys))
	list := make([]K, 0, len(keys))
	for _, k := range keys {
		if _, ok := seen[k]; !ok {
			seen[k] = struct{}{}
			list = append(list, k)
		}
	}
	return list
}

// batchErrors collects the failures of a bulk operation.
type batchErrors[K comparable] struct {
	mu     sync.Mutex
	failed map[K]error
}

func (b *batchErrors[K]) add(key K, err error) {
	if err == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failed == nil {
		b.failed = make(map[K]error)
	}
	b.failed[key] = err
}

func (b *batchErrors[K]) result(of int) error {
	if b.failed == nil {
		return nil
	}
	return &BatchError[K]{Failed: b.failed, Of: of}
}

// startAll begins an operation on many keys. All keys are checked before anything
// is done.
func (c *Cache[K, V]) startAll(ctx context.Context, keys []K) (_ context.Context, cancel context.CancelFunc, stored []string, err error) {
	ctx, cancel, err = c.begin(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	stored = make([]string, len(keys))
	for i, k := range keys {
		if stored[i], err = c.storedKey(k); err != nil {
			c.end(cancel)
			return nil, nil, nil, err
		}
	}
	return ctx, cancel, stored, nil
}

// GetAll returns the entries of those keys that have one. Entries that cannot be
// decoded are listed in a *BatchError[K]; the others are returned with it.
//
// JSR-107: Cache.getAll.
func (c *Cache[K, V]) GetAll(ctx context.Context, keys ...K) (map[K]V, error) {
	keys = distinct(keys)
	ctx, cancel, stored, err := c.startAll(ctx, keys)
	if err != nil {
		return nil, c.fail("get all", err)
	}
	defer c.end(cancel)
	var errs batchErrors[K]
	var mu sync.Mutex
	found := make(map[K]V, len(keys))
	add := func(i int, item driver.Item) {
		seen, err := observe(item, time.Now())
		if err == nil && !seen.live {
			return
		}
		var e Entry[K, V]
		if err == nil {
			e, err = c.entry(ctx, keys[i], stored[i], seen)
		}
		if err != nil {
			errs.add(keys[i], err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		found[keys[i]] = e.Value
	}
	if b := c.features.BatchGetter; b != nil && len(keys) > 1 {
		items, err := b.GetBatch(ctx, stored)
		if err != nil {
			return nil, c.fail("get all", err)
		}
		index := make(map[string]int, len(stored))
		for i, s := range stored {
			index[s] = i
		}
		parallel(len(items), func(i int) { add(index[items[i].Key], items[i]) })
	} else {
		parallel(len(keys), func(i int) {
			item, ok, err := c.cache.Get(ctx, stored[i])
			if errs.add(keys[i], err); ok && err == nil {
				add(i, item)
			}
		})
	}
	return found, c.fail("get all", errs.result(len(keys)))
}

// PutAll stores every entry. It is atomic for each key only; if some fail, a
// *BatchError[K] lists them.
//
// JSR-107: Cache.putAll.
func (c *Cache[K, V]) PutAll(ctx context.Context, entries map[K]V) error {
	keys := make([]K, 0, len(entries))
	for k := range entries {
		keys = append(keys, k)
	}
	ctx, cancel, stored, err := c.startAll(ctx, keys)
	if err != nil {
		return c.fail("put all", err)
	}
	defer c.end(cancel)
	var errs batchErrors[K]
	if b := c.features.BatchPutter; b != nil && c.fixed != nil && c.fixed.blind() && c.fixed.create != Now() {
		c.putBatch(ctx, b, keys, stored, entries, &errs)
	} else {
		parallel(len(keys), func(i int) {
			errs.add(keys[i], c.putOne(ctx, keys[i], stored[i], entries[keys[i]]))
		})
	}
	return c.fail("put all", errs.result(len(keys)))
}

func (c *Cache[K, V]) putBatch(ctx context.Context, b driver.BatchPutter, keys []K, stored []string, entries map[K]V, errs *batchErrors[K]) {
	batch := make([]driver.Entry, 0, len(keys))
	changes := make([]change, 0, len(keys))
	order := make([]K, 0, len(keys))
	for i, k := range keys {
		ch, err := c.write(k, entries[k], observed{})
		if err == nil {
			err = c.checkSize(ch.record)
		}
		if err != nil {
			errs.add(k, err)
			continue
		}
		batch = append(batch, driver.Entry{Key: stored[i], Record: ch.record, Deadline: fromMillis(ch.deadline)})
		changes, order = append(changes, ch), append(order, k)
	}
	failed := b.PutBatch(ctx, batch)
	parallel(len(failed), func(i int) {
		errs.add(order[i], c.settlePut(ctx, batch[i].Key, changes[i], failed[i]))
	})
}

// RemoveKeys removes the entries of the given keys. It is atomic for each key only;
// if some fail, a *BatchError[K] lists them.
//
// JSR-107: Cache.removeAll(keys).
func (c *Cache[K, V]) RemoveKeys(ctx context.Context, keys ...K) error {
	keys = distinct(keys)
	ctx, cancel, stored, err := c.startAll(ctx, keys)
	if err != nil {
		return c.fail("remove keys", err)
	}
	defer c.end(cancel)
	var errs batchErrors[K]
	parallel(len(keys), func(i int) { errs.add(keys[i], c.cache.Delete(ctx, stored[i])) })
	return c.fail("remove keys", errs.result(len(keys)))
}

// RemoveAll removes every entry.
//
// JSR-107: Cache.removeAll().
func (c *Cache[K, V]) RemoveAll(ctx context.Context) error { return c.empty(ctx, "remove all") }

// Clear drops every entry. It differs from RemoveAll in that no listener hears of
// it.
//
// JSR-107: Cache.clear.
func (c *Cache[K, V]) Clear(ctx context.Context) error { return c.empty(ctx, "clear") }

func (c *Cache[K, V]) empty(ctx context.Context, op string) error {
	ctx, cancel, err := c.begin(ctx)
	if err != nil {
		return c.fail(op, err)
	}
	defer c.end(cancel)
	return c.fail(op, c.clear(ctx))
}

// All iterates over the entries, in no order. Each entry that is there from the
// first to the last step is yielded once; entries that come or go meanwhile may or
// may not be. Yielding an entry is an access. The loop body may call the cache.
//
// An error that concerns one entry, such as an undecodable value, is yielded with
// that entry's key and the iteration goes on; any other error ends it. Where the
// provider cannot list its entries the error wraps errors.ErrUnsupported.
//
// JSR-107: Cache.iterator.
func (c *Cache[K, V]) All(ctx context.Context) iter.Seq2[Entry[K, V], error] {
	return func(yield func(Entry[K, V], error) bool) {
		if c.features.Scanner == nil {
			yield(Entry[K, V]{}, c.fail("iterate", fmt.Errorf("%w: the provider cannot list a cache", errors.ErrUnsupported)))
			return
		}
		// The provider bounds each of its own steps; the loop body takes as
		// long as it takes.
		if !c.gate.enter() {
			yield(Entry[K, V]{}, c.fail("iterate", ErrClosed))
			return
		}
		defer c.gate.leave()
		if err := ctx.Err(); err != nil {
			yield(Entry[K, V]{}, c.fail("iterate", err))
			return
		}
		for item, err := range c.features.Scanner.Scan(ctx) {
			if err == nil && c.gate.closed() {
				err = ErrClosed
			}
			if err != nil {
				yield(Entry[K, V]{}, c.fail("iterate", err))
				return
			}
			e, live, err := c.scanned(ctx, item)
			if live && !yield(e, c.fail("iterate", err)) {
				return
			}
		}
	}
}

// scanned decodes one item of a scan.
func (c *Cache[K, V]) scanned(ctx context.Context, item driver.Item) (e Entry[K, V], live bool, err error) {
	if e.Key, err = c.keys.Decode(item.Key); err != nil {
		return e, true, err
	}
	seen, err := observe(item, time.Now())
	if err != nil || !seen.live {
		return e, err != nil, err
	}
	ctx, cancel := c.bound(ctx)
	defer cancel()
	e, err = c.entry(ctx, e.Key, item.Key, seen)
	return e, true, err
}
