package httpsession_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keepsake-cache/keepsake/httpsession"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/memory"
)

// What a session cannot hold is said by Set, and changes nothing.
func TestTooLarge(t *testing.T) {
	caches, err := memory.Open(memory.Options{MaxBytes: 20_000})
	if err != nil {
		t.Fatal(err)
	}
	defer caches.Close(context.Background()) //nolint:errcheck // memory has nothing to lose
	m, err := httpsession.New(t.Context(), caches, httpsession.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	b := newBrowser(t)
	request := func(do func(ctx context.Context, s *httpsession.Session)) {
		t.Helper()
		if w := b.get(m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { do(r.Context(), httpsession.From(r)) })), "/"); w.Code != 200 {
			t.Errorf("status %d", w.Code)
		}
	}
	large := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, httpsession.ErrTooLarge) || !errors.Is(err, jcache.ErrTooLarge) || httpsession.Status(err) != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: %v, status %d", what, err, httpsession.Status(err))
		}
	}
	ok := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	is := func(ctx context.Context, s *httpsession.Session, name string, size int) {
		t.Helper()
		if v, _, err := httpsession.Get[string](ctx, s, name); len(v) != size || err != nil {
			t.Errorf("%s has %d bytes, %v, want %d", name, len(v), err, size)
		}
	}
	request(func(ctx context.Context, s *httpsession.Session) {
		ok("a value", s.Set("a", strings.Repeat("x", 9000)))
		large("a value alone", s.Set("a", strings.Repeat("x", 30_000)))
		ok("a second one", s.Set("b", strings.Repeat("x", 9000)))
		large("a third one", s.Set("c", strings.Repeat("x", 9000)))
		is(ctx, s, "a", 9000)
		is(ctx, s, "c", 0)
		large("a name", s.Set(strings.Repeat("n", 256), 1))
		large("a name", s.Delete(strings.Repeat("n", 256)))
		ok("the longest name", s.Set(strings.Repeat("n", 255), 1))
		if err := s.Set("", 1); !errors.Is(err, jcache.ErrInvalid) {
			t.Errorf("no name: %v", err)
		}
	})
	request(func(ctx context.Context, s *httpsession.Session) {
		is(ctx, s, "b", 9000)
		large("with what is stored", s.Set("c", strings.Repeat("x", 9000)))
		ok("in its place", s.Set("a", strings.Repeat("y", 9500)))
		ok("out of the way", s.Delete("b"))
		ok("now there is room", s.Set("c", strings.Repeat("x", 9000)))
	})
	request(func(ctx context.Context, s *httpsession.Session) {
		_, err := httpsession.Update(ctx, s, "a", func(v string, _ bool) (string, error) { return v + strings.Repeat("z", 10_000), nil })
		large("an Update", err)
		is(ctx, s, "a", 9500)
		is(ctx, s, "c", 9000)
	})
	// Setting many again and again, where there is hardly room, takes no longer for each.
	many := func(ctx context.Context, s *httpsession.Session) {
		if err := s.Delete("a"); err != nil {
			t.Error(err)
		}
		ok("c", s.Set("c", ""))
		for i := range 300 {
			ok("many", s.Set(fmt.Sprint("many", i), "xxxxxxxxxxxxxxxxxxxx"))
		}
	}
	request(many)
	request(func(ctx context.Context, s *httpsession.Session) {
		is(ctx, s, "many7", 20)
		many(ctx, s)
	})
	request(func(_ context.Context, s *httpsession.Session) {
		for i := range 300 {
			ok("out of the way", s.Delete(fmt.Sprint("many", i)))
		}
		ok("c", s.Set("c", strings.Repeat("x", 9000)))
		ok("b", s.Set("b", strings.Repeat("x", 500)))
	})
	// What Set could not know is said by the answer.
	if w := b.get(m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		ok("not looked up", httpsession.From(r).Set("d", strings.Repeat("x", 12_000)))
	})), "/"); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("status %d", w.Code)
	}
}

