package memcached_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/httpsession"
	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/memcached"
)

// fill stores foreign items of all sizes up to one until a server without eviction takes no
// more of any.
func fill(t testing.TB, addr string, size int) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // what was sent has been answered
	r, n := bufio.NewReader(c), 0
	for ; size > 0; size = size * 9 / 10 { // memcached's sizes grow by a quarter
		value := bytes.Repeat([]byte("x"), size)
		batch := max(1, min(500, 500_000/size))
		for stored := true; stored; {
			var b []byte
			for range batch {
				b = fmt.Appendf(b, "set %x:%d 0 0 %d\r\n%s\r\n", size, n, size, value)
				n++
			}
			if _, err := c.Write(b); err != nil {
				t.Fatal(err)
			}
			stored = false
			for range batch {
				line, err := r.ReadSlice('\n')
				if err != nil {
					t.Fatal(err)
				}
				stored = stored || string(line) == "STORED\r\n"
			}
		}
	}
}

const allSizes = 900_000

// A visitor talks to a handler and keeps its cookie.
type visitor struct {
	handler http.Handler
	cookie  string
}

func (v *visitor) visit(do string) (status int, body string) {
	r := httptest.NewRequest(http.MethodGet, "/?"+do, nil)
	r.Header.Set("Cookie", v.cookie)
	w := httptest.NewRecorder()
	v.handler.ServeHTTP(w, r)
	if set := w.Header().Get("Set-Cookie"); set != "" {
		v.cookie, _, _ = strings.Cut(set, ";")
	}
	return w.Code, w.Body.String()
}

// sessionsOn opens a session manager on a server. What a request does is its query.
func sessionsOn(t testing.TB, opts httpsession.Options, servers ...string) http.Handler {
	t.Helper()
	return sessionsWith(t, opts, memcached.Options{Servers: servers})
}

func sessionsWith(t testing.TB, opts httpsession.Options, provider memcached.Options) http.Handler {
	t.Helper()
	caches, err := memcached.Open(t.Context(), patient(provider))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = caches.Close(context.Background()) })
	opts.Cookie.AllowHTTP, opts.Logger = true, slog.New(slog.DiscardHandler)
	sessions, err := httpsession.New(t.Context(), caches, opts)
	if err != nil {
		t.Fatal(err)
	}
	return sessions.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, ctx := httpsession.From(r), r.Context()
		name, _, err := httpsession.Get[string](ctx, s, "name")
		switch {
		case err != nil:
		case r.URL.RawQuery == "login":
			err = s.Set("name", strings.Repeat("ann", 100))
		case r.URL.RawQuery == "count":
			var n int
			n, err = httpsession.Update(ctx, s, "n", func(n int, _ bool) (int, error) { return n + 1, nil })
			name = strconv.Itoa(n)
		case r.URL.RawQuery == "peek":
			_, ok, gerr := httpsession.Get[int](ctx, s, "n")
			name, err = strconv.FormatBool(ok), gerr
		case r.URL.Query().Has("store"):
			n, _ := strconv.Atoi(r.URL.Query().Get("store"))
			err = s.Set("data", make([]byte, n))
		case r.URL.RawQuery == "renew":
			err = s.Renew()
		case r.URL.RawQuery == "logout":
			err = s.Invalidate(ctx)
		}
		if err != nil {
			http.Error(w, "error", httpsession.Status(err))
			return
		}
		_, _ = io.WriteString(w, name)
	}))
}

