package jcache_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/memory"
)

func TestDeclaredCaches(t *testing.T) {
	ctx := t.Context()
	m := openMemory(t, jcache.ManagerOptions{Caches: []jcache.CacheConfig{
		{Name: "short", ExpiryPolicy: "modified", ExpiryDuration: time.Minute},
		{Name: "plain"},
	}})
	names := func() []string {
		t.Helper()
		list, err := m.CacheNames()
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	if got := names(); !slices.Equal(got, []string{"plain", "short"}) {
		t.Errorf("names of declared caches: %v", got)
	}
	short, err := jcache.GetCache[string, int](ctx, m, "short")
	if err != nil {
		t.Fatal(err)
	}
	if err := short.Put(ctx, "k", 1); err != nil {
		t.Fatal(err)
	}
	if e, ok, err := short.GetEntry(ctx, "k"); !ok || err != nil || time.Until(e.Deadline) > time.Minute+2*time.Millisecond || time.Until(e.Deadline) < 30*time.Second {
		t.Errorf("the declared expiry: %v, %v, %v", e, ok, err)
	}
	if again, err := jcache.GetCache[string, int](ctx, m, "short"); again != short || err != nil {
		t.Errorf("the second look-up: %p, %v; want %p", again, err, short)
	}
	if _, err := jcache.GetCache[string, string](ctx, m, "short"); !errors.Is(err, jcache.ErrTypeMismatch) {
		t.Errorf("other types: got error %v, want ErrTypeMismatch", err)
	}
	if got := names(); !slices.Equal(got, []string{"plain", "short"}) {
		t.Errorf("names with one of two open: %v", got)
	}
	// The program may say the rest, but not contradict the declaration.
	if _, err := jcache.CreateCache(ctx, m, "plain", jcache.Options[string, int]{ExpiryPolicy: jcache.Eternal[string, int]()}); !errors.Is(err, jcache.ErrInvalid) {
		t.Errorf("two policies: got error %v, want ErrInvalid", err)
	}
	if c, err := jcache.CreateCache(ctx, m, "plain", jcache.Options[string, int]{Codec: jcache.JSON[int]()}); err != nil || c.Name() != "plain" {
		t.Errorf("a declared cache with a codec: %v", err)
	}
}

func TestBadDeclarations(t *testing.T) {
	for name, caches := range map[string][]jcache.CacheConfig{
		"no name":           {{}},
		"a bad name":        {{Name: "a/b"}},
		"a name twice":      {{Name: "a"}, {Name: "a"}},
		"an unknown policy": {{Name: "a", ExpiryPolicy: "sometimes", ExpiryDuration: time.Second}},
		"no duration":       {{Name: "a", ExpiryPolicy: "created"}},
		"a duration alone":  {{Name: "a", ExpiryDuration: time.Second}},
	} {
		p, err := memory.Connect(memory.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := jcache.NewManager(p, jcache.ManagerOptions{Caches: caches}); !errors.Is(err, jcache.ErrInvalid) {
			t.Errorf("%s: got error %v, want ErrInvalid", name, err)
		}
		if err := p.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// A closable provider counts the caches that are open, and notices calls that come
// too late.
type closable struct {
	driver.Provider
	t    *testing.T
	open atomic.Int64
}

type closableCache struct {
	driver.Cache
	p *closable
}

func (p *closable) OpenCache(ctx context.Context, name string, opts driver.CacheOptions) (driver.Cache, error) {
	c, err := p.Provider.OpenCache(ctx, name, opts)
	p.open.Add(1)
	return &closableCache{c, p}, err
}

func (p *closable) Close(ctx context.Context) error {
	if n := p.open.Load(); n != 0 {
		p.t.Errorf("the connection was closed with %d open caches", n)
	}
	return p.Provider.Close(ctx)
}

func (c *closableCache) Features() driver.Features { return driver.FeaturesOf(c.Cache) }

func (c *closableCache) Close() error { c.p.open.Add(-1); return c.Cache.Close() }

func (c *closableCache) Swap(ctx context.Context, key string, old driver.Token, record []byte, deadline time.Time) (bool, *driver.Item, error) {
	if c.p.open.Load() != 1 {
		c.p.t.Error("a call after Close")
	}
	return c.Cache.Swap(ctx, key, old, record, deadline)
}

// Close waits for what is running, and refuses what comes later. It can be called
// again, or left to the manager.
func TestCloseWaits(t *testing.T) {
	ctx := context.Background()
	soon := func(f func(context.Context) error) error {
		ctx, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		defer cancel()
		return f(ctx)
	}
	records, err := memory.Connect(memory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p := &closable{Provider: records, t: t}
	m, err := jcache.NewManager(p, jcache.ManagerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := jcache.CreateCache(ctx, m, "test", jcache.Options[string, int]{})
	if err != nil {
		t.Fatal(err)
	}
	inside, goOn, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		_, err := jcache.Invoke(ctx, c, "k", func(_ context.Context, e *numberEntry) (int, error) {
			close(inside)
			<-goOn
			e.SetValue(1)
			return 0, nil
		})
		done <- err
	}()
	<-inside
	if err := soon(c.Close); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("closing with an operation inside: got error %v", err)
	}
	if err := soon(func(ctx context.Context) error { return m.DestroyCache(ctx, "test") }); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("destroying what is being closed: got error %v", err)
	}
	if _, _, err := c.Get(ctx, "k"); !errors.Is(err, jcache.ErrClosed) {
		t.Errorf("an operation that comes later: got error %v, want ErrClosed", err)
	}
	if n := p.open.Load(); n != 1 {
		t.Errorf("%d open caches of the driver while an operation is inside", n)
	}
	close(goOn)
	if err := <-done; err != nil {
		t.Errorf("the operation inside: %v", err)
	}
	if err := m.Close(ctx); err != nil {
		t.Error(err)
	}
	if err := c.Close(ctx); err != nil {
		t.Errorf("closing after the manager: %v", err)
	}
	if n := p.open.Load(); n != 0 {
		t.Errorf("%d open caches of the driver at the end", n)
	}
}

func TestRegistry(t *testing.T) {
	if !slices.Contains(jcache.Providers(), "memory") || !slices.IsSorted(jcache.Providers()) {
		t.Errorf("providers: %v", jcache.Providers())
	}
	_, err := jcache.Open(t.Context(), jcache.Config{Provider: "memroy"})
	if !errors.Is(err, jcache.ErrUnknownProvider) || !strings.Contains(err.Error(), `"memroy"`) || !strings.Contains(err.Error(), "memory") {
		t.Errorf("an unknown provider: got error %v; want the linked ones named", err)
	}
	for name, cfg := range map[string]jcache.Config{
		"an unknown setting":   {Provider: "memory", Settings: map[string]any{"maxEntrees": int64(1)}},
		"a value of no use":    {Provider: "memory", Settings: map[string]any{"maxEntries": "many"}},
		"a uri where none is":  {Provider: "memory", URI: "memory.xml"},
		"a negative bound":     {Provider: "memory", Settings: map[string]any{"maxEntries": int64(-1)}},
		"a bad declared cache": {Provider: "memory", Caches: []jcache.CacheConfig{{Name: "a b"}}},
	} {
		_, err := jcache.Open(t.Context(), cfg)
		var where *jcache.Error
		if !errors.Is(err, jcache.ErrInvalid) || !errors.As(err, &where) || where.Op != "open" || where.Provider != "memory" {
			t.Errorf("%s: got error %v, want ErrInvalid of open (memory)", name, err)
		}
	}
	all := jcache.Config{Provider: "memory", Settings: map[string]any{"maxEntries": int64(-1), "whenFull": "never"},
		Caches: []jcache.CacheConfig{{Name: "a"}, {Name: "a"}, {Name: "b", ExpiryPolicy: "created"}}}
	_, refusal := all.Check()
	if _, err := jcache.Open(t.Context(), all); refusal == nil || len(strings.Split(refusal.Error(), "\n")) != 4 || !strings.Contains(err.Error(), refusal.Error()) {
		t.Errorf("the check says %v, and opening %v; want four problems", refusal, err)
	}
	m, err := jcache.Open(t.Context(), jcache.Config{Provider: "memory", Settings: map[string]any{"maxEntries": int64(10), "whenFull": "reject"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Ping(t.Context()); err != nil || m.Provider() != "memory" {
		t.Errorf("%v, %s", err, m.Provider())
	}
	if err := m.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestRegisterRefuses(t *testing.T) {
	open := func(context.Context, driver.Config) (driver.Provider, error) { return nil, nil }
	for name, d := range map[string]driver.Definition{
		"no name": {Open: open}, "no Open": {Name: "x"}, "a name twice": {Name: "memory", Open: open},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			jcache.Register(d)
		}()
	}
}

func TestErrorText(t *testing.T) {
	for want, err := range map[string]error{
		"jcache: put catalog (memcached): provider unavailable": &jcache.Error{Op: "put", Cache: "catalog", Provider: "memcached", Err: jcache.ErrUnavailable},
		"jcache: open: closed":                               &jcache.Error{Op: "open", Err: jcache.ErrClosed},
		"1 of 3 entries failed, one of them with: too large": &jcache.BatchError[string]{Failed: map[string]error{"secret": jcache.ErrTooLarge}, Of: 3},
		"no entry failed":                                    &jcache.BatchError[string]{},
	} {
		if err.Error() != want {
			t.Errorf("got %q, want %q", err.Error(), want)
		}
	}
}

// Reading a number makes little garbage.
func TestAllocations(t *testing.T) {
	ctx, c := t.Context(), create(t, jcache.Options[string, int]{})
	if err := c.Put(ctx, "k", 5); err != nil {
		t.Fatal(err)
	}
	n := testing.AllocsPerRun(1000, func() {
		if v, ok, err := c.Get(ctx, "k"); v != 5 || !ok || err != nil {
			t.Fatal(v, ok, err)
		}
	})
	t.Logf("a Get of an int allocates %v times", n)
	if n > 1 {
		t.Errorf("a Get of an int allocates %v times, want at most 1", n)
	}
}

type unsafe struct{ driver.Provider }

func (unsafe) Safe() bool { return false }

func TestSafe(t *testing.T) {
	backend, err := memory.Connect(memory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		conn driver.Provider
		want bool
	}{{backend, true}, {unsafe{backend}, false}} {
		m, err := jcache.NewManager(test.conn, jcache.ManagerOptions{Provider: "test"})
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Safe(); got != test.want {
			t.Errorf("%T: safe is %v", test.conn, got)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if err := m.AwaitSafe(ctx); (err == nil) != test.want {
			t.Errorf("%T: waiting for that ended with %v", test.conn, err)
		}
		cancel()
	}
	if err := backend.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// The caches of the layers above are theirs, and no news for who lists the program's.
func TestCachesOfTheLayersAboveAreNotListed(t *testing.T) {
	m, err := memory.Open(memory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close(context.Background()) //nolint:errcheck // memory has no errors
	for _, name := range []string{"_own", "shop"} {
		c, err := jcache.CreateCache(t.Context(), m, name, jcache.Options[string, int]{})
		if err != nil {
			t.Fatal(err)
		}
		if c.Shared() {
			t.Errorf("%s is shared, in the memory of one process", name)
		}
	}
	if names, err := m.CacheNames(); err != nil || !slices.Equal(names, []string{"shop"}) {
		t.Errorf("got %v, %v", names, err)
	}
}