func TestIdleTimesThatMakeNoSense(t *testing.T) {
	caches, err := memory.Open(memory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer caches.Close(context.Background()) //nolint:errcheck // memory has nothing to lose
	hour := int64(3600)
	for _, d := range []time.Duration{0, -1, -time.Second, time.Nanosecond, 999 * time.Microsecond, math.MinInt64, httpsession.Forever - 1,
		time.Duration(hour*1e15) * time.Hour, 101 * 365 * 24 * time.Hour} {
		site := newSite(t, httpsession.Options{}, func(_ http.ResponseWriter, r *http.Request) {
			if err := httpsession.From(r).SetMaxInactive(d); !errors.Is(err, jcache.ErrInvalid) {
				t.Errorf("SetMaxInactive(%v): %v", d, err)
			}
			if info, ok, err := httpsession.From(r).Info(r.Context()); ok || err != nil {
				t.Errorf("it made a session: %v %v", info, err)
			}
		})
		newBrowser(t).get(site.server(), "/")
		if _, err := httpsession.New(t.Context(), caches, httpsession.Options{MaxInactive: d}); (err == nil) != (d == 0) {
			t.Errorf("MaxInactive %v: %v", d, err)
		}
	}
	for _, d := range []time.Duration{-1, httpsession.Forever - 1} {
		if _, err := httpsession.New(t.Context(), caches, httpsession.Options{Lifetime: d}); err == nil {
			t.Errorf("Lifetime %v was accepted", d)
		}
	}
	opts, err := httpsession.Options{MaxInactive: 1500 * time.Microsecond, Lifetime: httpsession.Forever}.WithDefaults()
	if err != nil || opts.MaxInactive != 2*time.Millisecond || opts.Lifetime != 0 {
		t.Errorf("%v %v %v", opts.MaxInactive, opts.Lifetime, err)
	}
}

func TestForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		site := newSite(t, httpsession.Options{MaxInactive: httpsession.Forever}, app)
		server, b := site.server(), newBrowser(t)
		b.want(server, "/?set=k&value=v", 200, "")
		time.Sleep(50 * 365 * 24 * time.Hour)
		b.want(server, "/?get=k", 200, "v")
		b.get(site.server2(func(_ http.ResponseWriter, r *http.Request) {
			s := httpsession.From(r)
			info, _, err := s.Info(r.Context())
			if err != nil || info.MaxInactive != httpsession.Forever {
				t.Errorf("%v %v", info, err)
			}
			if err := s.SetMaxInactive(info.MaxInactive); err != nil {
				t.Errorf("what Info says cannot be set: %v", err)
			}
		}), "/")
	})
}

// A stored session that was destroyed is none, whatever a request does, and whenever it
// finds out; then the visitor gets a new one.
func TestDestroyedSessionsLockNobodyOut(t *testing.T) {
	damages := map[string]func(record []byte) []byte{
		"empty":     func([]byte) []byte { return []byte{} },
		"garbage":   func([]byte) []byte { return []byte("not ours at all, whoever wrote it here") },
		"cut short": func(r []byte) []byte { return r[:len(r)-1] },
		"longer":    func(r []byte) []byte { return append(bytes.Clone(r), 1, 2, 3) },
		"no body":   func(r []byte) []byte { return r[:10] },
		"of later":  func(r []byte) []byte { return append(bytes.Clone(r[:10]), 0xff) },
	}
	for name, damage := range damages {
		for _, target := range []string{"/?get=k", "/?set=k&value=w", "/?incr=n", "/?info", "/?delete=k", "/?renew", "/?renew&set=k&value=w", "/?invalidate", "/?timeout=1h"} {
			for _, when := range []string{"before", "during"} {
				var logs bytes.Buffer
				site := newSite(t, httpsession.Options{Logger: slog.New(slog.NewTextHandler(&logs, nil))}, nil)
				b := newBrowser(t)
				destroy := func() {
					cache, err := site.spy.Provider.OpenCache(t.Context(), "sessions", driver.CacheOptions{})
					if err != nil {
						t.Fatal(err)
					}
					for item := range cache.(driver.Scanner).Scan(t.Context()) {
						if err := cache.Put(t.Context(), item.Key, damage(item.Record), time.Time{}); err != nil {
							t.Fatal(err)
						}
					}
				}
				b.want(site.server2(app), "/?set=k&value=v", 200, "")
				w := b.get(site.server2(func(w http.ResponseWriter, r *http.Request) {
					if when == "during" {
						if _, ok, err := httpsession.From(r).Info(r.Context()); !ok || err != nil {
							t.Error(ok, err)
						}
					}
					destroy()
					app(w, r)
				}), target)
				if w.Code >= 500 {
					t.Errorf("%s, %s %s: %d", name, target, when, w.Code)
				}
				if logged := strings.Contains(logs.String(), "cannot be decoded"); !logged && (when == "before" && target != "/?delete=k" || strings.Contains(target, "set")) {
					t.Errorf("%s, %s %s: not logged", name, target, when)
				}
				destroy()
				b.want(site.server2(app), "/?set=k&value=new", 200, "")
				b.want(site.server2(app), "/?get=k", 200, "new")
			}
		}
	}
}

