package jcache_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/memory"
)

// A remote provider is memory that says it has to be waited for, and that looks at
// the contexts it is called with.
type remote struct {
	driver.Provider
	t testing.TB
}

type remoteCache struct {
	driver.Cache
	t testing.TB
}

func (r remote) OpenCache(ctx context.Context, name string, opts driver.CacheOptions) (driver.Cache, error) {
	c, err := r.Provider.OpenCache(ctx, name, opts)
	return remoteCache{c, r.t}, err
}

func (c remoteCache) Info() driver.Info {
	info := c.Cache.Info()
	info.RequestTimeout = time.Minute
	return info
}

func (c remoteCache) Features() driver.Features {
	f := driver.FeaturesOf(c.Cache).Without(driver.FeatureTouch, driver.FeatureExchange)
	f.Locker = c
	return f
}

func (c remoteCache) bounded(ctx context.Context, op string) {
	c.t.Helper()
	if d, ok := ctx.Deadline(); !ok || time.Until(d) > time.Minute {
		c.t.Errorf("%s is called without a deadline of its own", op)
	}
}

func (c remoteCache) Get(ctx context.Context, key string) (driver.Item, bool, error) {
	c.bounded(ctx, "Get")
	return c.Cache.Get(ctx, key)
}

func (c remoteCache) Put(ctx context.Context, key string, record []byte, deadline time.Time) error {
	c.bounded(ctx, "Put")
	return c.Cache.Put(ctx, key, record, deadline)
}

func (c remoteCache) Delete(ctx context.Context, key string) error {
	c.bounded(ctx, "Delete")
	return c.Cache.Delete(ctx, key)
}

func (c remoteCache) Swap(ctx context.Context, key string, old driver.Token, record []byte, deadline time.Time) (bool, *driver.Item, error) {
	c.bounded(ctx, "Swap")
	return c.Cache.Swap(ctx, key, old, record, deadline)
}

func (c remoteCache) Lock(ctx context.Context, _ string, _ time.Duration) (func(context.Context) error, error) {
	c.bounded(ctx, "Lock")
	return func(ctx context.Context) error { c.bounded(ctx, "unlock"); return nil }, nil
}

// Every call of a driver that may wait has a deadline, though the caller gave none.
func TestEveryCallIsBounded(t *testing.T) {
	p, err := memory.Connect(memory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := jcache.NewManager(remote{p, t}, jcache.ManagerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close(context.Background()) //nolint:errcheck // memory has no errors
	ctx := context.Background()
	c, err := jcache.CreateCache(ctx, m, "test", jcache.Options[string, int]{ExpiryPolicy: jcache.Touched[string, int](time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	check(c.Put(ctx, "k", 1))
	check(c.PutAll(ctx, map[string]int{"k": 1, "l": 2}))
	_, _, err = c.Get(ctx, "k")
	check(err)
	_, err = c.GetAll(ctx, "k", "l")
	check(err)
	_, _, err = c.GetAndPut(ctx, "k", 2)
	check(err)
	_, err = jcache.Invoke(ctx, c, "k", increment)
	check(err)
	_, err = jcache.InvokeAll(ctx, c, []string{"k", "l"}, increment)
	check(err)
	_, err = jcache.InvokeExclusive(ctx, c, "k", time.Second, increment)
	check(err)
	for _, err := range c.All(ctx) {
		check(err)
	}
	check(c.RemoveKeys(ctx, "k", "l"))
	_, err = c.Remove(ctx, "k")
	check(err)
}

func TestIterationRefuses(t *testing.T) {
	c := create(t, jcache.Options[string, int]{})
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	first := func(ctx context.Context) error {
		for _, err := range c.All(ctx) {
			return err
		}
		return nil
	}
	if err := first(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that has ended: got error %v", err)
	}
	if err := c.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := first(ended); !errors.Is(err, jcache.ErrClosed) {
		t.Errorf("of a closed cache: got error %v, want ErrClosed", err)
	}
}

// A cache that is closed inside a loop ends the loop.
func TestIterationEndsWithItsCache(t *testing.T) {
	c := create(t, jcache.Options[string, int]{})
	for _, k := range []string{"a", "b", "c"} {
		if err := c.Put(t.Context(), k, 1); err != nil {
			t.Fatal(err)
		}
	}
	closed := make(chan error, 1)
	var last error
	for _, err := range c.All(t.Context()) {
		if last = err; err == nil {
			go func() { closed <- c.Close(context.Background()) }()
			for !c.Closed() { // until the other goroutine has come so far
				select {
				case <-t.Context().Done():
					t.Fatal("the cache does not close")
				default:
				}
			}
		}
	}
	if !errors.Is(last, jcache.ErrClosed) {
		t.Errorf("the last error of the loop is %v, want ErrClosed", last)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
}
