package httpsession_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keepsake-cache/keepsake/httpsession"
)

// A handler within http.TimeoutHandler that takes too long: the visitor has 503 and no
// cookie, so his session must be found under the id that he has.
func TestTimeoutHandler(t *testing.T) {
	for _, query := range []string{"/?renew&set=user&value=ann", "/?renew&incr=n", "/?invalidate&set=user&value=ann"} {
		synctest.Test(t, func(t *testing.T) {
			site := newSite(t, httpsession.Options{}, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Query().Has("slow") {
					time.Sleep(time.Second)
				}
				app(w, r)
			})
			plain, b := site.server(), newBrowser(t)
			server := http.TimeoutHandler(plain, 100*time.Millisecond, "slow")
			b.want(plain, "/?set=cart&value=3", 200, "")
			if w := b.get(server, query+"&slow"); w.Code != 503 || len(w.Result().Cookies()) != 0 {
				t.Errorf("%s: %d %v", query, w.Code, w.Result().Cookies())
			}
			time.Sleep(2 * time.Second)
			b.want(plain, "/?get=cart", 200, "3")
			b.want(plain, "/?get=user", 404, "none\n")
			b.want(server, "/?set=user&value=ann", 200, "") // in time
			b.want(plain, "/?get=user", 200, "ann")
		})
	}
	// The other way round the handler that is late learns it.
	synctest.Test(t, func(t *testing.T) {
		late := make(chan error, 1)
		site := newSite(t, httpsession.Options{}, nil)
		site.handler = http.TimeoutHandler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Second)
			late <- httpsession.From(r).Set("user", "ann")
		}), 100*time.Millisecond, "slow")
		if w := newBrowser(t).get(site.server(), "/"); w.Code != 503 {
			t.Errorf("status %d", w.Code)
		}
		if err := <-late; !errors.Is(err, httpsession.ErrRequestOver) {
			t.Errorf("%v, want ErrRequestOver", err)
		}
	})
}

func TestAStreamUsesItsSession(t *testing.T) {
	for _, idle := range []time.Duration{time.Second, 30 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			site := newSite(t, httpsession.Options{MaxInactive: idle}, nil)
			server, b := site.server2(app), newBrowser(t)
			b.want(server, "/?set=user&value=ann", 200, "")
			stream := site.server2(func(w http.ResponseWriter, r *http.Request) {
				get := func(name string) string {
					v, _, err := httpsession.Get[string](r.Context(), httpsession.From(r), name)
					if err != nil {
						t.Error(err)
					}
					w.(http.Flusher).Flush()
					return v
				}
				for range 30 { // it keeps the session alive
					if get("user") != "ann" {
						t.Fatal("the session is gone")
					}
					time.Sleep(idle / 10)
				}
				b.want(server, "/?get=user", 200, "ann")
				b.want(server, "/?set=theme&value=dark", 200, "")
				if got := get("theme"); got != "dark" { // it sees what others do
					t.Errorf("the theme is %q", got)
				}
				set(t, r, "seen", "1") // and they what it does
				b.want(server, "/?get=seen", 200, "1")
				before := site.spy.ops.Load()
				for range 100 { // what comes between two flushes sees one state
					if _, _, err := httpsession.Get[string](r.Context(), httpsession.From(r), "user"); err != nil {
						t.Error(err)
					}
				}
				if n := site.spy.ops.Load() - before; n > 1 {
					t.Errorf("%d round trips for reads of one moment", n)
				}
				b.want(server, "/?invalidate", 200, "")
				time.Sleep(101 * time.Millisecond) // unless it lasts
				if get("user") != "" {
					t.Error("the stream has not noticed the logout")
				}
				if err := httpsession.From(r).Set("late", 1); !errors.Is(err, httpsession.ErrEnded) {
					t.Errorf("a change after the logout: %v, want ErrEnded", err)
				}
			})
			stream.ServeHTTP(httptest.NewRecorder(), b.request(http.MethodGet, "/", nil))
		})
	}
}

