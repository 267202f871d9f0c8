package jcache_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
)

// Random scripts of a server that comes and goes under a manager that was started without it: what cannot be reached is
// unavailable and nothing else, a cache that was created before is in order as soon as the server is there, and
// nothing is left open, used after its end or closed twice, whenever the end comes.
func TestStartWithoutTheServer(t *testing.T) {
	rounds := 300
	if testing.Short() {
		rounds = 30
	}
	for round := range rounds {
		seed := rand.Uint64()
		synctest.Test(t, func(t *testing.T) { startWithout(t, seed) })
		if t.Failed() {
			t.Fatalf("round %d, seed %d", round, seed)
		}
	}
}

func startWithout(t *testing.T, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 0))
	slowest := []time.Duration{0, 50 * time.Millisecond, 2 * time.Second}[random.IntN(3)]
	var mu sync.Mutex
	answers := rand.New(rand.NewPCG(seed, 1)) // for any goroutine
	server := &lateServer{takes: func() time.Duration {
		mu.Lock()
		defer mu.Unlock()
		return time.Duration(float64(slowest) * answers.Float64())
	}}
	late.Store(server)
	ctx := t.Context()
	m, err := jcache.Open(ctx, jcache.Config{Provider: "late", Settings: map[string]any{
		"startTimeout": time.Duration(random.IntN(2000)) * time.Millisecond, "whenDown": "start"}})
	if err != nil {
		t.Fatal(err)
	}
	if m.Reached() || m.Health().Ready() || m.Ping(ctx) == nil {
		t.Error("it is ready without its server")
	}
	caches := make(map[string]*jcache.Cache[string, int])
	for range 25 {
		name := []string{"a", "b", "refused"}[random.IntN(3)]
		c := caches[name]
		switch random.IntN(8) {
		case 0, 1:
			server.up.Store(!server.up.Load())
		case 2, 3:
			time.Sleep(time.Duration(random.IntN([]int{300, 3000}[random.IntN(2)])) * time.Millisecond)
		case 4:
			if c != nil {
				if err := c.Close(ctx); err != nil {
					t.Errorf("close: %v", err)
				}
				delete(caches, name)
			}
		case 5:
			if random.IntN(10) == 0 {
				server.refuses.Store(true)
			}
		default:
			if c == nil {
				reached := m.Reached() && server.up.Load()
				if c, err = jcache.CreateCache(ctx, m, name, jcache.Options[string, int]{}); err == nil {
					caches[name] = c
				} else if !excused(server, name, err, reached) {
					t.Errorf("create %s, reached %v: %v", name, reached, err)
				}
				break
			}
			reached := m.Reached() && server.up.Load()
			brief := c.WithExpiryPolicy(jcache.Created[string, int](time.Hour))
			if err := brief.Put(ctx, "k", 7); err == nil && name == "refused" || err != nil && !excused(server, name, err, reached) {
				t.Errorf("put to %s, reached %v: %v", name, reached, err)
			}
		}
	}
	if random.IntN(2) == 0 && !server.refuses.Load() { // all is well in the end
		server.up.Store(true)
		time.Sleep(15 * time.Second)
		if !m.Reached() || caches["refused"] == nil && !m.Health().Ready() {
			t.Errorf("it has not recovered: %v", m.Health().Reasons())
		}
		for name, c := range caches {
			if name == "refused" {
				if _, _, err := c.Get(ctx, "k"); !errors.Is(err, jcache.ErrMisconfigured) || m.Health().Ready() {
					t.Errorf("a cache that was refused: %v, %v", err, m.Health())
				}
				continue
			}
			if err := c.Put(ctx, "k", 8); err != nil {
				t.Errorf("put: %v", err)
			}
			if n, ok, err := c.Get(ctx, "k"); n != 8 || !ok || err != nil {
				t.Errorf("get: %d, %v, %v", n, ok, err)
			}
		}
	}
	if server.refuses.Load() && server.connections.Load() == 0 { // a mistake is told once, and is final
		server.up.Store(true)
		time.Sleep(15 * time.Second)
		server.refuses.Store(false)
		time.Sleep(15 * time.Second)
		if err := m.Ping(ctx); m.Reached() || !errors.Is(err, jcache.ErrMisconfigured) || errors.Is(err, jcache.ErrUnavailable) {
			t.Errorf("after a mistake: reached %v, %v", m.Reached(), err)
		}
	}
	if err := m.Close(ctx); err != nil {
		t.Errorf("close: %v", err)
	}
	if n := server.connections.Load(); n != 0 {
		t.Errorf("%d connections are left", n)
	}
	if n := server.caches.Load(); n != 0 {
		t.Errorf("%d caches are left", n)
	}
	if n := server.misuse.Load(); n != 0 {
		t.Errorf("%d times something was used or closed after its end", n)
	}
}

