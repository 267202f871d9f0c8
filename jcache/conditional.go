package jcache

import (
	"bytes"
	"context"
	"reflect"
)

// PutIfAbsent stores value under key if there is no entry, and reports whether it
// did. Of several callers, one succeeds. The policy may be asked about the creation
// before it is known that there is none; that saves a round trip.
//
// JSR-107: Cache.putIfAbsent; there a refused one asks the policy nothing.
func (c *Cache[K, V]) PutIfAbsent(ctx context.Context, key K, value V) (stored bool, err error) {
	ctx, cancel, storedKey, err := c.start(ctx, key)
	if err != nil {
		return false, c.fail("put if absent", err)
	}
	defer c.end(cancel)
	// Most calls find nothing, so the first attempt does not look.
	err = c.mutate(ctx, storedKey, &observed{}, func(seen observed) (change, error) {
		if stored = false; seen.live {
			return change{}, nil
		}
		ch, err := c.write(key, value, seen)
		stored = ch.kind == changeWrite
		return ch, err
	})
	return stored && err == nil, c.fail("put if absent", err)
}

// Replace gives the entry of key a new value if there is an entry, and reports
// whether there was.
//
// JSR-107: Cache.replace(key, value).
func (c *Cache[K, V]) Replace(ctx context.Context, key K, value V) (replaced bool, err error) {
	ctx, cancel, stored, err := c.start(ctx, key)
	if err != nil {
		return false, c.fail("replace", err)
	}
	defer c.end(cancel)
	err = c.mutate(ctx, stored, nil, func(seen observed) (change, error) {
		if replaced = seen.live; !replaced {
			return change{}, nil
		}
		return c.write(key, value, seen)
	})
	return replaced && err == nil, c.fail("replace", err)
}

// GetAndReplace gives the entry of key a new value if there is an entry, and
// returns the old one.
//
// JSR-107: Cache.getAndReplace.
func (c *Cache[K, V]) GetAndReplace(ctx context.Context, key K, value V) (old V, had bool, err error) {
	ctx, cancel, stored, err := c.start(ctx, key)
	if err != nil {
		return old, false, c.fail("get and replace", err)
	}
	defer c.end(cancel)
	err = c.mutate(ctx, stored, nil, func(seen observed) (_ change, err error) {
		if old, had, err = c.previous(seen); err != nil || !had {
			return change{}, err
		}
		return c.write(key, value, seen)
	})
	return old, had && err == nil, c.fail("get and replace", err)
}

// CompareAndRemove removes the entry of key if its value equals old, and reports
// whether it did.
//
// JSR-107: Cache.remove(key, oldValue).
func (c *Cache[K, V]) CompareAndRemove(ctx context.Context, key K, old V) (removed bool, err error) {
	removed, err = c.compareAnd(ctx, key, old, func(observed) (change, error) {
		return change{kind: changeRemove}, nil
	})
	return removed, c.fail("compare and remove", err)
}

// CompareAndReplace gives the entry of key the value new if its value equals old,
// and reports whether it did.
//
// JSR-107: Cache.replace(key, oldValue, newValue).
func (c *Cache[K, V]) CompareAndReplace(ctx context.Context, key K, old, new V) (replaced bool, err error) {
	replaced, err = c.compareAnd(ctx, key, old, func(seen observed) (change, error) {
		return c.write(key, new, seen)
	})
	return replaced, c.fail("compare and replace", err)
}

// compareAnd makes a change if the entry's value equals old. If it does not, that
// counts as an access.
func (c *Cache[K, V]) compareAnd(ctx context.Context, key K, old V, do func(observed) (change, error)) (done bool, err error) {
	ctx, cancel, stored, err := c.start(ctx, key)
	if err != nil {
		return false, err
	}
	defer c.end(cancel)
	encoded, err := c.codec.Append(nil, old)
	if err != nil {
		return false, err
	}
	err = c.mutate(ctx, stored, nil, func(seen observed) (change, error) {
		if done = false; !seen.live {
			return change{}, nil
		}
		if seen.codec != c.codec.ID() || !bytes.Equal(encoded, seen.value) || c.equal != nil {
			value, err := c.decode(seen)
			if err != nil {
				return change{}, err
			}
			if !c.same(old, value) {
				return c.access(key, value), nil
			}
		}
		done = true
		return do(seen)
	})
	return done && err == nil, err
}

func (c *Cache[K, V]) same(a, b V) bool {
	if c.equal != nil {
		return c.equal(a, b)
	}
	return reflect.DeepEqual(a, b)
}
