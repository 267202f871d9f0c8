package jcache_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/providers/memory"
)

// Statistics are switched while a cache is used, are those of all its views, outlive it, and are reset;
// nobody who is not open has any.
func TestStatisticsOfAManager(t *testing.T) {
	ctx := t.Context()
	m, err := memory.Open(memory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := jcache.CreateCache(ctx, m, "c", jcache.Options[string, int]{})
	if err != nil {
		t.Fatal(err)
	}
	view := c.WithExpiryPolicy(jcache.Created[string, int](time.Hour))
	use := func() {
		t.Helper()
		if err := errors.Join(c.Put(ctx, "k", 1), view.Put(ctx, "k", 2)); err != nil {
			t.Fatal(err)
		}
		_, _, _ = view.Get(ctx, "k")
		_, _, _ = c.Get(ctx, "none")
		_, _ = c.Remove(ctx, "k")
	}
	if use(); c.Statistics() != (jcache.Statistics{}) {
		t.Errorf("nobody has asked for statistics: %+v", c.Statistics())
	}
	if err := m.EnableStatistics("c", true); err != nil {
		t.Fatal(err)
	}
	use()
	n := view.Statistics()
	if n.Hits != 1 || n.Misses != 1 || n.Puts != 2 || n.Removals != 1 || n.HitRatio() != 0.5 || n.MissRatio() != 0.5 {
		t.Errorf("%+v", n)
	}
	if n.AverageGet <= 0 || n.AveragePut <= 0 || n.AverageRemove <= 0 {
		t.Errorf("averages of few operations: %+v", n)
	}
	if info := m.Caches(); len(info) != 1 || !info[0].StatisticsEnabled || info[0].Statistics != n || info[0].KeyType.Kind().String() != "string" {
		t.Errorf("%+v", info)
	}
	if c.ResetStatistics(); c.Statistics() != (jcache.Statistics{}) {
		t.Errorf("after a reset: %+v", c.Statistics())
	}
	if err := m.EnableStatistics("other", true); !errors.Is(err, jcache.ErrCacheNotFound) {
		t.Errorf("statistics of a cache that is not there: %v", err)
	}
	use()
	if err := m.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if n := c.Statistics(); n.Gets() != 2 {
		t.Errorf("after the end: %+v", n)
	}
	if err := m.EnableStatistics("c", true); !errors.Is(err, jcache.ErrClosed) || len(m.Caches()) != 0 {
		t.Errorf("a closed manager: %v, %v", err, m.Caches())
	}
}

// Counts are right although many count at once.
func TestStatisticsOfMany(t *testing.T) {
	m, err := memory.Open(memory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close(context.Background()) }()
	c, err := jcache.CreateCache(t.Context(), m, "c", jcache.Options[int, int]{Statistics: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Run("", func(t *testing.T) {
		for range 8 {
			t.Run("", func(t *testing.T) {
				t.Parallel()
				for i := range 1000 {
					if err := c.Put(t.Context(), i, i); err != nil {
						t.Fatal(err)
					}
					if _, ok, err := c.Get(t.Context(), i); !ok || err != nil {
						t.Fatal(ok, err)
					}
				}
			})
		}
	})
	if n := c.Statistics(); n.Hits != 8000 || n.Puts != 8000 || n.Misses != 0 || n.AverageGet <= 0 {
		t.Errorf("%+v", n)
	}
}

// Caches lists what is open, with its types, however often statistics are switched.
func TestCachesOfAManager(t *testing.T) {
	ctx, m := t.Context(), openMemory(t, jcache.ManagerOptions{})
	list := func(want ...string) {
		t.Helper()
		var got []string
		for _, i := range m.Caches() {
			got = append(got, fmt.Sprint(i.Name, " ", i.KeyType, " ", i.ValueType, " ", i.StatisticsEnabled))
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	list()
	b, errB := jcache.CreateCache(ctx, m, "b", jcache.Options[string, int]{})
	a, errA := jcache.CreateCache(ctx, m, "a", jcache.Options[int, []byte]{Statistics: true})
	if err := errors.Join(errA, errB); err != nil {
		t.Fatal(err)
	}
	list("a int []uint8 true", "b string int false")
	foundA, errA := jcache.GetCache[int, []byte](ctx, m, "a")
	foundB, errB := jcache.GetCache[string, int](ctx, m, "b")
	if foundA != a || foundB != b || errA != nil || errB != nil {
		t.Errorf("another cache was found, or none: %v, %v", errA, errB)
	}
	for _, on := range []bool{true, true, false} {
		if err := m.EnableStatistics("b", on); err != nil {
			t.Fatal(err)
		}
		list("a int []uint8 true", fmt.Sprint("b string int ", on))
	}
	for _, name := range []string{"a", "unknown"} {
		if err := m.DestroyCache(ctx, name); err != nil {
			t.Fatal(err)
		}
		list("b string int false")
	}
	if err := m.DestroyCache(ctx, "b"); err != nil {
		t.Fatal(err)
	}
	list()
	if names, err := m.CacheNames(); len(names) != 0 || err != nil {
		t.Errorf("names of no caches: %v, %v", names, err)
	}
}
