package gocache

import (
	"context"
	"fmt"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// A cache is the records of one name.
type cache struct {
	*Provider
	*space
	base string // of its keys
}

// Info implements driver.Cache.
func (c *cache) Info() driver.Info {
	return driver.Info{RequestTimeout: c.opts.RequestTimeout, MaxRecordBytes: c.opts.MaxRecordBytes, Evicts: true}
}

// Unwrap implements driver.Unwrapper: it returns the store.StoreInterface.
func (c *cache) Unwrap() any { return c.opts.Store }

// Close implements driver.Cache.
func (c *cache) Close() error { return nil }

// present returns the live record of a key.
func (c *cache) present(ctx context.Context, spot string) (item driver.Item, found bool, err error) {
	e, found, err := c.load(ctx, spot)
	if err != nil || !found || e.dead() || e.stamp <= c.cleared.Load() {
		return driver.Item{}, false, err
	}
	return driver.Item{Record: e.record, Token: driver.Token{N: uint64(e.stamp)}}, true, nil
}

type got struct {
	item  driver.Item
	found bool
}

// Get implements driver.Cache.
func (c *cache) Get(ctx context.Context, key string) (driver.Item, bool, error) {
	if err := ctx.Err(); err != nil {
		return driver.Item{}, false, err
	}
	g, err := call(ctx, c.Provider, false, func(ctx context.Context) (g got, err error) {
		g.item, g.found, err = c.present(ctx, c.spot(key))
		return g, err
	})
	return g.item, g.found, err
}

// Put implements driver.Cache.
func (c *cache) Put(ctx context.Context, key string, record []byte, deadline time.Time) error {
	spot := c.spot(key)
	_, err := do(ctx, c.Provider, spot, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, c.write(ctx, spot, c.stamped(), record, deadline)
	})
	return err
}

// Delete implements driver.Cache.
func (c *cache) Delete(ctx context.Context, key string) error {
	spot := c.spot(key)
	_, err := do(ctx, c.Provider, spot, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, c.drop(ctx, spot)
	})
	return err
}

type swapping struct {
	done    bool
	current *driver.Item
}

// Swap implements driver.Cache.
func (c *cache) Swap(ctx context.Context, key string, old driver.Token, record []byte, deadline time.Time) (bool, *driver.Item, error) {
	spot, waiting := c.spot(key), ctx
	s, err := do(ctx, c.Provider, spot, func(ctx context.Context) (swapping, error) {
		stamp := c.stamped() // before the look, so that a Clear in between ends what is written
		item, found, err := c.present(ctx, spot)
		if err == nil {
			err = waiting.Err() // nobody waits for the write any more
		}
		if err != nil {
			return swapping{}, err
		}
		if item.Token.N != old.N || found == old.IsZero() {
			if !found {
				return swapping{}, nil
			}
			return swapping{current: &item}, nil
		}
		if record == nil {
			err = c.drop(ctx, spot)
		} else {
			err = c.write(ctx, spot, stamp, record, deadline)
		}
		return swapping{done: err == nil}, err
	})
	return s.done, s.current, err
}

func (c *cache) write(ctx context.Context, spot string, stamp int64, record []byte, deadline time.Time) error {
	e := envelope{stamp: stamp, record: record}
	if !deadline.IsZero() {
		e.deadline = deadline.UnixMilli()
	}
	return c.save(ctx, spot, e)
}

// clearedSpot is where the store has the time when the cache was cleared.
func (c *cache) clearedSpot() string { return c.base + "@" }

// learn reads when the cache was cleared, once.
func (c *cache) learn(ctx context.Context) error {
	_, err := call(ctx, c.Provider, false, func(ctx context.Context) (struct{}, error) {
		c.clearing.Lock()
		defer c.clearing.Unlock()
		if c.known {
			return struct{}{}, nil
		}
		e, _, err := c.load(ctx, c.clearedSpot())
		if err == nil {
			c.cleared.Store(e.stamp)
			c.known = true
		}
		return struct{}{}, err
	})
	return err
}

// Clear implements driver.Clearer.
func (c *cache) Clear(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	_, err := call(ctx, c.Provider, true, func(ctx context.Context) (struct{}, error) {
		c.clearing.Lock()
		defer c.clearing.Unlock()
		now := c.stamped()
		err := c.save(ctx, c.clearedSpot(), envelope{stamp: now, record: []byte("cleared")})
		if err != nil {
			return struct{}{}, fmt.Errorf("note that the cache is cleared: %w", err)
		}
		c.cleared.Store(now)
		return struct{}{}, nil
	})
	return err
}
