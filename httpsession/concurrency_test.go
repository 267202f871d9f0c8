package httpsession_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/keepsake-cache/keepsake/httpsession"
)

func TestDifferentAttributesAllSurvive(t *testing.T) {
	site := newSite(t, httpsession.Options{}, app)
	servers := []http.Handler{site.server(), site.server()}
	b := newBrowser(t)
	b.get(servers[0], "/?set=first&value=1")
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			b.want(servers[i%2], fmt.Sprintf("/?set=a%d&value=%d", i, i), 200, "")
		})
	}
	wg.Wait()
	for i := range 20 {
		b.want(servers[i%2], fmt.Sprintf("/?get=a%d", i), 200, fmt.Sprint(i))
	}
	b.want(servers[1], "/?get=first", 200, "1")
}

func TestIncrementsAreNotLost(t *testing.T) {
	site := newSite(t, httpsession.Options{}, app)
	servers := []http.Handler{site.server(), site.server()}
	b := newBrowser(t)
	b.get(servers[0], "/?set=first&value=1")
	const n = 200
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			if w := b.get(servers[i%2], "/?incr=n"); w.Code != 200 {
				t.Errorf("status %d", w.Code)
			}
		})
	}
	wg.Wait()
	b.want(servers[0], "/?incr=n", 200, fmt.Sprint(n+1))
}

// An overlap is a request that is held up inside its handler, after it has used
// the session as its query says.
type overlap struct {
	t      *testing.T
	site   *site
	inside chan struct{}
	goOn   chan struct{}
}

func newOverlap(t *testing.T) *overlap {
	o := &overlap{t: t, inside: make(chan struct{}), goOn: make(chan struct{})}
	o.site = newSite(t, httpsession.Options{}, func(w http.ResponseWriter, r *http.Request) {
		w2 := httptest.NewRecorder()
		app(w2, r)
		if r.URL.Query().Has("slow") {
			o.inside <- struct{}{}
			<-o.goOn
		}
		w.WriteHeader(w2.Code)
		_, _ = w.Write(w2.Body.Bytes())
	})
	return o
}

// run sends a slow request with the browser's present cookies, does other in the
// middle of it, and returns the slow request's response.
func (o *overlap) run(server http.Handler, b *browser, target string, other func()) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := b.request(http.MethodGet, target+"&slow", nil)
	var wg sync.WaitGroup
	wg.Go(func() { server.ServeHTTP(w, r) })
	<-o.inside
	other()
	o.goOn <- struct{}{}
	wg.Wait()
	return w
}

func TestWhatHasEndedStaysDead(t *testing.T) {
	for _, end := range []string{"invalidate", "renew"} {
		for _, slow := range []string{"/?get=k", "/?set=k&value=late", "/?get=k&set=k&value=late", "/?delete=k", "/?timeout=9h", "/?renew", "/?invalidate", "/"} {
			t.Run(end+slow[1:], func(t *testing.T) {
				o := newOverlap(t)
				a, b, visitor := o.site.server(), o.site.server(), newBrowser(t)
				visitor.get(a, "/?set=k&value=v")
				old := visitor.id()
				if !strings.Contains(slow, "?") {
					slow += "?"
				}
				w := o.run(b, visitor, slow, func() { visitor.get(a, "/?"+end) })

				logout := end == "renew" && slow == "/?invalidate" // which wins
				if c := w.Result().Cookies(); len(c) != 0 && !logout {
					t.Errorf("the older response sets a cookie: %d %v", w.Code, c)
				}
				changes := strings.Contains(slow, "set=") || strings.Contains(slow, "delete") || strings.Contains(slow, "timeout") || strings.Contains(slow, "renew")
				if want := map[bool]int{true: 409, false: 200}[changes]; w.Code != want {
					t.Errorf("the older request is answered %d, want %d", w.Code, want)
				}
				intruder := newBrowser(t)
				intruder.cookies["__Host-session"] = old
				intruder.want(a, "/?get=k", 404, "none\n")
				intruder.want(b, "/?info", 200, "false")
				switch {
				case logout:
					visitor.want(a, "/?get=k", 404, "none\n")
					visitor.want(b, "/?info", 200, "false")
				case end == "renew":
					visitor.want(a, "/?get=k", 200, "v")
					visitor.want(b, "/?get=k", 200, "v")
				}
			})
		}
	}
}

func TestRenewLosesNothing(t *testing.T) {
	o := newOverlap(t)
	a, b, visitor := o.site.server(), o.site.server(), newBrowser(t)
	visitor.get(a, "/?set=k&value=v")
	old := visitor.id()
	// While the renewal is under way, another request stores something under the
	// old id.
	w := o.run(a, visitor, "/?renew", func() { visitor.want(b, "/?set=other&value=kept", 200, "") })
	visitor.take(w.Result())
	if visitor.id() == old {
		t.Fatal("the id was not renewed")
	}
	visitor.want(a, "/?get=k", 200, "v")
	visitor.want(b, "/?get=other", 200, "kept")
}

