package httpsession_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keepsake-cache/keepsake/httpsession"
	"github.com/keepsake-cache/keepsake/jcache"
)

func TestServersShareSessions(t *testing.T) {
	site := newSite(t, httpsession.Options{}, app)
	a, b := site.server(), site.server()
	alice, bob := newBrowser(t), newBrowser(t)

	alice.want(a, "/?set=name&value=alice", 200, "")
	alice.want(b, "/?get=name", 200, "alice")
	bob.want(a, "/?get=name", 404, "none\n")
	bob.want(b, "/?set=name&value=bob", 200, "")
	alice.want(a, "/?get=name", 200, "alice")
	alice.want(b, "/?delete=name", 200, "")
	alice.want(a, "/?get=name", 404, "none\n")
	alice.want(a, "/?info", 200, "true")
}

func TestRoundTrips(t *testing.T) {
	site := newSite(t, httpsession.Options{}, app)
	server, b := site.server(), newBrowser(t)
	for _, step := range []struct {
		name, target string
		ops          int64
	}{
		{"untouched without a cookie", "/", 0},
		{"create", "/?set=n&value=1", 1},
		{"untouched", "/", 0},
		{"read", "/?get=n", 1},
		{"write", "/?set=n&value=2", 2},
		{"write what is there", "/?get=n&set=n&value=2", 2},
		{"delete", "/?delete=n", 2},
		{"increment", "/?incr=count", 2},
		{"increment and write", "/?incr=count&set=n&value=1", 2},
		{"info", "/?info", 1},
		{"idle time", "/?timeout=5m", 2},
		{"invalidate", "/?invalidate", 2},
		{"read nothing", "/?get=n", 0},
	} {
		before := site.spy.ops.Load()
		if w := b.get(server, step.target); w.Code != 200 && w.Code != 404 {
			t.Errorf("%s: status %d", step.name, w.Code)
		}
		if got := site.spy.ops.Load() - before; got != step.ops {
			t.Errorf("%s: %d round trips, want %d", step.name, got, step.ops)
		}
	}
}

// A change counts even if it is to what the request has read: meanwhile somebody else may
// have stored something else, and the last writer wins.
func TestTheLastWriterWins(t *testing.T) {
	for _, test := range []struct{ start, slow, other, want string }{
		{"/?set=k&value=old", "/?get=k&set=k&value=old", "/?set=k&value=new", "old"},
		{"/?set=k&value=old", "/?get=k&set=k&value=old", "/?delete=k", "old"},
		{"/?set=other&value=x", "/?info&delete=k", "/?set=k&value=new", ""},
		{"/?set=k&value=old", "/?get=k&delete=k", "/?set=k&value=new", ""},
	} {
		o := newOverlap(t)
		a, b, visitor := o.site.server(), o.site.server(), newBrowser(t)
		visitor.get(a, test.start)
		if w := o.run(b, visitor, test.slow, func() { visitor.want(a, test.other, 200, "") }); w.Code != 200 {
			t.Errorf("%s: status %d", test.slow, w.Code)
		}
		if test.want == "" {
			visitor.want(a, "/?get=k", 404, "none\n")
		} else {
			visitor.want(a, "/?get=k", 200, test.want)
		}
	}
}

func TestIdleTimeIsExact(t *testing.T) {
	for _, idle := range []time.Duration{200 * time.Millisecond, 3 * time.Second, 30 * time.Minute, 40 * 24 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			site := newSite(t, httpsession.Options{MaxInactive: idle}, app)
			server, b := site.server(), newBrowser(t)
			slack := min(idle/100, time.Minute)

			b.want(server, "/?set=k&value=v", 200, "")
			for range 5 { // used again and again, it lives on
				time.Sleep(idle - time.Millisecond)
				b.want(server, "/?get=k", 200, "v")
			}
			time.Sleep(slack / 2) // a use that is not worth recording
			b.want(server, "/?get=k", 200, "v")
			time.Sleep(idle - time.Millisecond)
			b.want(server, "/?get=k", 200, "v")
			time.Sleep(idle + slack + time.Millisecond)
			b.want(server, "/?get=k", 404, "none\n")
		})
	}
}

func TestUsesAreRecordedNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		site := newSite(t, httpsession.Options{MaxInactive: 100 * time.Second}, app)
		server, b := site.server(), newBrowser(t)
		b.get(server, "/?set=k&value=v")
		before := site.spy.ops.Load()
		for range 100 {
			time.Sleep(100 * time.Millisecond)
			b.want(server, "/?get=k", 200, "v")
		}
		if touches := site.spy.ops.Load() - before - 100; touches < 8 || touches > 10 {
			t.Errorf("%d uses were recorded in 10 s, want one each second", touches)
		}
	})
}

func TestIdleTimeOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		site := newSite(t, httpsession.Options{}, app)
		a, b, browser := site.server(), site.server(), newBrowser(t)
		browser.want(a, "/?set=k&value=v&timeout=2s", 200, "")
		time.Sleep(1900 * time.Millisecond)
		browser.want(b, "/?get=k", 200, "v")
		time.Sleep(2100 * time.Millisecond)
		browser.want(b, "/?get=k", 404, "none\n")

		browser.want(a, "/?set=k&value=v&timeout="+httpsession.Forever.String(), 200, "")
		time.Sleep(100 * 24 * time.Hour)
		browser.want(b, "/?get=k", 200, "v")
	})
}

