package hazelcast_test

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/httpsession"
	"github.com/keepsake-cache/keepsake/internal/logtest"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/hazelcast"
)

// A site is a web server with sessions, whose handler does what a test asks for.
type site struct {
	sessions *httpsession.Manager
}

func newSite(t testing.TB, p driver.Provider, opts httpsession.Options) *site {
	t.Helper()
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	manager, err := jcache.NewManager(p, jcache.ManagerOptions{Logger: opts.Logger})
	must(t, err)
	opts.Cookie.AllowHTTP = true
	sessions, err := httpsession.New(limited(t, time.Minute), manager, opts)
	must(t, err)
	return &site{sessions}
}

// A visitor is a browser with a cookie.
type visitor struct{ cookie string }

// visit sends a request whose handler is do, and returns the error of do or of the response.
func (s *site) visit(ctx context.Context, v *visitor, do func(context.Context, *httpsession.Session) error) error {
	var failed error
	h := s.sessions.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		failed = do(r.Context(), httpsession.From(r))
	}))
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
	if v.cookie != "" {
		r.Header.Set("Cookie", "session="+v.cookie)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if c.Name == "session" {
			v.cookie = c.Value
		}
	}
	if failed == nil && w.Code >= http.StatusBadRequest {
		failed = context.DeadlineExceeded
	}
	return failed
}

func set(name, value string) func(context.Context, *httpsession.Session) error {
	return func(_ context.Context, s *httpsession.Session) error { return s.Set(name, value) }
}

func renew(_ context.Context, s *httpsession.Session) error    { return s.Renew() }
func logout(ctx context.Context, s *httpsession.Session) error { return s.Invalidate(ctx) }

// alive reports whether the visitor's cookie stands for a session.
func (s *site) alive(ctx context.Context, v visitor) (there bool, err error) {
	err = s.visit(ctx, &v, func(ctx context.Context, s *httpsession.Session) (err error) {
		_, there, err = s.Info(ctx)
		return err
	})
	return there, err
}

// TestMembersForgetSessions looks at how long members keep each kind of a session's records, in
// maps of all configurations.
func TestMembersForgetSessions(t *testing.T) {
	t.Parallel()
	const slack = 2 * time.Minute // of a life that is rounded up
	byDefault := map[string]time.Duration{recommended: 2 * time.Hour, short: 3 * time.Second}
	for _, prefix := range []string{recommended, short, none} {
		for _, idle := range []time.Duration{5 * time.Second, 3 * time.Hour} {
			t.Run(prefix+idle.String(), func(t *testing.T) {
				t.Parallel()
				ctx := limited(t, time.Minute)
				var log logtest.Log
				p := connect(t, hazelcast.Options{MapPrefix: prefix, Logger: slog.New(slog.NewTextHandler(&log, nil))})
				name := strings.ReplaceAll(t.Name(), "/", "_")
				s := newSite(t, p, httpsession.Options{CacheName: name, MaxInactive: idle})
				raw, err := p.OpenCache(ctx, name, driver.CacheOptions{LongestTTL: time.Hour})
				must(t, err)
				marks, err := p.OpenCache(ctx, name+".ended", driver.CacheOptions{})
				must(t, err)
				keptIn := func(raw driver.Cache, what string, most time.Duration) {
					t.Helper()
					keys, err := mapOf(raw).GetKeySet(ctx)
					must(t, err)
					if len(keys) == 0 {
						t.Errorf("%s: there is no record", what)
					}
					for _, key := range keys {
						view, err := mapOf(raw).GetEntryView(ctx, key)
						must(t, err)
						if view == nil {
							continue
						}
						if got := time.Duration(view.TTL) * time.Millisecond; view.TTL == math.MaxInt64 || got > most {
							t.Errorf("%s: members keep it for %v (%d ms), want %v at most", what, got, view.TTL, most)
						}
					}
				}
				kept := func(what string, most time.Duration) { t.Helper(); keptIn(raw, what, most) }
				life := max(idle, 10*time.Minute) + slack // a session's, or its tombstone's
				v := &visitor{}
				must(t, s.visit(ctx, v, set("a", "1")))
				kept("a session", life)
				must(t, s.visit(ctx, v, set("a", "2")))
				kept("a session that was written", max(life, byDefault[prefix]))
				if idle < time.Minute {
					wait(in(idle / 50))
					_, err := s.alive(ctx, *v)
					must(t, err)
					kept("a session that was touched", max(life, byDefault[prefix]))
				}
				must(t, s.visit(ctx, v, renew))
				kept("a session that was renewed, and its tombstone", max(life, byDefault[prefix]))
				must(t, s.visit(ctx, v, logout))
				kept("a session that has ended", max(life, byDefault[prefix]))
				keptIn(marks, "what ended it", life+time.Hour)
				must(t, s.visit(ctx, &visitor{}, func(_ context.Context, s *httpsession.Session) error {
					return errors.Join(s.Set("a", "1"), s.SetMaxInactive(24*time.Hour))
				}))
				kept("a session of a longer life of its own", 48*time.Hour)
				promised := prefix == none || prefix == short || idle > 2*time.Hour
				if said := strings.Count(log.String(), "takes a second round trip"); said > 1+1 || (said > 0) != promised {
					t.Errorf("the log is %q", log.String())
				}
			})
		}
	}
}
