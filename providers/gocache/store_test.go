package gocache_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/allegro/bigcache/v3"
	"github.com/eko/gocache/lib/v4/cache"
	"github.com/eko/gocache/lib/v4/marshaler"
	"github.com/eko/gocache/lib/v4/metrics"
	"github.com/eko/gocache/lib/v4/store"
	bigcachestore "github.com/eko/gocache/store/bigcache/v4"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/providers/gocache"
	"github.com/keepsake-cache/keepsake/providers/memcached"
	"github.com/keepsake-cache/keepsake/providers/memory"
	"github.com/keepsake-cache/keepsake/providers/redis"
)

// onProviders runs a test with managers of several providers.
func onProviders(t *testing.T, test func(t *testing.T, m *jcache.CacheManager)) {
	for name, open := range map[string]func(t *testing.T) (*jcache.CacheManager, error){
		"memory": func(*testing.T) (*jcache.CacheManager, error) { return memory.Open(memory.Options{}) },
		"memcached": func(t *testing.T) (*jcache.CacheManager, error) {
			return memcached.Open(t.Context(), memcached.Options{Servers: []string{servertest.Memcached(t).Addr}})
		},
		"redis": func(t *testing.T) (*jcache.CacheManager, error) {
			return redis.Open(t.Context(), redis.Options{Servers: []string{servertest.Redis(t).Addr}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := open(t)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := m.Close(context.Background()); err != nil {
					t.Error(err)
				}
			})
			test(t, m)
		})
	}
}

