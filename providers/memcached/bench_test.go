package memcached_test

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/providers/memcached"
)

// A read and a write as a program makes them, with and without a context that can be
// cancelled.
func BenchmarkCache(b *testing.B) {
	m, err := memcached.Open(b.Context(), memcached.Options{Servers: []string{servertest.Memcached(b).Addr}})
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close(context.Background()) //nolint:errcheck // the measuring is over
	c, err := jcache.CreateCache(b.Context(), m, "bench", jcache.Options[string, []byte]{})
	if err != nil {
		b.Fatal(err)
	}
	value := make([]byte, 100)
	if err := c.Put(b.Context(), "key", value); err != nil {
		b.Fatal(err)
	}
	cancellable, cancel := context.WithCancel(context.Background())
	defer cancel()
	for name, ctx := range map[string]context.Context{"background": context.Background(), "cancellable": cancellable} {
		b.Run("Get/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				if _, ok, err := c.Get(ctx, "key"); !ok || err != nil {
					b.Fatal(ok, err)
				}
			}
		})
		b.Run("Put/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				if err := c.Put(ctx, "key", value); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A read makes little garbage, whether or not its context can be cancelled: no timer, and no
// watcher where nobody can cancel.
func TestAllocations(t *testing.T) {
	m, err := memcached.Open(t.Context(), memcached.Options{Servers: []string{servertest.Memcached(t).Addr}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close(context.Background()) //nolint:errcheck // the measuring is over
	c, err := jcache.CreateCache(t.Context(), m, "allocations", jcache.Options[string, []byte]{})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Put(t.Context(), "key", make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	cancellable, cancel := context.WithCancel(context.Background())
	defer cancel()
	for name, ctx := range map[string]context.Context{"background": context.Background(), "cancellable": cancellable} {
		n := testing.AllocsPerRun(200, func() {
			if _, ok, err := c.Get(ctx, "key"); !ok || err != nil {
				t.Fatal(ok, err)
			}
		})
		t.Logf("%s: a Get allocates %v times", name, n)
		if n > 12 {
			t.Errorf("%s: a Get allocates %v times, want at most 12", name, n)
		}
	}
}

// Reads by many callers at once.
func BenchmarkCallers(b *testing.B) {
	m, err := memcached.Open(b.Context(), memcached.Options{Servers: []string{servertest.Memcached(b).Addr}})
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close(context.Background()) //nolint:errcheck // the measuring is over
	c, err := jcache.CreateCache(b.Context(), m, "callers", jcache.Options[string, []byte]{})
	if err != nil {
		b.Fatal(err)
	}
	if err := c.Put(b.Context(), "key", make([]byte, 100)); err != nil {
		b.Fatal(err)
	}
	for _, callers := range []int{1, 16, 64} {
		b.Run(strconv.Itoa(callers), func(b *testing.B) {
			var left atomic.Int64
			left.Store(int64(b.N))
			var wg sync.WaitGroup
			for range callers {
				wg.Go(func() {
					for left.Add(-1) >= 0 {
						if _, ok, err := c.Get(context.Background(), "key"); !ok || err != nil {
							b.Error(ok, err)
							return
						}
					}
				})
			}
			wg.Wait()
		})
	}
}
