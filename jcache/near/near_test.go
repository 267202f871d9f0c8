package near_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/conformance"
	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/jcache/near"
	"github.com/keepsake-cache/keepsake/providers/memory"
	"github.com/keepsake-cache/keepsake/providers/peer"
	"github.com/keepsake-cache/keepsake/providers/redis"
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

// A write is a value that was written; an empty one is a removal.
type write struct {
	value string
	ended time.Time // zero: it has begun
	own   bool      // of the process with the copies
}

// A story is what was written to a key, in order. The first is that there is nothing.
type story struct {
	writing sync.Mutex // held by the one who writes
	mu      sync.Mutex
	writes  []write
}

// begin notes a write, and returns the call that notes its end.
func (s *story) begin(w write) (end func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := len(s.writes)
	s.writes = append(s.writes, w)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.writes[at].ended = time.Now()
	}
}

// wrong says what of a read is wrong, that began at a time: it must have seen all own writes that had ended, and those of
// others that had ended earlier than the bound.
func (s *story) wrong(got string, began time.Time, bound time.Duration) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	floor := 0
	for i, w := range s.writes {
		if !w.ended.IsZero() && (w.own && w.ended.Before(began) || w.ended.Before(began.Add(-bound))) {
			floor = i
		}
	}
	if slices.ContainsFunc(s.writes[floor:], func(w write) bool { return w.value == got }) {
		return ""
	}
	at := slices.IndexFunc(s.writes, func(w write) bool { return w.value == got })
	return fmt.Sprintf("got write %d of %d, and write %d had ended %v before", at, len(s.writes), floor, began.Sub(s.writes[floor].ended))
}

// With readers and writers in two processes and connections that break, no read misses a write of its own process, or
// one that ended earlier than the bound.
func TestNoReadIsStalePastTheBound(t *testing.T) {
	for name, p := range places {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			a, b := p.managers(t)
			here, there := create(t, a, p.opts), create(t, b, nil)
			keys := []string{"0", "1", "2", "3"}
			stories := make([]story, len(keys))
			for i := range stories {
				stories[i].begin(write{})()
			}
			ctx, cancel := context.WithTimeout(t.Context(), p.last)
			defer cancel()
			var work sync.WaitGroup
			for i := range 6 {
				r := rand.New(rand.NewPCG(seed, uint64(i)))
				work.Go(func() {
					for n := 0; ctx.Err() == nil && !t.Failed(); n++ {
						key := r.IntN(len(keys))
						if i < 4 {
							began := time.Now()
							got, err := read(t.Context(), r, here, keys[key])
							if wrong := stories[key].wrong(got, began, p.bound); err != nil || wrong != "" {
								t.Errorf("reader %d, read %d: %s, %v", i, n, wrong, err)
							}
							continue
						}
						c, own := there, i == 4
						if own {
							c = here
						}
						if err := stories[key].write(t.Context(), r, c, keys[key], fmt.Sprint(i, "-", n), own); err != nil {
							t.Errorf("writer %d, write %d: %v", i, n, err)
						}
						pause(ctx, time.Duration(r.IntN(8))*time.Millisecond)
					}
				})
			}
			work.Wait()
			s, _ := here.NearStatistics()
			t.Logf("%+v, hit ratio %.2f", s, s.HitRatio())
			if s.Hits == 0 || s.Misses == 0 {
				t.Error("nothing was read from copies, or everything")
			}
		})
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func read(ctx context.Context, r *rand.Rand, c *textCache, key string) (string, error) {
	switch r.IntN(3) {
	case 0:
		e, _, err := c.GetEntry(ctx, key)
		return e.Value, err
	case 1:
		all, err := c.GetAll(ctx, key, "none", "neither")
		return all[key], err
	}
	v, _, err := c.Get(ctx, key)
	return v, err
}

// write changes a key in one of many ways, and notes it.
func (s *story) write(ctx context.Context, r *rand.Rand, c *textCache, key, value string, own bool) (err error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	way := r.IntN(7)
	if way < 2 {
		value = ""
	}
	end := s.begin(write{value: value, own: own})
	switch way {
	case 0:
		_, err = c.Remove(ctx, key)
	case 1:
		err = c.RemoveKeys(ctx, key)
	case 2:
		_, _, err = c.GetAndPut(ctx, key, value)
	case 3:
		_, err = jcache.Invoke(ctx, c, key, func(_ context.Context, e *jcache.MutableEntry[string, string]) (int, error) {
			e.SetValue(value)
			return 0, nil
		})
	case 4:
		err = c.PutAll(ctx, map[string]string{key: value, "other" + value: value})
	default:
		err = c.Put(ctx, key, value)
	}
	end()
	return err
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
				Expiry: jcache.Created[string, string](150 * time.Millisecond), Near: near.Options{MaxAge: time.Hour},
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