func create[V any](t *testing.T, m *jcache.CacheManager, name string) (*jcache.Cache[string, V], *gocache.Store[V]) {
	t.Helper()
	c, err := jcache.CreateCache(t.Context(), m, name, jcache.Options[string, V]{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := gocache.NewStore(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return c, s
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// missing checks that an error is what gocache takes for an absent key.
func missing(t *testing.T, what string, err error) {
	t.Helper()
	var notFound *store.NotFound
	if !errors.Is(err, store.NotFound{}) || !errors.As(err, &notFound) {
		t.Errorf("%s: %v is no store.NotFound", what, err)
	}
}

type named struct{ name string }

func (n named) GetCacheKey() string { return n.name }

func TestStoreDoesWhatStoresDo(t *testing.T) {
	onProviders(t, func(t *testing.T, m *jcache.CacheManager) {
		ctx := t.Context()
		_, s := create[[]byte](t, m, "c")
		_, other := create[string](t, m, "other")
		ok(t, other.Set(ctx, "k", "stays", store.WithTags([]string{"tag"})))

		_, err := s.Get(ctx, "k")
		missing(t, "get of nothing", err)
		_, _, err = s.GetWithTTL(ctx, "k")
		missing(t, "get with TTL of nothing", err)
		ok(t, s.Delete(ctx, "k"))

		ok(t, s.Set(ctx, "k", []byte("1")))
		if v, err := s.Get(ctx, named{"k"}); err != nil || string(v.([]byte)) != "1" {
			t.Errorf("got %q, %v", v, err)
		}
		if _, ttl, err := s.GetWithTTL(ctx, "k"); err != nil || ttl != 0 {
			t.Errorf("an eternal entry lives %v, %v", ttl, err)
		}
		ok(t, s.Set(ctx, "k", "2", store.WithExpiration(time.Hour)))
		if v, ttl, err := s.GetWithTTL(ctx, "k"); err != nil || string(v.([]byte)) != "2" || ttl > time.Hour+time.Millisecond || ttl < time.Hour-time.Minute {
			t.Errorf("got %q for %v, %v", v, ttl, err)
		}
		ok(t, s.Set(ctx, "short", "3", store.WithExpiration(20*time.Millisecond)))
		for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
			if _, err = s.Get(ctx, "short"); err != nil {
				break
			}
		}
		missing(t, "what has expired", err)

		if err := s.Set(ctx, "k", 5); !errors.Is(err, jcache.ErrTypeMismatch) {
			t.Errorf("a value of another type: %v", err)
		}
		if err := s.Set(ctx, 5, "x"); !errors.Is(err, jcache.ErrInvalid) {
			t.Errorf("a key of another type: %v", err)
		}
		ok(t, s.Delete(ctx, "k"))
		_, err = s.Get(ctx, "k")
		missing(t, "what was deleted", err)

		ok(t, s.Set(ctx, "k", "4", store.WithTags([]string{"tag"})))
		ok(t, s.Clear(ctx))
		_, err = s.Get(ctx, "k")
		missing(t, "what was cleared", err)
		if v, err := other.Get(ctx, "k"); err != nil || v != "stays" {
			t.Errorf("another cache, after Clear: %v, %v", v, err)
		}
	})
}

// Random sets, deletes, invalidations and clears leave what a map with tags has.
func TestTagsAgainstAModel(t *testing.T) {
	onProviders(t, func(t *testing.T, m *jcache.CacheManager) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		r := rand.New(rand.NewPCG(seed, 0))
		ctx := t.Context()
		_, s := create[string](t, m, "c")
		values, tags := map[string]string{}, map[string]map[string]bool{}
		for step := range 300 {
			key := fmt.Sprint("k", r.IntN(6))
			tag := fmt.Sprint("t", r.IntN(4))
			switch r.IntN(8) {
			case 0:
				ok(t, s.Delete(ctx, key))
				delete(values, key)
			case 1, 2:
				ok(t, s.Invalidate(ctx, store.WithInvalidateTags([]string{tag})))
				for k := range tags[tag] {
					delete(values, k)
				}
				delete(tags, tag)
			case 3:
				if r.IntN(10) == 0 {
					ok(t, s.Clear(ctx))
					clear(values)
					clear(tags)
				}
			default:
				given := []string{tag, fmt.Sprint("t", r.IntN(4))}[:r.IntN(3)]
				ok(t, s.Set(ctx, key, fmt.Sprint(step), store.WithTags(given)))
				values[key] = fmt.Sprint(step)
				for _, tag := range given {
					if tags[tag] == nil {
						tags[tag] = map[string]bool{}
					}
					tags[tag][key] = true // gocache's tags stay with the key
				}
			}
			for i := range 6 {
				key := fmt.Sprint("k", i)
				want, there := values[key]
				got, err := s.Get(ctx, key)
				if there && (err != nil || got != want) || !there && err == nil {
					t.Fatalf("step %d: %s is %v, %v; want %q, %v", step, key, got, err, want, there)
				}
			}
		}
	})
}

// Whatever is set and invalidated at the same time, an invalidation afterwards finds every entry.
func TestNoTagIsForgotten(t *testing.T) {
	onProviders(t, func(t *testing.T, m *jcache.CacheManager) {
		ctx := t.Context()
		_, s := create[string](t, m, "c")
		tags := []string{"a", "b"}
		for range 20 {
			var work sync.WaitGroup
			for i := range 4 {
				work.Go(func() {
					for range 5 {
						if err := s.Set(ctx, fmt.Sprint("k", i%2), "v", store.WithTags(tags)); err != nil {
							t.Error(err)
						}
					}
				})
				work.Go(func() {
					if err := s.Invalidate(ctx, store.WithInvalidateTags(tags[i%2:i%2+1])); err != nil {
						t.Error(err)
					}
				})
			}
			work.Wait()
			ok(t, s.Invalidate(ctx, store.WithInvalidateTags(tags[:1])))
			for _, key := range []string{"k0", "k1"} {
				if _, err := s.Get(ctx, key); err == nil {
					t.Fatalf("%s is there, and no tag knows it", key)
				}
			}
		}
	})
}

type book struct {
	Title string
	Pages int
}

// gocache's own caches work on a cache of ours.
func TestCachesOfGocacheWorkOnOurs(t *testing.T) {
	onProviders(t, func(t *testing.T, m *jcache.CacheManager) {
		ctx := t.Context()
		_, s := create[[]byte](t, m, "c")
		t.Run("chain", func(t *testing.T) {
			near, err := bigcache.New(ctx, bigcache.Config{Shards: 1, LifeWindow: time.Hour, HardMaxCacheSize: 1, MaxEntrySize: 100, MaxEntriesInWindow: 10})
			ok(t, err)
			upper := bigcachestore.NewBigcache(near)
			chain := cache.NewChain(cache.New[[]byte](upper), cache.New[[]byte](s))
			ok(t, s.Set(ctx, "chain", "1", store.WithExpiration(time.Hour)))
			if v, err := chain.Get(ctx, "chain"); err != nil || string(v) != "1" {
				t.Errorf("got %q, %v", v, err)
			}
			ok(t, chain.Close()) // the upper cache is filled by then
			if v, err := upper.Get(ctx, "chain"); err != nil || string(v.([]byte)) != "1" {
				t.Errorf("the upper cache has %q, %v", v, err)
			}
		})
		t.Run("loadable", func(t *testing.T) {
			loads := 0
			load := func(context.Context, any) ([]byte, []store.Option, error) {
				loads++
				return []byte("loaded"), []store.Option{store.WithExpiration(time.Hour)}, nil
			}
			loadable := cache.NewLoadable(load, cache.New[[]byte](s))
			for range 3 {
				if v, err := loadable.Get(ctx, "loadable"); err != nil || string(v) != "loaded" {
					t.Errorf("got %q, %v", v, err)
				}
			}
			ok(t, loadable.Close())
			if v, err := s.Get(ctx, "loadable"); err != nil || string(v.([]byte)) != "loaded" || loads != 1 {
				t.Errorf("the cache has %q, %v after %d loads", v, err, loads)
			}
		})
		t.Run("metric", func(t *testing.T) {
			registry := prometheus.NewRegistry()
			metric := cache.NewMetric(metrics.NewPrometheus("test", metrics.WithRegisterer(registry)), cache.New[[]byte](s))
			ok(t, metric.Set(ctx, "metric", []byte("1")))
			if v, err := metric.Get(ctx, "metric"); err != nil || string(v) != "1" {
				t.Errorf("got %q, %v", v, err)
			}
			_, err := metric.Get(ctx, "none")
			missing(t, "a metric of nothing", err)
		})
		t.Run("marshaler", func(t *testing.T) {
			marshal := marshaler.New(cache.New[any](s))
			want := book{"Moby-Dick", 635}
			type key struct{ Shelf, Place int }
			ok(t, marshal.Set(ctx, key{1, 2}, want, store.WithTags([]string{"whales"})))
			got, err := marshal.Get(ctx, key{1, 2}, &book{})
			if err != nil || *got.(*book) != want {
				t.Errorf("got %v, %v", got, err)
			}
			ok(t, marshal.Invalidate(ctx, store.WithInvalidateTags([]string{"whales"})))
			_, err = marshal.Get(ctx, key{1, 2}, &book{})
			missing(t, "what was invalidated", err)
		})
		t.Run("cache of any type", func(t *testing.T) {
			_, s := create[book](t, m, "books")
			c := cache.New[book](s)
			ok(t, c.Set(ctx, "b", book{"Emma", 474}))
			if b, err := c.Get(ctx, "b"); err != nil || b.Pages != 474 {
				t.Errorf("got %v, %v", b, err)
			}
			if s.GetType() != "jcache" || !slices.Contains([]string{"cache"}, c.GetType()) {
				t.Errorf("types %s and %s", s.GetType(), c.GetType())
			}
		})
	})
}
