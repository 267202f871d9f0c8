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
	for _, test := range []struct {
		whenLost    httpsession.WhenLost
		splits      bool // the store may bring back what has ended
		reads, ends int  // the status of a read without the store; the round trips of an end with it
	}{
		{httpsession.FailRequest, false, 503, 2},
		{httpsession.NewSession, true, 404, 4},
	} {
		synctest.Test(t, func(t *testing.T) {
			backend, err := memory.Connect(memory.Options{MaxBytes: 20_000})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = backend.Close(context.Background()) })
			site := &site{t: t, spy: &spy{Provider: backend}, handler: http.HandlerFunc(app), opts: httpsession.Options{WhenLost: test.whenLost, Logger: slog.New(slog.DiscardHandler)}}
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
			for _, request := range []struct {
				visitor *browser
				target  string
				want    int
			}{
				{b.twin(), "/?get=k", test.reads},
				{b.twin(), "/?set=k&value=lost", 503},
				{newBrowser(t), "/?get=k", 404},
				{newBrowser(t), "/?set=k&value=lost", 503},
			} {
				if w := request.visitor.get(server, request.target); w.Code != request.want {
					t.Errorf("without the store, when lost %v, %s: %d, want %d", test.whenLost, request.target, w.Code, request.want)
				}
			}

			site.spy.ops.Store(0)
			store := driver.Provider(keepOpen{site.spy})
			if test.splits {
				store = splitting{keepOpen{site.spy}}
			}
			comes.Store(&store)
			time.Sleep(2 * time.Second)
			b.want(server, "/?get=k", 200, "v")
			if n := site.spy.ops.Load(); n != 1 {
				t.Errorf("a read is %d round trips", n)
			}
			b.want(server, "/?set=k&value=w", 200, "")
			if w := b.get(server, "/?set=k&value="+strings.Repeat("x", 30_000)); w.Code != 413 || w.Body.String() != "error\n" {
				t.Errorf("a session larger than the store takes: %d %q, the handler is to hear of it", w.Code, w.Body)
			}
			site.spy.ops.Store(0)
			b.want(server, "/?invalidate", 200, "")
			if n := site.spy.ops.Load(); n != int64(test.ends) {
				t.Errorf("an end is %d round trips where the store may bring it back: %v; want %d", n, test.splits, test.ends)
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

// splitting is a store that puts parts of a split network together.
type splitting struct{ keepOpen }

func (splitting) Rejoined() time.Time { return time.Time{} }

// twin is another browser with the same cookies.
func (b *browser) twin() *browser { return &browser{t: b.t, cookies: maps.Clone(b.cookies)} }
