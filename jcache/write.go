package jcache

import (
	"context"

	"github.com/keepsake-cache/keepsake/jcache/internal/engine"
)

// Put stores value under key, whatever was there.
//
// JSR-107: Cache.put.
func (c *Cache[K, V]) Put(ctx context.Context, key K, value V) error {
	_, err := c.change(ctx, "put", key, engine.Plan{Blind: c.blind()}, func(seen engine.Record) (engine.Change, error) {
		return c.write(key, value, &seen)
	})
	return err
}

// GetAndPut stores value under key and returns what was there. An error that matches
// ErrUndecodable or ErrTypeMismatch concerns what was there: the value has been stored. If
// the acknowledgement was lost and the value is found to be stored, what was there is
// lost: the error matches ErrAnswerLost.
//
// JSR-107: Cache.getAndPut.
func (c *Cache[K, V]) GetAndPut(ctx context.Context, key K, value V) (old V, had bool, err error) {
	var was engine.Record
	_, err = c.change(ctx, "get and put", key, engine.Plan{Blind: c.blind(), Answers: true, Looks: true, Old: &was}, func(seen engine.Record) (engine.Change, error) {
		return c.write(key, value, &seen)
	})
	return c.previous("get and put", &was, err)
}

// Remove removes the entry of key and reports whether there was one. If the acknowledgement
// was lost and the entry is found to be gone, nobody knows whether this call has removed
// it: the error matches ErrAnswerLost.
//
// JSR-107: Cache.remove(key).
func (c *Cache[K, V]) Remove(ctx context.Context, key K) (existed bool, err error) {
	kind, err := c.change(ctx, "remove", key, engine.Plan{Blind: true, Answers: true}, nil)
	return kind == engine.Removed, err
}

// GetAndRemove removes the entry of key and returns its value. Errors are as GetAndPut
// and Remove have them.
//
// JSR-107: Cache.getAndRemove.
func (c *Cache[K, V]) GetAndRemove(ctx context.Context, key K) (old V, had bool, err error) {
	var was engine.Record
	_, err = c.change(ctx, "get and remove", key, engine.Plan{Blind: true, Answers: true, Looks: true, Old: &was}, nil)
	return c.previous("get and remove", &was, err)
}

func remove(engine.Record) (engine.Change, error) { return engine.Change{Act: engine.Remove}, nil }

// previous decodes what an operation has replaced or removed.
func (c *Cache[K, V]) previous(op string, was *engine.Record, err error) (old V, had bool, _ error) {
	if err != nil || !was.Live {
		return old, false, err
	}
	old, err = c.decode(was)
	return old, err == nil, c.fail(op, err)
}