// TestFullServerEndsAndProlongs: on a server that is full and does not evict, what needs no
// room goes on: a logout ends a session, a renewal its old id, and a session in use lives.
func TestFullServerEndsAndProlongs(t *testing.T) {
	for _, memory := range []string{"4", "64"} {
		t.Run("-m "+memory, func(t *testing.T) {
			t.Parallel()
			server := servertest.Memcached(t, "-M", "-m", memory)
			const idle = 3 * time.Second
			handler := sessionsOn(t, httpsession.Options{MaxInactive: idle}, server.Addr)
			visitors := make([]visitor, 30)
			for i := range visitors {
				visitors[i].handler = handler
				if status, _ := visitors[i].visit("login"); status != http.StatusOK {
					t.Fatalf("login: %d", status)
				}
			}
			var mu sync.Mutex // of the visitors
			inUse, stop := 20, make(chan struct{})
			var wg sync.WaitGroup
			defer func() { close(stop); wg.Wait() }()
			wg.Go(func() { // on a busy machine it takes long to fill a server
				for {
					for i := range inUse {
						mu.Lock()
						if v := visitors[i]; v.handler != nil {
							v.visit("")
						}
						mu.Unlock()
					}
					select {
					case <-stop:
						return
					case <-time.After(idle / 20):
					}
				}
			})
			fill(t, server.Addr, allSizes)
			eventually(t, "the server is full", func() bool {
				status, _ := (&visitor{handler: handler}).visit("login")
				if status == http.StatusOK {
					fill(t, server.Addr, 2000)
				}
				return status == http.StatusServiceUnavailable
			})
			in := func(v visitor) bool {
				t.Helper()
				status, name := v.visit("")
				if status != http.StatusOK {
					t.Errorf("a visit: %d", status)
				}
				return name != ""
			}
			for i := range visitors[:10] {
				mu.Lock()
				v := visitors[i]
				visitors[i].handler = nil // nobody uses it any more
				mu.Unlock()
				kept := v.cookie
				if status, _ := v.visit("logout"); status != http.StatusOK {
					t.Errorf("logout: %d", status)
				}
				v.cookie = kept
				if in(v) {
					t.Error("a session is alive after its end")
				}
			}
			fill(t, server.Addr, 2000) // what the ends have freed
			for i := 10; i < 20; i++ {
				mu.Lock()
				v := visitors[i]
				if status, _ := v.visit("renew"); status != http.StatusOK {
					t.Errorf("renewal: %d", status)
				}
				if in(visitors[i]) {
					t.Error("an id is alive after its renewal")
				}
				if visitors[i] = v; !in(v) {
					t.Error("a session is gone after its renewal")
				}
				mu.Unlock()
			}
			<-time.After(2 * idle)
			mu.Lock()
			defer mu.Unlock()
			for _, v := range visitors[10:20] {
				if !in(v) {
					t.Error("a session that was in use has expired")
				}
			}
			for _, v := range visitors[20:] {
				if in(v) {
					t.Error("a session that was not in use has not expired")
				}
			}
		})
	}
}