func TestLifetimeEndsHoweverMuchItIsUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		site := newSite(t, httpsession.Options{MaxInactive: 10 * time.Minute, Lifetime: time.Hour}, app)
		server, b := site.server(), newBrowser(t)
		b.want(server, "/?set=k&value=v", 200, "")
		for range 11 {
			time.Sleep(5 * time.Minute)
			b.want(server, "/?get=k&renew", 200, "v") // renewing does not prolong it
		}
		time.Sleep(5 * time.Minute)
		b.want(server, "/?get=k", 404, "none\n")
	})
}

func TestInfo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var info httpsession.Info
		var ok bool
		site := newSite(t, httpsession.Options{MaxInactive: time.Minute}, func(_ http.ResponseWriter, r *http.Request) {
			s := httpsession.From(r)
			var err error
			switch r.URL.Path {
			case "/create":
				err = s.Create()
			case "/set":
				err = errors.Join(s.Set("a", 1), s.Set("b", 2), s.Set("c", 3), s.Delete("b"))
			}
			if err == nil {
				info, ok, err = s.Info(r.Context())
			}
			if err != nil {
				t.Error(err)
			}
			slices.Sort(info.Attributes)
		})
		server, b := site.server(), newBrowser(t)
		check := func(path string, want httpsession.Info, exists bool) {
			t.Helper()
			info = httpsession.Info{}
			b.get(server, path)
			if ok != exists || fmt.Sprint(info) != fmt.Sprint(want) {
				t.Errorf("%s: %v %v, want %v %v", path, info, ok, want, exists)
			}
		}
		start := time.Now()
		check("/", httpsession.Info{}, false)
		want := httpsession.Info{New: true, Created: start, LastAccessed: start, MaxInactive: time.Minute}
		check("/create", want, true)
		time.Sleep(10 * time.Second)
		want.New = false
		check("/", want, true)
		time.Sleep(10 * time.Second)
		want.LastAccessed = start.Add(10 * time.Second)
		want.Attributes = []string{"a", "c"}
		check("/set", want, true)
		time.Sleep(10 * time.Second)
		want.LastAccessed = start.Add(20 * time.Second)
		check("/", want, true)
	})
}

func TestValuesAreCopies(t *testing.T) {
	type cart struct{ Items []string }
	site := newSite(t, httpsession.Options{}, func(_ http.ResponseWriter, r *http.Request) {
		ctx, s := r.Context(), httpsession.From(r)
		mine := cart{Items: []string{"tea"}}
		if err := s.Set("cart", mine); err != nil {
			t.Fatal(err)
		}
		mine.Items[0] = "coffee"
		for range 2 {
			got, ok, err := httpsession.Get[cart](ctx, s, "cart")
			if err != nil || !ok || got.Items[0] != "tea" {
				t.Errorf("got %v %v %v, want tea", got, ok, err)
			}
			got.Items[0] = "milk"
		}
	})
	newBrowser(t).get(site.server(), "/")
}

func TestTypesDoNotMix(t *testing.T) {
	site := newSite(t, httpsession.Options{}, func(_ http.ResponseWriter, r *http.Request) {
		ctx, s := r.Context(), httpsession.From(r)
		if err := s.Set("n", 300); err != nil {
			t.Fatal(err)
		}
		if n, ok, err := httpsession.Get[int64](ctx, s, "n"); n != 300 || !ok || err != nil {
			t.Errorf("as int64: %v %v %v", n, ok, err)
		}
		if _, ok, err := httpsession.Get[int8](ctx, s, "n"); ok || !errors.Is(err, jcache.ErrTypeMismatch) {
			t.Errorf("as int8: %v %v, want ErrTypeMismatch", ok, err)
		}
		if _, ok, err := httpsession.Get[string](ctx, s, "n"); ok || !errors.Is(err, jcache.ErrTypeMismatch) {
			t.Errorf("as string: %v %v, want ErrTypeMismatch", ok, err)
		}
		if err := s.Set("f", func() {}); !errors.Is(err, jcache.ErrInvalid) {
			t.Errorf("a function: %v, want ErrInvalid", err)
		}
		if err := s.Set("", 1); err == nil {
			t.Error("an attribute without a name was accepted")
		}
	})
	newBrowser(t).get(site.server(), "/")
}

func TestWithoutMiddleware(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	s := httpsession.From(r)
	_, _, err := httpsession.Get[int](r.Context(), s, "n")
	_, err2 := httpsession.Update(r.Context(), s, "n", func(int, bool) (int, error) { return 0, nil })
	for _, err := range []error{err, err2, s.Set("n", 1), s.Renew(), s.Invalidate(r.Context())} {
		if !errors.Is(err, httpsession.ErrNoSession) {
			t.Errorf("%v, want ErrNoSession", err)
		}
	}
}

func TestAfterTheRequest(t *testing.T) {
	var s *httpsession.Session
	site := newSite(t, httpsession.Options{}, func(_ http.ResponseWriter, r *http.Request) { s = httpsession.From(r) })
	newBrowser(t).get(site.server(), "/")
	if err := s.Set("n", 1); !errors.Is(err, httpsession.ErrRequestOver) {
		t.Errorf("%v, want ErrRequestOver", err)
	}
	if _, _, err := s.Info(context.Background()); !errors.Is(err, httpsession.ErrRequestOver) {
		t.Errorf("%v, want ErrRequestOver", err)
	}
}

func TestInnerContextsSeeTheSameSession(t *testing.T) {
	site := newSite(t, httpsession.Options{}, func(_ http.ResponseWriter, r *http.Request) {
		type key struct{}
		inner := r.WithContext(context.WithValue(r.Context(), key{}, 1))
		if httpsession.From(r) != httpsession.From(inner) {
			t.Error("an inner context has another session")
		}
	})
	newBrowser(t).get(site.server(), "/")
}