// Times are the same on every server and in every request, to the microsecond.
func TestTimesAreTheSameEverywhere(t *testing.T) {
	for _, pause := range []time.Duration{0, 3 * time.Millisecond, 50 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			var info httpsession.Info
			site := newSite(t, httpsession.Options{MaxInactive: time.Second}, func(_ http.ResponseWriter, r *http.Request) {
				s := httpsession.From(r)
				show := func() {
					var err error
					if info, _, err = s.Info(r.Context()); err != nil {
						t.Error(err)
					}
				}
				if !r.URL.Query().Has("create") {
					show()
					return
				}
				set(t, r, "k", "v")
				show()
				first := info
				time.Sleep(pause) // the request takes its time
				if _, err := httpsession.Update(r.Context(), s, "n", func(int, bool) (int, error) { return 1, nil }); err != nil {
					t.Error(err)
				}
				if show(); !info.Created.Equal(first.Created) || !info.LastAccessed.Equal(first.LastAccessed) {
					t.Errorf("within the request %v became %v", first, info)
				}
				time.Sleep(pause)
				set(t, r, "k", "w")
			})
			a, b, visitor := site.server(), site.server(), newBrowser(t)
			visitor.get(a, "/?create")
			first := info
			if !first.Created.Equal(first.Created.Truncate(time.Microsecond)) || !first.LastAccessed.Equal(first.Created) {
				t.Errorf("%v", first)
			}
			visitor.get(b, "/")
			if !info.Created.Equal(first.Created) || !info.LastAccessed.Equal(first.LastAccessed) || info.MaxInactive != first.MaxInactive {
				t.Errorf("after %v: on A %v, on B %v", pause, first, info)
			}
		})
	}
}

// Only what needs a session makes one.
func TestWhatMakesASession(t *testing.T) {
	site := newSite(t, httpsession.Options{}, app)
	server := site.server()
	for target, want := range map[string]int{
		"/?get=k": 0, "/?info": 0, "/?delete=k": 0, "/?renew": 0, "/?invalidate": 0, "/?renew&delete=k": 0, "/?invalidate&renew&delete=k": 0,
		"/?set=k&value=v": 1, "/?set=k&value=v&delete=k": 1, "/?renew&set=k&value=v": 1, "/?incr=n": 1, "/?timeout=1h": 1, "/?invalidate&set=k&value=v": 1,
	} {
		before := site.spy.ops.Load()
		b := newBrowser(t)
		if w := b.get(server, target); len(w.Result().Cookies()) != want {
			t.Errorf("%s: %d cookies, want %d", target, len(w.Result().Cookies()), want)
		}
		if n := site.spy.ops.Load() - before; n != int64(want) {
			t.Errorf("%s: %d round trips, want %d", target, n, want)
		}
	}
}

func TestQuotedCookies(t *testing.T) {
	site := newSite(t, httpsession.Options{}, app)
	server, b := site.server(), newBrowser(t)
	b.get(server, "/?set=k&value=v")
	r := httptest.NewRequest(http.MethodGet, "/?get=k", nil)
	r.Header.Set("Cookie", fmt.Sprintf("__Host-session=%q", b.id()))
	w := httptest.NewRecorder()
	if server.ServeHTTP(w, r); w.Body.String() != "v" {
		t.Errorf("%d %q", w.Code, w.Body.String())
	}
}
