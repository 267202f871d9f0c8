package httpsession_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/httpsession"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/memory"
)

// A partly is a provider that serves some keys itself and says which were created.
type partly struct {
	driver.Provider
	local   func(key string) bool
	created atomic.Pointer[string]
}

type partlyCache struct {
	driver.Cache
	*partly
}

func (p *partly) OpenCache(ctx context.Context, name string, opts driver.CacheOptions) (driver.Cache, error) {
	c, err := p.Provider.OpenCache(ctx, name, opts)
	return partlyCache{c, p}, err
}

func (c partlyCache) Close() error { return c.Cache.Close() }

func (c partlyCache) Placement(key string) driver.Placement {
	if c.local(key) {
		return driver.Local
	}
	return driver.Remote
}

func (c partlyCache) Swap(ctx context.Context, key string, old driver.Token, record []byte, deadline time.Time) (bool, *driver.Item, error) {
	if old.IsZero() {
		c.created.Store(&key)
	}
	return c.Cache.Swap(ctx, key, old, record, deadline)
}

// New and renewed sessions are stored where this process serves them, as long as there is
// such a place.
func TestSessionsAreLocal(t *testing.T) {
	backend, err := memory.Connect(memory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p := &partly{Provider: backend, local: func(key string) bool { return strings.ContainsAny(key[:1], "abcdefgh") }}
	caches, err := jcache.NewManager(p, jcache.ManagerOptions{Provider: "partly"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := caches.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	m, err := httpsession.New(context.Background(), caches, httpsession.Options{})
	if err != nil {
		t.Fatal(err)
	}
	visit := m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if err := httpsession.From(r).Set("name", "alice"); err != nil {
			t.Error(err)
		}
	}))
	locals := 0
	for range 20 {
		visit.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
		if key := p.created.Load(); key != nil && p.local(*key) {
			locals++
		}
	}
	// A draw fails 7 times of 8, and 32 draws once in 70.
	if locals < 15 {
		t.Errorf("%d of 20 sessions are local", locals)
	}
	p.local = func(string) bool { return false }
	answer := httptest.NewRecorder()
	visit.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/", nil))
	if answer.Code != http.StatusOK || answer.Header().Get("Set-Cookie") == "" {
		t.Errorf("where nothing is local: %d %v", answer.Code, answer.Header())
	}
}
