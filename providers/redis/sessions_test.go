package redis_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/keepsake-cache/keepsake/httpsession"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// A visitor is a browser, and the web server that it visits.
type visitor struct {
	sessions *httpsession.Manager
	cookie   string
}

func newSessions(t testing.TB, p driver.Provider) *httpsession.Manager {
	t.Helper()
	manager, err := jcache.NewManager(p, jcache.ManagerOptions{Provider: "redis"})
	check(t, err)
	var opts httpsession.Options
	opts.Cookie.AllowHTTP = true
	opts.Logger = slog.New(slog.DiscardHandler)
	sessions, err := httpsession.New(t.Context(), manager, opts)
	check(t, err)
	return sessions
}

// visit sends a request whose handler is do.
func (v *visitor) visit(t testing.TB, do func(s *httpsession.Session, r *http.Request) error) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	if v.cookie != "" {
		r.Header.Set("Cookie", "session="+v.cookie)
	}
	w := httptest.NewRecorder()
	v.sessions.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		check(t, do(httpsession.From(r), r))
	})).ServeHTTP(w, r)
	if w.Code >= http.StatusInternalServerError {
		t.Errorf("the answer is %d: %s", w.Code, w.Body)
	}
	for _, c := range w.Result().Cookies() {
		v.cookie = c.Value
	}
}

func store(value any) func(*httpsession.Session, *http.Request) error {
	return func(s *httpsession.Session, _ *http.Request) error { return s.Set("n", value) }
}

func load(s *httpsession.Session, r *http.Request) error {
	_, _, err := httpsession.Get[int](r.Context(), s, "n")
	return err
}

// stored returns the names of the sessions' records.
func stored(t testing.TB, c driver.Cache) []string {
	t.Helper()
	m := ask(t, c, "KEYS", "keepsake:sessions:*")
	names, err := m.AsStrSlice()
	check(t, err)
	return names
}

// A visitor whose record is damaged gets another session, whatever the request does.
func TestADamagedSessionLocksNobodyOut(t *testing.T) {
	c, p := start(t)
	sessions := newSessions(t, p)
	actions := map[string]func(*httpsession.Session, *http.Request) error{
		"read": load, "write": store(2),
		"update": func(s *httpsession.Session, r *http.Request) error {
			_, err := httpsession.Update(r.Context(), s, "n", func(n int, _ bool) (int, error) { return n + 1, nil })
			return err
		},
		"logout": func(s *httpsession.Session, r *http.Request) error { return s.Invalidate(r.Context()) },
		"renew":  func(s *httpsession.Session, _ *http.Request) error { return s.Renew() },
	}
	for _, watched := range []bool{false, true} {
		if watched {
			watch(t, open(t, p, "sessions"))
		}
		for _, cut := range []int{0, 7, 8, 12, 15, 16, 17, 19} { // of the envelope, of the identifier, of the session
			for name, action := range actions {
				v := &visitor{sessions: sessions}
				v.visit(t, store(1))
				keys := stored(t, c)
				if len(keys) != 1 {
					t.Fatalf("%s: %d records of one visitor", name, len(keys))
				}
				ask(t, c, "SET", keys[0], word(t, c, "GET", keys[0])[:cut])
				for _, next := range []func(*httpsession.Session, *http.Request) error{action, load, store(3), load} {
					if v.visit(t, next); t.Failed() {
						t.Fatalf("watched %v, cut after %d bytes: %s", watched, cut, name)
					}
				}
				ask(t, c, append([]string{"DEL"}, stored(t, c)...)...)
			}
		}
	}
}

// A session is read by one command, and changed by two, in as many round trips.
func TestSessionRoundTrips(t *testing.T) {
	c, p := start(t)
	v := &visitor{sessions: newSessions(t, p)}
	v.visit(t, store(0))
	const n = 10
	calls, leases := counted(t, c, func() {
		for range n {
			v.visit(t, load)
		}
	})
	if got := calls("get"); got < n || got > n+2*leases || calls("evalsha") != 0 {
		t.Errorf("%d requests that read: %d get, %d evalsha", n, got, calls("evalsha"))
	}
	calls, leases = counted(t, c, func() {
		for i := range n {
			v.visit(t, store(i+1))
		}
	})
	if got := calls("get"); got < n || got > n+2*leases || calls("evalsha") != n {
		t.Errorf("%d requests that write: %d get, %d evalsha", n, got, calls("evalsha"))
	}
}

// TestSessionSizes measures the table of docs/operations.md.
func TestSessionSizes(t *testing.T) {
	for _, test := range []struct {
		name  string
		bytes int // as the table says; another allocator may need a tenth more
		visit func(t testing.TB, v *visitor)
	}{
		{"50 bytes of attributes", 248, func(t testing.TB, v *visitor) { v.visit(t, store(make([]byte, 50))) }},
		{"500 bytes", 760, func(t testing.TB, v *visitor) { v.visit(t, store(make([]byte, 500))) }},
		{"2,000 bytes", 2680, func(t testing.TB, v *visitor) { v.visit(t, store(make([]byte, 2000))) }},
		{"a logout", 184, func(t testing.TB, v *visitor) {
			v.visit(t, store(0))
			v.visit(t, func(s *httpsession.Session, r *http.Request) error { return s.Invalidate(r.Context()) })
		}},
	} {
		c, p := start(t)
		const n = 100
		sessions := newSessions(t, p)
		for range n {
			test.visit(t, &visitor{sessions: sessions})
		}
		keys := stored(t, c)
		if len(keys) != n {
			t.Fatalf("%s: %d keys for %d visitors", test.name, len(keys), n)
		}
		total := 0
		for _, key := range keys {
			total += int(number(t, ask(t, c, "MEMORY", "USAGE", key)))
		}
		t.Logf("%s: %d bytes", test.name, total/n)
		if total/n > test.bytes*11/10 {
			t.Errorf("%s: %d bytes, and the table says %d", test.name, total/n, test.bytes)
		}
	}
}
