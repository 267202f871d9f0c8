package httpsession_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keepsake-cache/keepsake/httpsession"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

func TestProviderTrouble(t *testing.T) {
	for _, trouble := range []struct {
		err  error
		want int
	}{
		{fmt.Errorf("%w: refused", jcache.ErrUnavailable), 503},
		{fmt.Errorf("%w: %w", jcache.ErrIndeterminate, context.DeadlineExceeded), 503},
		{context.DeadlineExceeded, 503},
		{jcache.ErrFull, 503},
		{jcache.ErrTooLarge, 413},
		{errors.New("something else"), 500},
	} {
		t.Run(trouble.err.Error(), func(t *testing.T) {
			site := newSite(t, httpsession.Options{}, app)
			server, b := site.server(), newBrowser(t)
			b.want(server, "/?set=k&value=v", 200, "")

			site.spy.fail(trouble.err)
			b.want(server, "/", 200, "") // who does not use the session is not concerned
			for _, target := range []string{"/?get=k", "/?set=k&value=lost", "/?incr=n", "/?info", "/?renew", "/?invalidate", "/?delete=k", "/?timeout=1h"} {
				if w := b.get(server, target); w.Code != trouble.want || len(w.Result().Cookies()) != 0 {
					t.Errorf("%s: %d %v, want %d and no cookie", target, w.Code, w.Result().Cookies(), trouble.want)
				}
			}
			if w := newBrowser(t).get(server, "/?set=k&value=v"); w.Code != trouble.want {
				t.Errorf("a new session: %d, want %d", w.Code, trouble.want)
			}

			site.spy.heal() // no restart, no second login
			b.want(server, "/?get=k", 200, "v")
			b.want(server, "/?set=k&value=w", 200, "")
			b.want(server, "/?get=k", 200, "w")
		})
	}
}

func TestUnrecordedUseDoesNotFailTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		site := newSite(t, httpsession.Options{}, app)
		server, b := site.server(), newBrowser(t)
		b.want(server, "/?set=k&value=v", 200, "")
		time.Sleep(time.Minute)
		failed := false
		site.spy.hook(func(op string) error {
			if op == "swap" {
				failed = true
				return jcache.ErrUnavailable
			}
			return nil
		})
		if b.want(server, "/?get=k", 200, "v"); !failed {
			t.Error("the use was not worth recording")
		}
	})
}

func TestHalfARenewalCanBeRepeated(t *testing.T) {
	// Whatever step of a renewal fails, the session lives under one id, or the
	// request was answered with an error and lives under the old one.
	for step := range 8 {
		site := newSite(t, httpsession.Options{}, app)
		server, b := site.server(), newBrowser(t)
		b.want(server, "/?set=k&value=v", 200, "")
		n := 0
		site.spy.hook(func(string) error {
			if n++; n == step+1 {
				return jcache.ErrUnavailable
			}
			return nil
		})
		w := b.get(server, "/?renew")
		site.spy.heal()
		if w.Code != 200 && w.Code != 503 {
			t.Errorf("step %d: status %d", step, w.Code)
		}
		b.want(server, "/?get=k", 200, "v")
		b.want(server, "/?renew", 200, "")
		b.want(server, "/?get=k", 200, "v")
	}
}

func TestAbsentBetweenReadAndWrite(t *testing.T) {
	site := newSite(t, httpsession.Options{}, app)
	server, b := site.server(), newBrowser(t)
	b.want(server, "/?set=k&value=v", 200, "")
	id := b.id()
	// The session vanishes between the read and the write of one request.
	site.spy.hook(func(op string) error {
		if op == "swap" {
			site.spy.heal()
			empty(t, site)
		}
		return nil
	})
	w := b.get(server, "/?get=k&set=k&value=w")
	if w.Code != 409 || len(w.Result().Cookies()) != 0 {
		t.Errorf("%d %q %v, want to be told that nothing was stored", w.Code, w.Body.String(), w.Result().Cookies())
	}
	b.cookies["__Host-session"] = id
	b.want(server, "/?get=k", 404, "none\n")
}

// empty removes every session of the site.
func empty(t *testing.T, s *site) {
	cache, err := s.spy.Provider.OpenCache(context.Background(), "sessions", driver.CacheOptions{})
	if err == nil {
		err = cache.(driver.Clearer).Clear(context.Background())
	}
	if err != nil {
		t.Error(err)
	}
}

// TestGoneIsOneAnswer: whatever a session has ended by during a request, and whichever call the
// request has made, what cannot be stored is 409. What is gone before its time is counted.
func TestGoneIsOneAnswer(t *testing.T) {
	const idle = 200 * time.Millisecond
	ends := map[string]struct {
		do       func(*site, http.Handler, *browser)
		vanished uint64
	}{
		"expired":     {func(*site, http.Handler, *browser) { <-time.After(2 * idle) }, 0},
		"cleared":     {func(s *site, _ http.Handler, _ *browser) { empty(t, s) }, 1},
		"invalidated": {func(_ *site, other http.Handler, b *browser) { b.get(other, "/?invalidate") }, 0},
		"renewed":     {func(_ *site, other http.Handler, b *browser) { b.get(other, "/?renew") }, 0},
	}
	for name, end := range ends {
		for _, call := range []string{"set=k&value=w", "delete=k", "timeout=9h", "renew", "incr=n"} {
			t.Run(name+" "+call, func(t *testing.T) {
				site := newSite(t, httpsession.Options{MaxInactive: idle}, app)
				m := site.manager()
				server, other, b := m.Handler(site.handler), site.server(), newBrowser(t)
				b.want(server, "/?set=k&value=v", 200, "")
				slow := newBrowser(t)
				slow.cookies["__Host-session"] = b.id()
				site.spy.hook(func(op string) error {
					if op == "swap" || op == "put" {
						site.spy.heal()
						end.do(site, other, b)
					}
					return nil
				})
				if w := slow.get(server, "/?get=k&"+call); w.Code != 409 || len(w.Result().Cookies()) != 0 {
					t.Errorf("%d %q %v, want 409", w.Code, w.Body.String(), w.Result().Cookies())
				}
				if got := m.Statistics().Vanished; got != end.vanished {
					t.Errorf("%d sessions have vanished, want %d", got, end.vanished)
				}
			})
		}
	}
}
