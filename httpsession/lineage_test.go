package httpsession_test

import (
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/keepsake-cache/keepsake/httpsession"
)

// ids collects the cookies that responses set.
type ids struct {
	mu  sync.Mutex
	all []string
}

func (c *ids) take(w *httptest.ResponseRecorder) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, cookie := range w.Result().Cookies() {
		if cookie.MaxAge >= 0 {
			c.all = append(c.all, cookie.Value)
		}
	}
}

func (c *ids) any() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.all[rand.IntN(len(c.all))]
}

// After a logout that was answered without an error no id of the session is alive: neither
// the one that was sent, nor those that it was renewed to before, during or after.
func TestLogoutAlwaysWins(t *testing.T) {
	site := newSite(t, httpsession.Options{}, app)
	servers := []http.Handler{site.server(), site.server()}
	rounds := 400
	if testing.Short() {
		rounds = 40
	}
	send := func(server int, id, target string) *httptest.ResponseRecorder {
		b := newBrowser(t)
		b.cookies["__Host-session"] = id
		w := httptest.NewRecorder()
		servers[server%2].ServeHTTP(w, b.request(http.MethodGet, target, nil))
		return w
	}
	for round := range rounds {
		var lineage ids
		b := newBrowser(t)
		lineage.take(b.get(servers[0], "/?set=user&value=ann"))
		var wg sync.WaitGroup
		var loggedOut bool
		for i := range 3 {
			wg.Go(func() {
				for range 1 + rand.IntN(3) {
					lineage.take(send(i, lineage.any(), []string{"/?renew", "/?renew&incr=n", "/?incr=n&renew"}[i]))
				}
			})
			wg.Go(func() { send(i, lineage.any(), "/?incr=n") })
		}
		wg.Go(func() {
			w := send(round, lineage.any(), []string{"/?invalidate", "/?info&invalidate", "/?get=user&invalidate&incr=n", "/?incr=n&invalidate"}[round%4])
			loggedOut = w.Code == 200 || w.Code == 404
			if round%4 == 2 && w.Code == 404 { // app gives up when it finds no user
				loggedOut = false
			}
		})
		wg.Wait()
		if !loggedOut {
			continue
		}
		for _, id := range lineage.all {
			if w := send(round, id, "/?get=user"); w.Code != 404 {
				t.Fatalf("round %d: after the logout an id of %d is alive: %d", round, len(lineage.all), w.Code)
			}
		}
	}
}

// A logout follows a chain of renewals, a read does not.
func TestEndsFollowRenewals(t *testing.T) {
	site := newSite(t, httpsession.Options{}, app)
	a, b, visitor := site.server(), site.server(), newBrowser(t)
	visitor.get(a, "/?set=user&value=ann")
	first := newBrowser(t)
	first.cookies["__Host-session"] = visitor.id()
	for range 5 {
		visitor.want(b, "/?renew", 200, "")
	}
	first.want(a, "/?get=user", 404, "none\n")
	first.want(a, "/?set=user&value=eve", 409, "The session ended while the request was running. Please try again.\n")
	visitor.want(a, "/?get=user", 200, "ann")
	if w := first.want(a, "/?invalidate", 200, ""); len(w.Result().Cookies()) != 1 {
		t.Error("the browser keeps the cookie")
	}
	visitor.want(a, "/?get=user", 404, "none\n")
	visitor.want(b, "/?info", 200, "false")
}

// A request that finds out in the middle that its session was renewed can still end it.
func TestLogoutAfterALostChange(t *testing.T) {
	var meanwhile func()
	site := newSite(t, httpsession.Options{}, func(w http.ResponseWriter, r *http.Request) {
		if !r.URL.Query().Has("logout") {
			app(w, r)
			return
		}
		s := httpsession.From(r)
		if _, ok, err := s.Info(r.Context()); !ok || err != nil {
			t.Error(ok, err)
		}
		meanwhile()
		if _, err := httpsession.Update(r.Context(), s, "n", func(n int, _ bool) (int, error) { return n, nil }); err == nil {
			t.Error("a change of a session that was renewed was stored")
		}
		if err := s.Invalidate(r.Context()); err != nil {
			t.Error(err)
		}
	})
	server, visitor := site.server(), newBrowser(t)
	visitor.get(server, "/?set=user&value=ann")
	old := visitor.request(http.MethodGet, "/?logout", nil)
	meanwhile = func() { visitor.want(server, "/?renew", 200, "") }
	w := httptest.NewRecorder()
	server.ServeHTTP(w, old)
	if w.Code != 200 {
		t.Errorf("the logout is answered %d", w.Code)
	}
	visitor.want(server, "/?get=user", 404, "none\n")
}

// What a renewal leaves if its steps fail is not alive under two ids that anybody has.
func TestRenewalThatFailsLeavesNoCopy(t *testing.T) {
	for step := range 6 {
		site := newSite(t, httpsession.Options{}, app)
		server, elsewhere, b := site.server(), site.server(), newBrowser(t)
		b.want(server, "/?set=k&value=v", 200, "")
		// At some step somebody ends the session on another server.
		n, other := 0, newBrowser(t)
		other.cookies["__Host-session"] = b.id()
		site.spy.hook(func(string) error {
			if n++; n == step+1 {
				site.spy.heal()
				other.get(elsewhere, "/?invalidate")
			}
			return nil
		})
		w := b.get(server, "/?renew")
		site.spy.heal()
		if w.Code == 200 && n > step {
			b.want(server, "/?get=k", 404, "none\n")
		}
		if alive := site.alive(); alive != 0 && n > step {
			t.Errorf("step %d: %d sessions are alive after the logout; the renewal was answered %d", step, alive, w.Code)
		}
	}
}

func (s *site) alive() int {
	if t, ok := s.t.(*testing.T); ok {
		return aliveIn(t, s.spy.Provider)
	}
	return 0
}
