package jcache_test

import (
	"context"
	"iter"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/memory"
)

// A stage is a provider whose steps of life stall or fail as a test wants, and which notices
// every call that comes too late or twice.
type stage struct {
	driver.Provider
	t      testing.TB
	step   func(ctx context.Context, step, name string) error
	open   atomic.Int64
	closed atomic.Bool
}

type stageCache struct {
	driver.Cache
	s      *stage
	name   string
	closed atomic.Bool
	calls  atomic.Int64
}

func newStage(t testing.TB, step func(ctx context.Context, step, name string) error) (*stage, *jcache.CacheManager) {
	t.Helper()
	p, err := memory.Connect(memory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{Provider: p, t: t, step: step}
	m, err := jcache.NewManager(s, jcache.ManagerOptions{Provider: "stage"})
	if err != nil {
		t.Fatal(err)
	}
	return s, m
}

func (s *stage) OpenCache(ctx context.Context, name string, opts driver.CacheOptions) (driver.Cache, error) {
	if s.closed.Load() {
		s.t.Error("a cache is opened on a closed connection")
	}
	if err := s.step(ctx, "open", name); err != nil {
		return nil, err
	}
	c, err := s.Provider.OpenCache(ctx, name, opts)
	if s.open.Add(1); s.closed.Load() {
		s.t.Error("the connection was closed while a cache was opened")
	}
	return &stageCache{Cache: c, s: s, name: name}, err
}

func (s *stage) Close(ctx context.Context) error {
	if n := s.open.Load(); n != 0 {
		s.t.Errorf("the connection is closed with %d open caches", n)
	}
	if err := s.step(ctx, "disconnect", ""); err != nil {
		return err
	}
	if s.closed.Swap(true) {
		s.t.Error("the connection is closed twice")
	}
	return s.Provider.Close(ctx)
}

func (c *stageCache) call() (done func()) {
	c.calls.Add(1)
	if c.closed.Load() {
		c.s.t.Error("a call of a closed cache")
	}
	return func() { c.calls.Add(-1) }
}

func (c *stageCache) Features() driver.Features {
	f := driver.FeaturesOf(c.Cache).Without(driver.FeatureExchange, driver.FeatureTouch, driver.FeatureInvoke, driver.FeatureBatchGet, driver.FeatureBatchPut)
	f.Clearer, f.Scanner = c, stageScanner{c, f.Scanner}
	return f
}

func (c *stageCache) Get(ctx context.Context, key string) (driver.Item, bool, error) {
	defer c.call()()
	return c.Cache.Get(ctx, key)
}

func (c *stageCache) Put(ctx context.Context, key string, record []byte, deadline time.Time) error {
	defer c.call()()
	if err := c.s.step(ctx, "put", c.name); err != nil {
		return err
	}
	return c.Cache.Put(ctx, key, record, deadline)
}

func (c *stageCache) Clear(ctx context.Context) error {
	defer c.call()()
	if err := c.s.step(ctx, "clear", c.name); err != nil {
		return err
	}
	return driver.FeaturesOf(c.Cache).Clearer.Clear(ctx)
}

func (c *stageCache) Close() error {
	if n := c.calls.Load(); n != 0 {
		c.s.t.Errorf("a cache is closed with %d calls inside", n)
	}
	if c.closed.Swap(true) {
		c.s.t.Error("a cache is closed twice")
	}
	c.s.open.Add(-1)
	return c.Cache.Close()
}

// stageScanner counts the time between two steps as no call: the loop body may outlast Close.
type stageScanner struct {
	c *stageCache
	driver.Scanner
}

func (s stageScanner) Scan(ctx context.Context) iter.Seq2[driver.Item, error] {
	return func(yield func(driver.Item, error) bool) {
		done := s.c.call()
		defer func() { done() }()
		for item, err := range s.Scanner.Scan(ctx) {
			done()
			ok := yield(item, err)
			if done = func() {}; !ok {
				return
			}
			done = s.c.call()
		}
	}
}

func within(d time.Duration, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	return f(ctx)
}

func calm(context.Context, string, string) error { return nil }