// Callers that are busy while the server arrives, with whatever operation, see it absent or there and nothing between.
func TestArrivalAmongCallers(t *testing.T) {
	server := &lateServer{takes: func() time.Duration { return 10 * time.Millisecond }}
	late.Store(server)
	m, err := jcache.Open(t.Context(), jcache.Config{Provider: "late", Settings: map[string]any{"startTimeout": time.Duration(0), "whenDown": "start"}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close(context.Background()) //nolint:errcheck // what it may say is tested elsewhere
	c, err := jcache.CreateCache(t.Context(), m, "a", jcache.Options[string, int]{ExpiryPolicy: jcache.Created[string, int](time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(time.Minute)
	var callers, absent sync.WaitGroup
	for name, call := range map[string]func(ctx context.Context) error{
		"get":    func(ctx context.Context) error { _, _, err := c.Get(ctx, "k"); return err },
		"put":    func(ctx context.Context) error { return c.Put(ctx, "k", 1) },
		"remove": func(ctx context.Context) error { _, err := c.Remove(ctx, "k"); return err },
		"get all": func(ctx context.Context) error {
			_, err := c.GetAll(ctx, "k", "l")
			return err
		},
		"clear": c.Clear,
		"size":  func(ctx context.Context) error { _, err := c.Size(ctx); return err },
		"iterate": func(ctx context.Context) error {
			for _, err := range c.All(ctx) {
				return err
			}
			return nil
		},
		"exclusive": func(ctx context.Context) error {
			_, err := jcache.InvokeExclusive(ctx, c, "k", time.Second, func(context.Context, *jcache.MutableEntry[string, int]) (int, error) { return 0, nil })
			return err
		},
		"ping": m.Ping,
		"no operation": func(context.Context) error {
			shared, limit, local := c.Shared(), c.MaxValueBytes(), c.Placement("k")
			if c.Unwrap() != nil || shared || limit != 0 || local != jcache.Unavailable && local != jcache.Anywhere {
				t.Errorf("shared %v, at most %d bytes, placement %v", shared, limit, local)
			}
			if !m.Health().Ready() {
				return jcache.ErrUnavailable
			}
			return nil
		},
	} {
		absent.Add(1)
		callers.Go(func() {
			err := call(t.Context())
			if !errors.Is(err, jcache.ErrUnavailable) {
				t.Errorf("%s without the server: %v", name, err)
			}
			absent.Done()
			for errors.Is(err, jcache.ErrUnavailable) && time.Now().Before(deadline) {
				err = call(t.Context())
			}
			if err != nil && !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	absent.Wait()
	server.up.Store(true)
	callers.Wait()
}

// excused reports whether an operation may fail so. reached: the server has been reached, and is there.
func excused(server *lateServer, name string, err error, reached bool) bool {
	if errors.Is(err, jcache.ErrMisconfigured) {
		return name == "refused" || server.refuses.Load()
	}
	return errors.Is(err, jcache.ErrUnavailable) && !reached
}

// By default a start that has waited in vain fails, and one that is told to go on does not overlook a mistake.
func TestStartFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &lateServer{takes: func() time.Duration { return 0 }}
		late.Store(server)
		if _, err := jcache.Open(t.Context(), jcache.Config{Provider: "late"}); !errors.Is(err, jcache.ErrUnavailable) {
			t.Errorf("without its server: %v", err)
		}
		server.up.Store(true)
		server.refuses.Store(true)
		_, err := jcache.Open(t.Context(), jcache.Config{Provider: "late", Settings: map[string]any{"whenDown": "start"}})
		if !errors.Is(err, jcache.ErrMisconfigured) {
			t.Errorf("with a mistake: %v", err)
		}
	})
}
