package main

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// counting counts the calls to a driver. Each call of the drivers measured here is
// one exchange with the server; their own tests prove that with the servers'
// statistics.
type counting struct {
	driver.Provider
	calls *atomic.Int64
}

func (p counting) OpenCache(ctx context.Context, name string, opts driver.CacheOptions) (driver.Cache, error) {
	c, err := p.Provider.OpenCache(ctx, name, opts)
	return countingCache{c, p.calls}, err
}

type countingCache struct {
	driver.Cache
	calls *atomic.Int64
}

func (c countingCache) Get(ctx context.Context, key string) (driver.Item, bool, error) {
	c.calls.Add(1)
	return c.Cache.Get(ctx, key)
}

func (c countingCache) Put(ctx context.Context, key string, record []byte, deadline time.Time) error {
	c.calls.Add(1)
	return c.Cache.Put(ctx, key, record, deadline)
}

func (c countingCache) Delete(ctx context.Context, key string) error {
	c.calls.Add(1)
	return c.Cache.Delete(ctx, key)
}

func (c countingCache) Swap(ctx context.Context, key string, old driver.Token, record []byte, deadline time.Time) (bool, *driver.Item, error) {
	c.calls.Add(1)
	return c.Cache.Swap(ctx, key, old, record, deadline)
}