func TestRenewAgainstWriters(t *testing.T) {
	site := newSite(t, httpsession.Options{}, app)
	a, b, visitor := site.server(), site.server(), newBrowser(t)
	visitor.get(a, "/?set=k&value=v")
	acknowledged := make(map[string]bool)
	var mu sync.Mutex
	for round := range 20 {
		var wg sync.WaitGroup
		requests := make([]*http.Request, 6)
		for i := range requests {
			requests[i] = visitor.request(http.MethodGet, fmt.Sprintf("/?set=r%dw%d&value=x", round, i), nil)
		}
		wg.Go(func() { visitor.get(a, "/?renew") })
		for i, r := range requests {
			wg.Go(func() {
				w := httptest.NewRecorder()
				[]http.Handler{a, b}[i%2].ServeHTTP(w, r)
				switch w.Code {
				case 200:
					mu.Lock()
					acknowledged[fmt.Sprintf("r%dw%d", round, i)] = true
					mu.Unlock()
				case 409:
				default:
					t.Errorf("status %d", w.Code)
				}
			})
		}
		wg.Wait()
	}
	for name := range acknowledged {
		visitor.want(b, "/?get="+name, 200, "x")
	}
	if len(acknowledged) == 0 {
		t.Error("no write was acknowledged")
	}
}

func TestOldIDRightAfterRenewal(t *testing.T) {
	site := newSite(t, httpsession.Options{}, app)
	a, visitor := site.server(), newBrowser(t)
	visitor.get(a, "/?set=k&value=v")
	// Sent before the browser had the new cookie: it must not get a third one.
	late := visitor.request(http.MethodGet, "/?set=k&value=late", nil)
	visitor.get(a, "/?renew")
	w := httptest.NewRecorder()
	a.ServeHTTP(w, late)
	if w.Code != http.StatusConflict || len(w.Result().Cookies()) != 0 {
		t.Errorf("%d %v, want 409 and no cookie", w.Code, w.Result().Cookies())
	}
	visitor.want(a, "/?get=k", 200, "v")
}

func TestInvalidateAndStartAgain(t *testing.T) {
	site := newSite(t, httpsession.Options{}, app)
	a, b, visitor := site.server(), site.server(), newBrowser(t)
	visitor.get(a, "/?set=k&value=v")
	old := visitor.id()
	visitor.get(a, "/?invalidate&set=flash&value=bye")
	if visitor.id() == old || visitor.id() == "" {
		t.Fatal("the new session has no id of its own")
	}
	visitor.want(b, "/?get=flash", 200, "bye")
	visitor.want(b, "/?get=k", 404, "none\n")
	visitor.want(a, "/?invalidate", 200, "")
	if visitor.id() != "" {
		t.Error("the browser keeps the cookie of a session that has ended")
	}
}

func TestSessionUsedByGoroutinesOfARequest(t *testing.T) {
	site := newSite(t, httpsession.Options{}, func(_ http.ResponseWriter, r *http.Request) {
		s := httpsession.From(r)
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				if err := s.Set(fmt.Sprint("g", i), i); err != nil {
					t.Error(err)
				}
				if _, _, err := httpsession.Get[int](r.Context(), s, fmt.Sprint("g", i)); err != nil {
					t.Error(err)
				}
				if _, err := httpsession.Update(r.Context(), s, "n", func(n int, _ bool) (int, error) { return n + 1, nil }); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n, _, err := httpsession.Get[int](r.Context(), s, "n"); n != 8 || err != nil {
			t.Errorf("%d %v, want 8", n, err)
		}
	})
	newBrowser(t).get(site.server(), "/")
}

func TestClientThatHangsUpLosesNothing(t *testing.T) {
	var hangUp context.CancelFunc
	site := newSite(t, httpsession.Options{}, func(w http.ResponseWriter, r *http.Request) {
		app(w, r)
		if r.URL.Query().Has("hang") {
			hangUp()
		}
	})
	server, b := site.server(), newBrowser(t)
	b.get(server, "/?set=k&value=v")
	r := b.request(http.MethodGet, "/?set=k&value=new&hang", nil)
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	hangUp = cancel
	server.ServeHTTP(httptest.NewRecorder(), r.WithContext(ctx))
	b.want(server, "/?get=k", 200, "new")
}

func TestPanicStoresNothing(t *testing.T) {
	site := newSite(t, httpsession.Options{}, func(w http.ResponseWriter, r *http.Request) {
		app(w, r)
		if r.URL.Query().Has("panic") {
			panic(http.ErrAbortHandler)
		}
	})
	server, b := site.server(), newBrowser(t)
	b.get(server, "/?set=k&value=v")
	func() {
		defer func() {
			if err, _ := recover().(error); !errors.Is(err, http.ErrAbortHandler) {
				t.Error("the handler's panic did not come through")
			}
		}()
		b.get(server, "/?delete=k&panic")
	}()
	b.want(server, "/?get=k", 200, "v")
}
