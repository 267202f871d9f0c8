package jcache

import (
	"bytes"
	"context"
	"reflect"

	"github.com/keepsake-cache/keepsake/jcache/internal/engine"
)

// PutIfAbsent stores value under key if there is no entry, and reports whether it
// did. Of several callers, one succeeds. A policy of the program's own is asked only
// when there is none; looking for that costs a round trip, which the policies of this
// package save.
//
// JSR-107: Cache.putIfAbsent.
func (c *Cache[K, V]) PutIfAbsent(ctx context.Context, key K, value V) (stored bool, err error) {
	plan := engine.Plan{Looks: true}
	if c.fixed != nil { // most calls find nothing, so the first attempt does not look
		plan.Start = &engine.Record{}
	}
	kind, err := c.change(ctx, "put if absent", key, plan, func(seen engine.Record) (engine.Change, error) {
		if seen.Live {
			return engine.Change{}, nil
		}
		return c.write(key, value, &seen)
	})
	return kind == engine.Created, err
}

// Replace gives the entry of key a new value if there is an entry, and reports
// whether there was.
//
// JSR-107: Cache.replace(key, value).
func (c *Cache[K, V]) Replace(ctx context.Context, key K, value V) (replaced bool, err error) {
	kind, err := c.change(ctx, "replace", key, engine.Plan{Looks: true}, func(seen engine.Record) (engine.Change, error) {
		if !seen.Live {
			return engine.Change{}, nil
		}
		return c.write(key, value, &seen)
	})
	return kind == engine.Updated, err
}

// GetAndReplace gives the entry of key a new value if there is an entry, and
// returns the old one.
//
// JSR-107: Cache.getAndReplace.
func (c *Cache[K, V]) GetAndReplace(ctx context.Context, key K, value V) (old V, had bool, err error) {
	kind, err := c.change(ctx, "get and replace", key, engine.Plan{Looks: true}, func(seen engine.Record) (ch engine.Change, err error) {
		if !seen.Live {
			return ch, nil
		}
		if old, err = c.decode(&seen); err != nil {
			return ch, err
		}
		return c.write(key, value, &seen)
	})
	if kind != engine.Updated {
		var none V
		return none, false, err
	}
	return old, true, err
}

// CompareAndRemove removes the entry of key if its value equals old, and reports
// whether it did. A lost acknowledgement is treated as in Remove.
//
// JSR-107: Cache.remove(key, oldValue).
func (c *Cache[K, V]) CompareAndRemove(ctx context.Context, key K, old V) (removed bool, err error) {
	kind, err := c.compareAnd(ctx, "compare and remove", key, old, remove)
	return kind == engine.Removed, err
}

// CompareAndReplace gives the entry of key the value new if its value equals old,
// and reports whether it did.
//
// JSR-107: Cache.replace(key, oldValue, newValue).
func (c *Cache[K, V]) CompareAndReplace(ctx context.Context, key K, old, new V) (replaced bool, err error) {
	kind, err := c.compareAnd(ctx, "compare and replace", key, old, func(seen engine.Record) (engine.Change, error) {
		return c.write(key, new, &seen)
	})
	return kind == engine.Updated, err
}

// compareAnd makes a change if the entry's value equals old. If it does not, that
// counts as an access.
func (c *Cache[K, V]) compareAnd(ctx context.Context, op string, key K, old V, do engine.Decide) (engine.Kind, error) {
	var encoded []byte
	return c.change(ctx, op, key, engine.Plan{Looks: true}, func(seen engine.Record) (ch engine.Change, err error) {
		if encoded == nil {
			if encoded, err = c.codec.Append(nil, old); err != nil {
				return ch, err
			}
		}
		if !seen.Live {
			return ch, nil
		}
		if seen.Codec != c.codec.ID() || !bytes.Equal(encoded, seen.Value) || c.equal != nil {
			value, err := c.decode(&seen)
			if err != nil {
				return ch, err
			}
			if !c.same(old, value) {
				return c.access(key, value), nil
			}
		}
		return do(seen)
	})
}

func (c *Cache[K, V]) same(a, b V) bool {
	if c.equal != nil {
		return c.equal(a, b)
	}
	return reflect.DeepEqual(a, b)
}