// Once the response has begun, the error of a change is its caller's.
func TestLateChangesAreTheirCallersErrors(t *testing.T) {
	site := newSite(t, httpsession.Options{}, nil)
	late := func(w http.ResponseWriter, r *http.Request) map[string]error {
		w.(http.Flusher).Flush()
		s := httpsession.From(r)
		_, update := httpsession.Update(r.Context(), s, "n", func(n int, _ bool) (int, error) { return n + 1, nil })
		return map[string]error{"Set": s.Set("k", "v"), "Create": s.Create(), "SetMaxInactive": s.SetMaxInactive(time.Hour), "Update": update, "Renew": s.Renew()}
	}
	newBrowser(t).get(site.server2(func(w http.ResponseWriter, r *http.Request) {
		for name, err := range late(w, r) {
			if !errors.Is(err, httpsession.ErrHeadersSent) {
				t.Errorf("%s without a session: %v, want ErrHeadersSent", name, err)
			}
		}
		if err := errors.Join(httpsession.From(r).Delete("k"), httpsession.From(r).Invalidate(r.Context())); err != nil {
			t.Errorf("what needs no cookie: %v", err)
		}
	}), "/")
	b := newBrowser(t)
	b.get(site.server2(app), "/?set=k&value=old")
	b.get(site.server2(func(w http.ResponseWriter, r *http.Request) {
		site.spy.fail(errors.New("the store is gone"))
		for name, err := range late(w, r) {
			if err == nil {
				t.Errorf("%s: no error, and nothing is stored", name)
			}
		}
		if err := httpsession.From(r).Invalidate(r.Context()); err == nil {
			t.Error("Invalidate: no error, and the session is alive")
		}
		site.spy.heal()
		if err := httpsession.From(r).Invalidate(r.Context()); err != nil {
			t.Errorf("Invalidate, repeated: %v", err)
		}
	}), "/")
	b.want(site.server2(app), "/?get=k", 404, "none\n")
}

// The client's end does not stop what is stored at once; a deadline and the handler's own
// decision do.
func TestUpdateOutlivesTheClient(t *testing.T) {
	incr := func(ctx context.Context, r *http.Request) error {
		_, err := httpsession.Update(ctx, httpsession.From(r), "n", func(n int, _ bool) (int, error) { return n + 1, nil })
		return err
	}
	type key struct{}
	for name, use := range map[string]func(r *http.Request, hangUp func()) (err, want error){
		"hung up before": func(r *http.Request, hangUp func()) (error, error) { hangUp(); return incr(r.Context(), r), nil },
		"with a value": func(r *http.Request, hangUp func()) (error, error) {
			hangUp()
			return incr(context.WithValue(r.Context(), key{}, 1), r), nil
		},
		"during": func(r *http.Request, hangUp func()) (error, error) {
			_, err := httpsession.Update(r.Context(), httpsession.From(r), "n", func(n int, _ bool) (int, error) { hangUp(); return n + 1, nil })
			return err, nil
		},
		"with time left": func(r *http.Request, hangUp func()) (error, error) {
			ctx, cancel := context.WithTimeout(r.Context(), time.Hour)
			defer cancel()
			hangUp()
			return incr(ctx, r), nil
		},
		"given up": func(r *http.Request, _ func()) (error, error) {
			ctx, cancel := context.WithCancel(r.Context())
			cancel()
			return incr(ctx, r), context.Canceled
		},
		"out of time": func(r *http.Request, hangUp func()) (error, error) {
			ctx, cancel := context.WithDeadline(r.Context(), time.Now().Add(-time.Second))
			defer cancel()
			hangUp()
			return incr(ctx, r), context.DeadlineExceeded
		},
	} {
		site := newSite(t, httpsession.Options{}, nil)
		b := newBrowser(t)
		b.get(site.server2(app), "/?set=k&value=v")
		r := b.request(http.MethodGet, "/", nil)
		ctx, cancel := context.WithCancel(r.Context())
		var want error
		site.server2(func(_ http.ResponseWriter, r *http.Request) {
			var err error
			if err, want = use(r, cancel); !errors.Is(err, want) || (err == nil) != (want == nil) {
				t.Errorf("%s: %v, want %v", name, err, want)
			}
		}).ServeHTTP(httptest.NewRecorder(), r.WithContext(ctx))
		cancel()
		b.want(site.server2(app), "/?incr=n", 200, map[bool]string{true: "2", false: "1"}[want == nil])
	}
	// So does a logout.
	site := newSite(t, httpsession.Options{}, nil)
	b := newBrowser(t)
	b.get(site.server2(app), "/?set=k&value=v")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	site.server2(app).ServeHTTP(httptest.NewRecorder(), b.request(http.MethodGet, "/?invalidate", nil).WithContext(ctx))
	b.want(site.server2(app), "/?get=k", 404, "none\n")
}
