package jcache_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/jcache/driver/setting"
	"github.com/keepsake-cache/keepsake/providers/memory"
)

// A lateServer is there or not, and counts what is open of it.
type lateServer struct {
	takes                       func() time.Duration // an answer
	up, refuses                 atomic.Bool
	connections, caches, misuse atomic.Int64
}

var late atomic.Pointer[lateServer]

func init() {
	jcache.Register(driver.Definition{
		Name:     "late",
		Settings: []driver.Setting{setting.StartTimeout(), setting.WhenDown()},
		Open: func(ctx context.Context, _ driver.Config) (driver.Provider, error) {
			s := late.Load()
			if err := s.answer(ctx); err != nil {
				return nil, err
			}
			p, err := memory.Connect(memory.Options{})
			s.connections.Add(1)
			return &lateProvider{Provider: p, server: s}, err
		},
	})
}

func (s *lateServer) answer(ctx context.Context) error {
	select {
	case <-time.After(s.takes()):
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", driver.ErrUnavailable, ctx.Err())
	}
	switch {
	case !s.up.Load():
		return fmt.Errorf("%w: nobody there", driver.ErrUnavailable)
	case s.refuses.Load():
		return fmt.Errorf("%w: the password", driver.ErrMisconfigured)
	}
	return nil
}

type lateProvider struct {
	driver.Provider
	server *lateServer
	closed atomic.Bool
}

func (p *lateProvider) OpenCache(ctx context.Context, name string, opts driver.CacheOptions) (driver.Cache, error) {
	if p.closed.Load() {
		p.server.misuse.Add(1)
	}
	if err := p.server.answer(ctx); err != nil {
		return nil, err
	}
	if name == "refused" {
		return nil, fmt.Errorf("%w: it is another one's", driver.ErrMisconfigured)
	}
	c, err := p.Provider.OpenCache(ctx, name, opts)
	p.server.caches.Add(1)
	return &lateCache{Cache: c, provider: p}, err
}

func (p *lateProvider) Close(ctx context.Context) error {
	if p.closed.Swap(true) {
		p.server.misuse.Add(1)
	}
	p.server.connections.Add(-1)
	return p.Provider.Close(ctx)
}

// A lateCache has no optional interface, so that deadlines are in the records.
type lateCache struct {
	driver.Cache
	provider *lateProvider
	closed   atomic.Bool
}

func (c *lateCache) Get(ctx context.Context, key string) (driver.Item, bool, error) {
	if c.closed.Load() || c.provider.closed.Load() {
		c.provider.server.misuse.Add(1)
	}
	if !c.provider.server.up.Load() {
		return driver.Item{}, false, fmt.Errorf("%w: nobody there", driver.ErrUnavailable)
	}
	return c.Cache.Get(ctx, key)
}

func (c *lateCache) Close() error {
	if c.closed.Swap(true) {
		c.provider.server.misuse.Add(1)
	}
	c.provider.server.caches.Add(-1)
	return c.Cache.Close()
}
