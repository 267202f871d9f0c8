package jcache

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/jcache/internal/engine"
)

// All iterates over the entries, in no order. Each entry that is there from the
// first to the last step is yielded once; entries that come or go meanwhile may or
// may not be. Yielding an entry is an access. The loop body may call the cache, and may
// close it: the next step yields ErrClosed and is the last.
//
// An error that concerns one entry, such as an undecodable value, is yielded with
// that entry's key and the iteration goes on; any other error ends it. Where the
// provider cannot list its entries the error wraps errors.ErrUnsupported.
//
// JSR-107: Cache.iterator.
func (c *Cache[K, V]) All(ctx context.Context) iter.Seq2[Entry[K, V], error] {
	return func(yield func(Entry[K, V], error) bool) {
		for e, err := range c.all(ctx) {
			if !yield(e, c.fail("iterate", err)) {
				return
			}
		}
	}
}

// all is inside the store while it looks for the next entry, and outside while the loop body
// runs: that takes as long as it takes, and nobody waits for it.
func (c *Cache[K, V]) all(ctx context.Context) iter.Seq2[Entry[K, V], error] {
	return func(yield func(Entry[K, V], error) bool) {
		call, err := c.store.EnterUnbounded(ctx)
		if err != nil {
			yield(Entry[K, V]{}, err)
			return
		}
		inside := true
		defer func() {
			if inside {
				call.Leave()
			}
		}()
		out := func(e Entry[K, V], err error) bool {
			call.Leave()
			inside = false
			return yield(e, err)
		}
		if !c.store.Scans() {
			out(Entry[K, V]{}, fmt.Errorf("%w: the provider cannot list a cache", errors.ErrUnsupported))
			return
		}
		for item, err := range c.store.Scan(ctx) {
			if err != nil {
				out(Entry[K, V]{}, engine.Told(ctx, err))
				return
			}
			e, live, err := c.scanned(&call, item)
			if !live {
				continue
			}
			if !out(e, err) {
				return
			}
			if call, err = c.store.EnterUnbounded(ctx); err != nil {
				yield(Entry[K, V]{}, err)
				return
			}
			inside = true
		}
	}
}

// scanned decodes one item of a scan.
func (c *Cache[K, V]) scanned(call *engine.Call, item driver.Item) (e Entry[K, V], live bool, err error) {
	key, err := keyOf(c.keys, item.Key)
	if err != nil {
		return e, true, err
	}
	seen, err := engine.Parse(item)
	if err != nil || !seen.Live {
		return Entry[K, V]{Key: key}, err != nil, err
	}
	var value V
	step := call.Step()
	defer step.End()
	err = step.Use(item.Key, &seen, func(seen engine.Record) (ch engine.Change, err error) {
		value, ch, err = c.read(key, &seen)
		return ch, err
	})
	if err != nil {
		return Entry[K, V]{Key: key}, true, err
	}
	return entryOf(key, value, &seen), true, nil
}
