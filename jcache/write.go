package jcache

import (
	"context"
	"time"
)

// Put stores value under key, whatever was there.
//
// JSR-107: Cache.put.
func (c *Cache[K, V]) Put(ctx context.Context, key K, value V) error {
	ctx, cancel, stored, err := c.start(ctx, key)
	if err != nil {
		return c.fail("put", err)
	}
	defer c.end(cancel)
	return c.fail("put", c.putOne(ctx, key, stored, value))
}

func (c *Cache[K, V]) putOne(ctx context.Context, key K, stored string, value V) error {
	if c.fixed == nil || !c.fixed.blind() {
		return c.mutate(ctx, stored, nil, func(seen observed) (change, error) {
			return c.write(key, value, seen)
		})
	}
	ch, err := c.write(key, value, observed{})
	if err != nil {
		return err
	}
	if ch.kind == changeNothing {
		return c.cache.Delete(ctx, stored)
	}
	return c.put(ctx, stored, ch)
}

// GetAndPut stores value under key and returns what was there.
//
// JSR-107: Cache.getAndPut.
func (c *Cache[K, V]) GetAndPut(ctx context.Context, key K, value V) (old V, had bool, err error) {
	ctx, cancel, stored, err := c.start(ctx, key)
	if err != nil {
		return old, false, c.fail("get and put", err)
	}
	defer c.end(cancel)
	if x := c.features.Exchanger; x != nil && c.fixed != nil && c.fixed.blind() {
		ch, err := c.write(key, value, observed{})
		if err == nil {
			err = c.checkSize(ch.record)
		}
		if err == nil {
			old, had, err = c.exchange(ctx, stored, ch)
		}
		return old, had, c.fail("get and put", err)
	}
	err = c.mutate(ctx, stored, nil, func(seen observed) (ch change, err error) {
		if old, had, err = c.previous(seen); err != nil {
			return change{}, err
		}
		return c.write(key, value, seen)
	})
	return old, had, c.fail("get and put", err)
}

// exchange swaps a record for another one in one round trip; a change without a
// record removes it.
func (c *Cache[K, V]) exchange(ctx context.Context, stored string, ch change) (old V, had bool, err error) {
	item, existed, err := c.features.Exchanger.Exchange(ctx, stored, ch.record, fromMillis(ch.deadline))
	if err != nil || !existed {
		return old, false, err
	}
	seen, err := observe(item, time.Now())
	if err != nil {
		return old, false, err
	}
	return c.previous(seen)
}

// previous decodes what an operation replaces or removes.
func (c *Cache[K, V]) previous(seen observed) (old V, had bool, err error) {
	if !seen.live {
		return old, false, nil
	}
	old, err = c.decode(seen)
	return old, err == nil, err
}

// Remove removes the entry of key and reports whether there was one.
//
// JSR-107: Cache.remove(key).
func (c *Cache[K, V]) Remove(ctx context.Context, key K) (existed bool, err error) {
	ctx, cancel, stored, err := c.start(ctx, key)
	if err != nil {
		return false, c.fail("remove", err)
	}
	defer c.end(cancel)
	existed, err = c.removeOne(ctx, stored)
	return existed, c.fail("remove", err)
}

func (c *Cache[K, V]) removeOne(ctx context.Context, stored string) (existed bool, err error) {
	if x := c.features.Exchanger; x != nil {
		item, existed, err := x.Exchange(ctx, stored, nil, time.Time{})
		if err != nil || !existed {
			return false, err
		}
		seen, err := observe(item, time.Now())
		return err == nil && seen.live, err
	}
	err = c.mutate(ctx, stored, nil, func(seen observed) (change, error) {
		if existed = seen.live; !existed {
			return change{}, nil
		}
		return change{kind: changeRemove}, nil
	})
	return existed && err == nil, err
}

// GetAndRemove removes the entry of key and returns its value.
//
// JSR-107: Cache.getAndRemove.
func (c *Cache[K, V]) GetAndRemove(ctx context.Context, key K) (old V, had bool, err error) {
	ctx, cancel, stored, err := c.start(ctx, key)
	if err != nil {
		return old, false, c.fail("get and remove", err)
	}
	defer c.end(cancel)
	if c.features.Exchanger != nil {
		old, had, err = c.exchange(ctx, stored, change{})
		return old, had, c.fail("get and remove", err)
	}
	err = c.mutate(ctx, stored, nil, func(seen observed) (_ change, err error) {
		if old, had, err = c.previous(seen); err != nil || !had {
			return change{}, err
		}
		return change{kind: changeRemove}, nil
	})
	return old, had && err == nil, c.fail("get and remove", err)
}
