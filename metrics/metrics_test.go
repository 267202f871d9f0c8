package metrics_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/keepsake-cache/keepsake/httpsession"
	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/metrics"
	"github.com/keepsake-cache/keepsake/providers/memcached"
	"github.com/keepsake-cache/keepsake/providers/memory"
)

func TestHealthMetrics(t *testing.T) {
	h := jcache.Health{Pending: []string{"copies are made"}}
	h.Servers = []jcache.Server{{Name: "a:11211", Memory: 1 << 20, Used: 1000, Evictions: 7}, {Name: "b:11211", Down: "nobody listens there"}}
	h.Differences = []jcache.Difference{{What: "clock", Process: "a"}, {What: "clock", Process: "b"}, {What: "cookieName of sessions", Process: "b"}}
	want := `
# HELP keepsake_differences In how many other processes of the fleet something differs that should agree.
# TYPE keepsake_differences gauge
keepsake_differences{what="clock"} 2
keepsake_differences{what="cookieName of sessions"} 1
# HELP keepsake_ready Whether operations are carried out as configured, as /readyz says.
# TYPE keepsake_ready gauge
keepsake_ready 1
# HELP keepsake_safe Whether the next process of the fleet may be restarted, as /healthz says.
# TYPE keepsake_safe gauge
keepsake_safe 0
# HELP keepsake_server_evictions_total Live entries that it has dropped for lack of room since it was started.
# TYPE keepsake_server_evictions_total counter
keepsake_server_evictions_total{server="a:11211"} 7
# HELP keepsake_server_memory_bytes How much a server of the provider may fill, if it says so.
# TYPE keepsake_server_memory_bytes gauge
keepsake_server_memory_bytes{server="a:11211"} 1.048576e+06
# HELP keepsake_server_used_bytes How much of that it has filled.
# TYPE keepsake_server_used_bytes gauge
keepsake_server_used_bytes{server="a:11211"} 1000
# HELP keepsake_server_up Whether a server of the provider can be used, as far as is known.
# TYPE keepsake_server_up gauge
keepsake_server_up{server="a:11211"} 1
keepsake_server_up{server="b:11211"} 0
`
	if err := testutil.CollectAndCompare(metrics.Health(func() jcache.Health { return h }), strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}

// Caches are told of whose statistics are on, and others are not.
func TestCacheMetrics(t *testing.T) {
	caches, err := memory.Open(memory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = caches.Close(context.Background()) })
	for name, on := range map[string]bool{"prices": true, "silent": false} {
		c, err := jcache.CreateCache(t.Context(), caches, name, jcache.Options[string, int]{Statistics: on})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Put(t.Context(), "k", 1); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"k", "k", "none"} {
			if _, _, err := c.Get(t.Context(), key); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := `
# HELP keepsake_cache_hits_total How often an operation found a live entry.
# TYPE keepsake_cache_hits_total counter
keepsake_cache_hits_total{cache="prices"} 2
# HELP keepsake_cache_misses_total How often an operation found no live entry.
# TYPE keepsake_cache_misses_total counter
keepsake_cache_misses_total{cache="prices"} 1
# HELP keepsake_cache_puts_total How often a value was stored.
# TYPE keepsake_cache_puts_total counter
keepsake_cache_puts_total{cache="prices"} 1
# HELP keepsake_cache_removals_total How often an operation removed an entry.
# TYPE keepsake_cache_removals_total counter
keepsake_cache_removals_total{cache="prices"} 0
`
	if err := testutil.CollectAndCompare(metrics.Caches(caches), strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}

// TestAbandonedSessionsAreCounted: a session whose server is down is given up if the operator
// says so, and counted.
func TestAbandonedSessionsAreCounted(t *testing.T) {
	server := servertest.Memcached(t)
	caches, err := memcached.Open(t.Context(), memcached.Options{Servers: []string{server.Addr, servertest.Memcached(t).Addr}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = caches.Close(context.Background()) })
	sessions, err := httpsession.New(t.Context(), caches, httpsession.Options{WhenLost: httpsession.NewSession, Cookie: httpsession.Cookie{AllowHTTP: true}})
	if err != nil {
		t.Fatal(err)
	}
	handler := sessions.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if err := httpsession.From(r).Set("name", "alice"); err != nil {
			t.Error(err)
		}
	}))
	visit := func(cookie string) (status int, set string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Cookie", cookie)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w.Code, w.Header().Get("Set-Cookie")
	}
	var cookies []string
	for range 20 {
		_, cookie := visit("")
		cookies = append(cookies, cookie)
	}
	server.Kill()
	anew := 0
	for _, cookie := range cookies {
		status, set := visit(cookie)
		if status != http.StatusOK {
			t.Errorf("a visitor gets %d", status)
		}
		if set != "" {
			anew++
		}
	}
	want := fmt.Sprintf(`
# HELP keepsake_sessions_abandoned_total Sessions given up because their server was down, by whenLost.
# TYPE keepsake_sessions_abandoned_total counter
keepsake_sessions_abandoned_total %d
# HELP keepsake_sessions_vanished_total Sessions that were gone before their time during a request.
# TYPE keepsake_sessions_vanished_total counter
keepsake_sessions_vanished_total 0
`, anew)
	if err := testutil.CollectAndCompare(metrics.Sessions(sessions), strings.NewReader(want)); anew == 0 || err != nil {
		t.Errorf("%d visitors got new sessions: %v", anew, err)
	}
}
