package httpsession_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keepsake-cache/keepsake/httpsession"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/jcache/driver/setting"
	"github.com/keepsake-cache/keepsake/providers/memory"
)

// comes is the store of the provider "late", or nil while it is down.
var comes atomic.Pointer[driver.Provider]

func init() {
	jcache.Register(driver.Definition{
		Name:     "late",
		Settings: []driver.Setting{setting.StartTimeout(), setting.WhenDown()},
		Open: func(context.Context, driver.Config) (driver.Provider, error) {
			if p := comes.Load(); p != nil {
				return *p, nil
			}
			return nil, fmt.Errorf("%w: nobody there", driver.ErrUnavailable)
		},
	})
}

// A server that was started while the store is down serves what needs no session, says 503 to what does, and has the
// sessions and the store's limits as soon as the store is there.
func TestStoreThatComesAfterTheStart(t *testing.T) {
	for _, whenLost := range []httpsession.WhenLost{httpsession.FailRequest, httpsession.NewSession} {
		synctest.Test(t, func(t *testing.T) {
			backend, err := memory.Connect(memory.Options{MaxBytes: 20_000})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = backend.Close(context.Background()) })
			site := &site{t: t, spy: &spy{Provider: backend}, handler: http.HandlerFunc(app), opts: httpsession.Options{WhenLost: whenLost, Logger: slog.New(slog.DiscardHandler)}}
			b := newBrowser(t)
			b.want(site.server(), "/?set=k&value=v", 200, "")

			comes.Store(nil)
			caches, err := jcache.Open(t.Context(), jcache.Config{Provider: "late", Settings: map[string]any{"startTimeout": time.Duration(0), "whenDown": "start"}})
			if err != nil {
				t.Fatal(err)
			}
			m, err := httpsession.New(t.Context(), caches, site.opts)
			if err != nil {
				t.Fatal(err)
			}
			server := m.Handler(http.HandlerFunc(app))
			b.want(server, "/", 200, "")
			reads := 503
			if whenLost == httpsession.NewSession {
				reads = 404
			}
			for _, test := range []struct {
				visitor *browser
				target  string
				want    int
			}{
				{b.twin(), "/?get=k", reads},
				{b.twin(), "/?set=k&value=lost", 503},
				{newBrowser(t), "/?get=k", 404},
				{newBrowser(t), "/?set=k&value=lost", 503},
			} {
				if w := test.visitor.get(server, test.target); w.Code != test.want {
					t.Errorf("without the store, when lost %v, %s: %d, want %d", whenLost, test.target, w.Code, test.want)
				}
			}

			site.spy.ops.Store(0)
			comes.Store(new(driver.Provider(keepOpen{site.spy})))
			time.Sleep(2 * time.Second)
			b.want(server, "/?get=k", 200, "v")
			if n := site.spy.ops.Load(); n != 1 {
				t.Errorf("a read is %d round trips", n)
			}
			b.want(server, "/?set=k&value=w", 200, "")
			if w := b.get(server, "/?set=k&value="+strings.Repeat("x", 30_000)); w.Code != 413 {
				t.Errorf("a session larger than the store takes: %d", w.Code)
			}
			site.spy.ops.Store(0)
			b.want(server, "/?invalidate", 200, "")
			if n := site.spy.ops.Load(); n != 2 {
				t.Errorf("an end is %d round trips, although the store brings nothing back", n)
			}
			if w := b.get(server, "/?get=k"); w.Code != 404 {
				t.Errorf("after the end: %d", w.Code)
			}
			if err := m.Close(t.Context()); err != nil {
				t.Error(err)
			}
			if err := caches.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// twin is another browser with the same cookies.
func (b *browser) twin() *browser { return &browser{t: b.t, cookies: maps.Clone(b.cookies)} }
