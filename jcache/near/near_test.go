package near_test

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/conformance"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/jcache/near"
	"github.com/keepsake-cache/keepsake/providers/memory"
)

// An eager provider answers every read from a copy, if there is one. All who open a cache share its copies, since
// not everything is told to others.
type eager struct {
	driver.Provider
	mu     sync.Mutex
	caches map[string]eagerCache
}

type eagerCache struct{ jcache.NearRecords }

func (p *eager) OpenCache(ctx context.Context, name string, opts driver.CacheOptions) (driver.Cache, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c, ok := p.caches[name]; ok {
		return c, nil
	}
	c, err := p.Provider.OpenCache(ctx, name, opts)
	if err != nil {
		return nil, err
	}
	r, err := near.Options{MaxBytes: 1 << 20}.Open(ctx, c, driver.FeaturesOf(c))
	p.caches[name] = eagerCache{r}
	return eagerCache{r}, err
}

// Close leaves the copies to others.
func (c eagerCache) Close() error { return nil }

func (c eagerCache) Get(ctx context.Context, key string) (driver.Item, bool, error) {
	if item, ok := c.Copy(key); ok && (item.Deadline.IsZero() || time.Now().Before(item.Deadline)) {
		return item, true, nil
	}
	return c.NearRecords.Get(ctx, key)
}

// Who alone uses a cache does not notice that there are copies.
func TestConformance(t *testing.T) {
	conformance.Run(t, conformance.Harness{Name: "copies of memory", NoFallbacks: true,
		Connect: func(t conformance.T) driver.Provider {
			p, err := memory.Connect(memory.Options{})
			if err != nil {
				t.Fatalf("connect: %v", err)
			}
			return &eager{Provider: p, caches: make(map[string]eagerCache)}
		}})
}

func manager(t *testing.T, p driver.Provider, off ...driver.Feature) *jcache.CacheManager {
	t.Helper()
	m, err := jcache.NewManager(p, jcache.ManagerOptions{Disable: off})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return m
}

type textCache = jcache.Cache[string, string]

func create(t *testing.T, m *jcache.CacheManager, n jcache.NearCache) *textCache {
	t.Helper()
	c, err := jcache.CreateCache(t.Context(), m, "c", jcache.Options[string, string]{Near: n})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// What others write is seen without waiting for a copy's age: after single changes, after a clear, and after connections
// on which changes are told have broken.
func TestChangesOfOthersAreHeardOf(t *testing.T) {
	for _, name := range []string{"memory", "redis, by the told", "peer"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := places[name]
			a, b := p.managers(t)
			here, there := create(t, a, p.opts), create(t, b, nil)
			for i := range 20 {
				value := strconv.Itoa(i)
				if i%5 == 4 {
					value = ""
					if err := there.Clear(t.Context()); err != nil {
						t.Fatal(err)
					}
				} else if err := there.Put(t.Context(), "k", value); err != nil {
					t.Fatal(err)
				}
				end := time.Now().Add(20 * time.Second)
				for got := "?"; got != value; {
					var err error
					if got, _, err = here.Get(t.Context(), "k"); err != nil || time.Now().After(end) {
						t.Fatalf("change %d: got %q, %v; want %q", i, got, err, value)
					}
				}
			}
		})
	}
}

// A near cache keeps to its memory, and leaves out what is too large.
func TestMemory(t *testing.T) {
	a, _ := onMemory()(t)
	c := create(t, a, near.Options{MaxBytes: 1 << 20})
	large := string(make([]byte, 600<<10))
	for i := range 5000 {
		key, value := strconv.Itoa(i), string(make([]byte, 500))
		if i%1000 == 999 {
			value = large
		}
		if err := c.Put(t.Context(), key, value); err != nil {
			t.Fatal(err)
		}
		if got, _, err := c.Get(t.Context(), key); err != nil || got != value {
			t.Fatalf("got %d bytes, %v", len(got), err)
		}
	}
	s, _ := c.NearStatistics()
	if s.Bytes > 1<<20 || s.Entries < 500 || s.Entries > 2000 {
		t.Errorf("after 5000 entries of 500 bytes: %+v", s)
	}
}

// A copy is not used past the record's deadline, whoever keeps it.
func TestCopiesExpire(t *testing.T) {
	for name, off := range map[string][]driver.Feature{
		"deadline beside the record": {driver.FeatureWatch},
		"deadline in the record":     {driver.FeatureWatch, driver.FeatureTouch},
	} {
		t.Run(name, func(t *testing.T) {
			a, _ := onMemory(off...)(t)
			c, err := jcache.CreateCache(t.Context(), a, "c", jcache.Options[string, string]{
				ExpiryPolicy: jcache.Created[string, string](150 * time.Millisecond), Near: near.Options{MaxAge: time.Hour},
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Put(t.Context(), "k", "v"); err != nil {
				t.Fatal(err)
			}
			end := time.Now().Add(150 * time.Millisecond) // not before the deadline
			for {
				began := time.Now()
				_, found, err := c.Get(t.Context(), "k")
				if err != nil {
					t.Fatal(err)
				}
				if !found {
					break
				}
				if began.After(end.Add(time.Millisecond)) {
					t.Fatalf("it is there %v after its deadline", began.Sub(end))
				}
			}
			if s, _ := c.NearStatistics(); s.Hits == 0 {
				t.Errorf("no copy was used: %+v", s)
			}
		})
	}
}
