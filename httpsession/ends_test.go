package httpsession_test

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/httpsession"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/memory"
)

// A part of a split network has records of its own.
type part struct {
	driver.Provider
	rejoined atomic.Pointer[time.Time]
}

func newPart(t *testing.T) *part {
	t.Helper()
	p, err := memory.Connect(memory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close(context.Background()) })
	return &part{Provider: p}
}

func (p *part) Rejoined() time.Time {
	if at := p.rejoined.Load(); at != nil {
		return *at
	}
	return time.Time{}
}

func (p *part) Close(context.Context) error { return nil }

func (p *part) server(t *testing.T) http.Handler {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	caches, err := jcache.NewManager(p, jcache.ManagerOptions{Provider: "memory", Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	m, err := httpsession.New(t.Context(), caches, httpsession.Options{Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	return m.Handler(http.HandlerFunc(app))
}

// lose takes the sessions away, and returns what puts them back.
func (p *part) lose(t *testing.T) (back func()) {
	t.Helper()
	c, err := p.OpenCache(t.Context(), "sessions", driver.CacheOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var lost []driver.Item
	for item, err := range c.(driver.Scanner).Scan(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		lost = append(lost, item)
		if err := c.Delete(t.Context(), item.Key); err != nil {
			t.Fatal(err)
		}
	}
	return func() {
		now := time.Now()
		p.rejoined.Store(&now)
		for _, item := range lost {
			if err := c.Put(t.Context(), item.Key, item.Record, item.Deadline); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A logout while the session is away, with the part of the store that has it, is a logout.
func TestLogoutOfASessionThatIsAway(t *testing.T) {
	p := newPart(t)
	server := p.server(t)
	for _, renewed := range []bool{false, true} {
		b := newBrowser(t)
		b.get(server, "/?set=user&value=ann")
		if renewed {
			b.get(server, "/?renew")
		}
		stolen := newBrowser(t)
		stolen.cookies["__Host-session"] = b.id()
		back := p.lose(t)
		b.want(server, "/?invalidate", http.StatusOK, "")
		back()
		stolen.want(server, "/?info", http.StatusOK, "false")
	}
}

// give puts what p has into another part. Of two records of a key one is kept, whichever.
func (p *part) give(t *testing.T, to *part) {
	t.Helper()
	for _, name := range []string{"sessions", "sessions.ended"} {
		from, err := p.OpenCache(t.Context(), name, driver.CacheOptions{})
		if err != nil {
			t.Fatal(err)
		}
		into, err := to.OpenCache(t.Context(), name, driver.CacheOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for item, err := range from.(driver.Scanner).Scan(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if _, there, _ := into.Get(t.Context(), item.Key); there && rand.IntN(2) == 0 {
				continue
			}
			if err := into.Put(t.Context(), item.Key, item.Record, item.Deadline); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// What was logged out or renewed in either part of a split is dead after it, under all ids,
// whatever the other part did to the session and whichever record was kept; and nothing else is.
func TestEndsOutliveASplit(t *testing.T) {
	type visitor struct {
		ids   []string // all that it ever had
		dead  map[string]bool
		now   [2]string // its id in each part
		ended bool
	}
	parts := [2]*part{newPart(t), newPart(t)}
	servers := [2]http.Handler{parts[0].server(t), parts[1].server(t)}
	send := func(server http.Handler, id, target string) (status int, body, cookie string) {
		b := newBrowser(t)
		b.cookies["__Host-session"] = id
		w := b.get(server, target)
		return w.Code, w.Body.String(), b.id()
	}
	do := func(v *visitor, side int, target string) {
		t.Helper()
		status, _, id := send(servers[side], v.now[side], target)
		if status != http.StatusOK {
			t.Fatalf("%s: %d", target, status)
		}
		switch target {
		case "/?renew":
			v.dead[v.now[side]] = true
			v.ids, v.now[side] = append(v.ids, id), id
		case "/?invalidate":
			v.ended, v.now[side] = true, ""
		}
	}
	visitors := make([]*visitor, 300)
	for i := range visitors {
		b := newBrowser(t)
		b.get(servers[0], "/?set=user&value=ann")
		visitors[i] = &visitor{ids: []string{b.id()}, dead: map[string]bool{}, now: [2]string{b.id(), b.id()}}
		for range rand.IntN(2) { // before the split
			do(visitors[i], 0, "/?renew")
			visitors[i].now[1] = visitors[i].now[0]
		}
	}
	parts[0].give(t, parts[1])
	for _, v := range visitors {
		for range rand.IntN(7) {
			side := rand.IntN(2)
			if v.now[side] != "" {
				do(v, side, []string{"/?get=user", "/?set=n&value=1", "/?renew", "/?invalidate"}[rand.IntN(4)])
			}
		}
	}
	parts[1].give(t, parts[0])
	servers[1] = servers[0]
	now := time.Now()
	parts[0].rejoined.Store(&now)

	check := func(when string) (alive, dead int) {
		t.Helper()
		for _, v := range visitors {
			for _, id := range v.ids {
				_, body, _ := send(servers[0], id, "/?info")
				want := "true"
				if v.ended || v.dead[id] {
					want = "false"
					dead++
				} else {
					alive++
				}
				if body != want {
					t.Errorf("%s: alive is %s, want %s; ended: %v, renewed: %v", when, body, want, v.ended, v.dead[id])
				}
			}
		}
		return alive, dead
	}
	alive, dead := check("after the split")
	if alive < 20 || dead < 20 {
		t.Errorf("%d ids live and %d are dead: too few to tell", alive, dead)
	}
	// A logout ends what both parts made of a session.
	for _, v := range visitors {
		for side, id := range v.now {
			if id != "" && !v.ended && !v.dead[id] && v.now[1-side] != "" {
				do(v, side, "/?invalidate")
				break
			}
		}
	}
	check("after logouts")
}
