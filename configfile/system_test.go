package configfile_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/keepsake-cache/keepsake/configfile"
	"github.com/keepsake-cache/keepsake/httpsession"
	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/providers/hazelcast"
)

func open(t testing.TB, cfg *configfile.Config) *configfile.System {
	t.Helper()
	s, err := cfg.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// visit sends a request that creates a session and returns its cookie.
func visit(t testing.TB, sessions *httpsession.Manager) *http.Cookie {
	t.Helper()
	h := sessions.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := httpsession.From(r).Set("name", "alice"); err != nil {
			t.Error(err)
		}
	}))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://shop.example/", nil))
	cookies := w.Result().Cookies()
	if len(cookies) != 1 {
		t.Fatalf("status %d, cookies %v", w.Code, cookies)
	}
	return cookies[0]
}

func TestOpenSmallest(t *testing.T) {
	s := open(t, parse(t, "a.yaml", smallYAML))
	caches, err := s.CacheManager("")
	if err != nil {
		t.Fatal(err)
	}
	if caches.Provider() != "memory" {
		t.Errorf("provider %q", caches.Provider())
	}
	sessions, err := s.Sessions("")
	if err != nil {
		t.Fatal(err)
	}
	if c := visit(t, sessions); c.Name != "__Host-session" || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || len(c.Value) != 43 {
		t.Errorf("cookie %v", c)
	}
	if names, err := caches.CacheNames(); err != nil || !slices.Equal(names, []string{"sessions"}) {
		t.Errorf("caches %v, %v", names, err)
	}
}

func TestOpenWithoutSessions(t *testing.T) {
	cfg := parse(t, "a.yaml", "cacheManager: {provider: memory, cache: {name: catalog, expiryPolicy: created, expiry: 10m}}")
	cfg.Sessions = nil
	s := open(t, cfg)
	if _, err := s.Sessions(""); err == nil {
		t.Error("there are sessions")
	}
	caches, err := s.CacheManager("")
	if err != nil {
		t.Fatal(err)
	}
	if names, err := caches.CacheNames(); err != nil || !slices.Equal(names, []string{"catalog"}) {
		t.Errorf("caches %v, %v", names, err)
	}
	if _, err := jcache.GetCache[string, int](t.Context(), caches, "catalog"); err != nil {
		t.Error(err)
	}
}

const several = `
cacheManager:
  - {id: a, provider: memory}
  - {id: b, provider: memory}
httpSession:
  - {id: shop, cookieName: SHOP}
  - {id: admin, cookieName: ADMIN}
httpSessionCache:
  - {id: shop, cacheManagerRef: a, cacheNamePrefix: blue.}
  - {id: admin, cacheManagerRef: b}
`

func TestOpenSeveral(t *testing.T) {
	s := open(t, parse(t, "a.yaml", several))
	for id, want := range map[string]string{"a": "blue.sessions.shop", "b": "sessions.admin"} {
		caches, err := s.CacheManager(id)
		if err != nil {
			t.Fatal(err)
		}
		if names, err := caches.CacheNames(); err != nil || !slices.Equal(names, []string{want}) {
			t.Errorf("caches of %s: %v, %v", id, names, err)
		}
	}
	for id, want := range map[string]string{"shop": "SHOP", "admin": "ADMIN"} {
		sessions, err := s.Sessions(id)
		if err != nil {
			t.Fatal(err)
		}
		if got := visit(t, sessions).Name; got != want {
			t.Errorf("cookie %s, want %s", got, want)
		}
	}
	for id, want := range map[string]string{"": "several cacheManagers; ask for one of a, b", "c": `no cacheManager "c"; ask for one of a, b`} {
		if _, err := s.CacheManager(id); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", id, err, want)
		}
	}
	if _, err := s.Sessions(""); err == nil || !strings.Contains(err.Error(), "ask for one of shop, admin") {
		t.Errorf("got %v", err)
	}
}

// If one cache manager cannot be opened, none is.
func TestOpenAllOrNone(t *testing.T) {
	cfg := parse(t, "shop.yaml", `
cacheManager:
  - id: a
    provider: counted
  - id: b
    provider: odd
`)
	s, err := cfg.Open(t.Context())
	if s != nil || !errors.Is(err, jcache.ErrUnavailable) {
		t.Fatalf("got %v, %v", s, err)
	}
	if want := "shop.yaml:5:5: cacheManager[2]: jcache: open (odd): provider unavailable"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
	if n := openConnections.Load(); n != 0 {
		t.Errorf("%d connections are open", n)
	}
}

func TestOpenUnreachableServer(t *testing.T) {
	memcached := servertest.Memcached(t)
	memcached.Kill()
	cfg := parse(t, "shop.xml", `<keepsake>
  <cacheManager provider="memcached"><properties servers="`+memcached.Addr+`" startTimeout="${START_TIMEOUT:-300ms}"/></cacheManager>
</keepsake>`)
	_, err := cfg.Open(t.Context())
	if !errors.Is(err, jcache.ErrUnavailable) || !strings.HasPrefix(err.Error(), "shop.xml:2:3: cacheManager: jcache: open (memcached): ") ||
		!strings.HasSuffix(err.Error(), "or raise startTimeout") {
		t.Errorf("got %v", err)
	}
}

func TestOpenOnServer(t *testing.T) {
	memcached := servertest.Memcached(t)
	text := `<keepsake>
  <cacheManager provider="memcached"><properties servers="` + memcached.Addr + `"/></cacheManager>
  <httpSession cookieName="SID" idLength="22" invalidationTimeout="1h"/>
</keepsake>`
	sessions, err := open(t, parse(t, "shop.xml", text)).Sessions("")
	if err != nil {
		t.Fatal(err)
	}
	cookie := visit(t, sessions)
	if cookie.Name != "SID" || len(cookie.Value) != 22 {
		t.Errorf("cookie %v", cookie)
	}
	other, err := open(t, parse(t, "shop.xml", text)).Sessions("")
	if err != nil {
		t.Fatal(err)
	}
	h := other.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, ok, err := httpsession.Get[string](r.Context(), httpsession.From(r), "name")
		if name != "alice" || !ok || err != nil {
			t.Errorf("the other server finds %q, %v, %v", name, ok, err)
		}
	}))
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://shop.example/", nil)
	r.AddCookie(cookie)
	h.ServeHTTP(httptest.NewRecorder(), r)
}

// The provider's own file is found beside the configuration, and its cluster is used.
func TestOpenWithVendorFile(t *testing.T) {
	member := write(t, "hazelcast.xml", hazelcast.MemberConfig)
	cluster := servertest.Hazelcast(t, 1, member)
	file := write(t, "keepsake.xml", `<keepsake><cacheManager provider="hazelcast" uri="client.yaml"/></keepsake>`)
	client := "hazelcast-client:\n  network:\n    cluster-members: [" + strings.Join(cluster.Addrs, ", ") + "]\n"
	if err := os.WriteFile(filepath.Join(filepath.Dir(file), "client.yaml"), []byte(client), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := configfile.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	sessions, err := open(t, cfg).Sessions("")
	if err != nil {
		t.Fatal(err)
	}
	visit(t, sessions)
}

func TestCloseTwice(t *testing.T) {
	s := open(t, parse(t, "a.yaml", several))
	for range 2 {
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	caches, err := s.CacheManager("a")
	if err != nil {
		t.Fatal(err)
	}
	if !caches.Closed() {
		t.Error("the cache manager is open")
	}
}
