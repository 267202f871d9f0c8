package near_test

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/jcache/near"
	"github.com/keepsake-cache/keepsake/providers/memory"
	"github.com/keepsake-cache/keepsake/providers/peer"
	"github.com/keepsake-cache/keepsake/providers/redis"
)

// A place is where two processes meet, and what hurts what is told between them.
type place struct {
	managers func(t *testing.T) (near, other *jcache.CacheManager)
	opts     near.Options
	bound    time.Duration // of what a read may miss
	last     time.Duration
}

func onRedis(t *testing.T) (near, other *jcache.CacheManager) {
	addr := servertest.Redis(t).Addr
	hurt(t, addr)
	connect := func() *jcache.CacheManager {
		p, err := redis.Connect(t.Context(), redis.Options{Servers: []string{addr}})
		if err != nil {
			t.Fatal(err)
		}
		return manager(t, p)
	}
	return connect(), connect()
}

// hurt ends the connections on which a Redis tells of changes, now and then, until the test ends.
func hurt(t *testing.T, addr string) {
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	t.Cleanup(func() { cancel(); work.Wait() })
	work.Go(func() {
		tick := time.NewTicker(150 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte("CLIENT KILL TYPE pubsub\r\n"))
			_, _ = conn.Read(make([]byte, 64))
			_ = conn.Close()
		}
	})
}

// shared lets two managers use one provider.
type shared struct {
	driver.Provider
	users *sync.WaitGroup
}

func (s shared) Close(ctx context.Context) error {
	s.users.Done()
	return nil
}

func onMemory(off ...driver.Feature) func(t *testing.T) (near, other *jcache.CacheManager) {
	return func(t *testing.T) (near, other *jcache.CacheManager) {
		p, err := memory.Connect(memory.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var users sync.WaitGroup
		users.Add(2)
		t.Cleanup(func() { users.Wait(); _ = p.Close(context.Background()) })
		return manager(t, shared{p, &users}, off...), manager(t, shared{p, &users})
	}
}

// A deaf provider misses what is told, now and then, and knows it.
type deaf struct{ driver.Provider }

type deafCache struct {
	driver.Cache
	behind driver.Features
	fresh  atomic.Bool
	mu     sync.Mutex // held while something is told
	misses bool
}

func (p deaf) OpenCache(ctx context.Context, name string, opts driver.CacheOptions) (driver.Cache, error) {
	c, err := p.Provider.OpenCache(ctx, name, opts)
	return &deafCache{Cache: c, behind: driver.FeaturesOf(c)}, err
}

func (c *deafCache) Features() driver.Features {
	f := c.behind
	f.Watcher, f.Freshness = c, c
	return f
}

func (c *deafCache) Fresh() bool { return c.fresh.Load() }

func (c *deafCache) Watch(ctx context.Context, on func(driver.Event)) (stop func(), err error) {
	inner, err := c.behind.Watcher.Watch(ctx, func(e driver.Event) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if !c.misses {
			on(e)
		}
	})
	c.fresh.Store(true)
	ended, end := context.WithCancel(context.WithoutCancel(ctx))
	var work sync.WaitGroup
	work.Go(func() {
		for ended.Err() == nil {
			pause(ended, 3*time.Millisecond)
			c.fresh.Store(false)
			c.miss(true)
			pause(ended, 2*time.Millisecond)
			c.miss(false)
			on(driver.Event{Kind: driver.EventGap})
			c.fresh.Store(true)
		}
	})
	return func() { end(); work.Wait(); inner() }, err
}

func (c *deafCache) miss(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.misses = on
}

func onDeaf(t *testing.T) (near, other *jcache.CacheManager) {
	p, err := memory.Connect(memory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var users sync.WaitGroup
	users.Add(2)
	t.Cleanup(func() { users.Wait(); _ = p.Close(context.Background()) })
	return manager(t, deaf{shared{p, &users}}), manager(t, shared{p, &users})
}

func onPeer(t *testing.T) (near, other *jcache.CacheManager) {
	const secret = "Tq7ZpL2xWm9Rk4Vb"
	serve := func(join ...string) *peer.Provider {
		p, err := peer.Connect(t.Context(), peer.Options{Mode: peer.Server, Security: peer.Security{Secret: secret}, Replicas: 1, Join: join,
			RequestTimeout: time.Minute, FailureTimeout: time.Minute, LeaveTimeout: time.Minute, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	first := serve()
	second := manager(t, serve(first.Addr()))
	t.Cleanup(func() { _ = first.Close(context.Background()) })
	if err := second.AwaitSafe(t.Context()); err != nil {
		t.Fatal(err)
	}
	client, err := peer.Connect(t.Context(), peer.Options{Mode: peer.Client, Security: peer.Security{Secret: secret}, Join: []string{first.Addr()},
		RequestTimeout: time.Minute, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return manager(t, client), second
}

var places = map[string]place{
	"memory":                {onMemory(), near.Options{MaxAge: time.Hour}, 0, time.Second},
	"memory, not told":      {onMemory(driver.FeatureWatch), near.Options{MaxAge: 50 * time.Millisecond}, 50 * time.Millisecond, time.Second},
	"memory, deaf at times": {onDeaf, near.Options{MaxAge: time.Hour}, 0, time.Second},
	"redis":                 {onRedis, near.Options{MaxAge: 100 * time.Millisecond}, 100 * time.Millisecond, 2 * time.Second},
	"redis, by the told":    {onRedis, near.Options{MaxAge: time.Hour}, 10 * time.Second, 2 * time.Second},
	"peer":                  {onPeer, near.Options{MaxAge: time.Hour}, 2 * time.Second, 4 * time.Second},
}