// TestProlong is about the record that has its old deadline in it.
func TestProlong(t *testing.T) {
	server := servertest.Memcached(t)
	p := connectTo(t, server)
	c, ctx := openCache(t, p, "prolong"), t.Context()
	prolonger := c.(driver.Prolonger)
	put := func(key string, life time.Duration) driver.Token {
		t.Helper()
		if err := c.Put(ctx, key, record("x"), time.Now().Add(life)); err != nil {
			t.Fatal(err)
		}
		item, _ := get(t, c, key)
		return item.Token
	}
	deadlineOf := func(key string, token driver.Token) (time.Time, bool) {
		t.Helper()
		at, ok, err := prolonger.Prolonged(ctx, key, token)
		if err != nil {
			t.Fatal(err)
		}
		return at, ok
	}
	for _, life := range []time.Duration{time.Millisecond, time.Minute, 29 * 24 * time.Hour, 31 * 24 * time.Hour} {
		token := put("k", life)
		if at, ok := deadlineOf("k", token); ok && at.After(time.Now().Add(life)) {
			t.Errorf("a life of %v that nobody has prolonged ends at %v", life, at)
		}
		for _, more := range []time.Duration{life + time.Minute, life + 40*24*time.Hour} {
			until := time.Now().Add(more)
			if ok, err := prolonger.Prolong(ctx, "k", token, until); !ok || err != nil {
				t.Fatalf("Prolong = %v, %v", ok, err)
			}
			if at, ok := deadlineOf("k", token); !ok || at.Before(until) || at.After(until.Add(c.Info().ExpiryStep+time.Second)) {
				t.Errorf("a life of %v, prolonged to %v, ends %v later: %v", life, more, at.Sub(until), ok)
			}
			if ok, err := prolonger.Prolong(ctx, "k", token, time.Now()); !ok || err != nil {
				t.Fatalf("Prolong = %v, %v", ok, err)
			}
			if at, ok := deadlineOf("k", token); !ok || at.Before(until) {
				t.Error("to prolong a record for less has made its life shorter")
			}
		}
		if ok, err := prolonger.Prolong(ctx, "k", token, time.Time{}); !ok || err != nil {
			t.Fatalf("Prolong = %v, %v", ok, err)
		}
		if at, ok := deadlineOf("k", token); !ok || !at.IsZero() {
			t.Errorf("prolonged for ever: %v, %v", at, ok)
		}
	}
	old := put("k", time.Minute)
	now := put("k", time.Hour)
	for what, token := range map[string]driver.Token{"old": old, "foreign": {N: 1}} {
		if ok, err := prolonger.Prolong(ctx, "k", token, time.Now().Add(time.Second)); ok || err != nil {
			t.Errorf("Prolong with a token that is %s = %v, %v; want no", what, ok, err)
		}
	}
	if at, ok := deadlineOf("k", now); ok && at.After(time.Now().Add(time.Hour+time.Second)) {
		t.Errorf("the record of another token ends at %v", at)
	}
	if ok, err := prolonger.Prolong(ctx, "absent", now, time.Now().Add(time.Second)); ok || err != nil {
		t.Errorf("Prolong of nothing = %v, %v; want no", ok, err)
	}
}

// TestProlongedByAccess: a cache whose entries live by being read, on a server that is full.
func TestProlongedByAccess(t *testing.T) {
	server := servertest.Memcached(t, "-M", "-m", "4")
	caches, err := memcached.Open(t.Context(), patient(memcached.Options{Servers: addrs(server)}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = caches.Close(context.Background()) })
	const life = 2 * time.Second
	c, err := jcache.CreateCache(t.Context(), caches, "access", jcache.Options[string, string]{ExpiryPolicy: jcache.Accessed[string, string](life)})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Put(t.Context(), "used", "x"); err != nil {
		t.Fatal(err)
	}
	if err := c.Put(t.Context(), "unused", "x"); err != nil {
		t.Fatal(err)
	}
	full := make(chan struct{})
	go func() { fill(t, server.Addr, allSizes); close(full) }()
	tick := time.NewTicker(life / 20)
	defer tick.Stop()
	var end <-chan time.Time
	for going := true; going; {
		if all, err := c.GetAll(t.Context(), "used", "absent"); err != nil || len(all) != 1 {
			t.Fatalf("an entry in use: %d, %v", len(all), err)
		}
		select {
		case <-tick.C:
		case <-full:
			full, end = nil, time.After(2*life)
		case <-end:
			going = false
		}
	}
	if _, ok, err := c.Get(t.Context(), "unused"); ok || err != nil {
		t.Errorf("an entry that is not in use: %v, %v", ok, err)
	}
}

// TestClearOfAFullServer: a Clear needs a few bytes of a server. One that is full and does not evict says so, and
// nothing is cleared.
func TestClearOfAFullServer(t *testing.T) {
	for _, cleared := range []bool{false, true} {
		t.Run(fmt.Sprintf("cleared before: %v", cleared), func(t *testing.T) {
			server := servertest.Memcached(t, "-m", "4", "-M")
			c := openCache(t, connectTo(t, server), "full")
			if cleared {
				clearCache(t, c)
			}
			put(t, c, "k", "v")
			fill(t, server.Addr, allSizes)
			if err := c.(driver.Clearer).Clear(t.Context()); !errors.Is(err, driver.ErrFull) || errors.Is(err, driver.ErrIndeterminate) {
				t.Errorf("Clear of a full server: %v", err)
			}
			want(t, c, "k", "v")
		})
	}
}
