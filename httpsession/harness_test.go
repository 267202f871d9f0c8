package httpsession_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/httpsession"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/memory"
)

// spy is a memory provider whose operations can be counted, failed and held up.
type spy struct {
	driver.Provider
	ops    atomic.Int64
	before atomic.Pointer[func(op string) error]
}

func (s *spy) fail(err error) { s.hook(func(string) error { return err }) }

// hook runs f before each operation; an error of f is the operation's.
func (s *spy) hook(f func(op string) error) { s.before.Store(&f) }

func (s *spy) heal() { s.before.Store(nil) }

func (s *spy) count(op string) error {
	s.ops.Add(1)
	if f := s.before.Load(); f != nil {
		return (*f)(op)
	}
	return nil
}

func (s *spy) OpenCache(ctx context.Context, name string, opts driver.CacheOptions) (driver.Cache, error) {
	c, err := s.Provider.OpenCache(ctx, name, opts)
	return &spyCache{c, s}, err
}

// spyCache has no optional interfaces, as memcached has hardly any.
type spyCache struct {
	driver.Cache
	spy *spy
}

func (c *spyCache) Get(ctx context.Context, key string) (driver.Item, bool, error) {
	if err := c.spy.count("get"); err != nil {
		return driver.Item{}, false, err
	}
	return c.Cache.Get(ctx, key)
}

func (c *spyCache) Put(ctx context.Context, key string, record []byte, deadline time.Time) error {
	if err := c.spy.count("put"); err != nil {
		return err
	}
	return c.Cache.Put(ctx, key, record, deadline)
}

func (c *spyCache) Delete(ctx context.Context, key string) error {
	if err := c.spy.count("delete"); err != nil {
		return err
	}
	return c.Cache.Delete(ctx, key)
}

func (c *spyCache) Swap(ctx context.Context, key string, old driver.Token, record []byte, deadline time.Time) (bool, *driver.Item, error) {
	if err := c.spy.count("swap"); err != nil {
		return false, nil, err
	}
	return c.Cache.Swap(ctx, key, old, record, deadline)
}

// A site is some servers that share sessions.
type site struct {
	t       testing.TB
	spy     *spy
	opts    httpsession.Options
	handler http.Handler // what each server serves, inside the session manager
}

func newSite(t testing.TB, opts httpsession.Options, handler http.HandlerFunc) *site {
	t.Helper()
	p, err := memory.Connect(memory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close(context.Background()) })
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	return &site{t: t, spy: &spy{Provider: p}, opts: opts, handler: handler}
}

// manager opens another server's session manager over the same sessions.
func (s *site) manager() *httpsession.Manager {
	s.t.Helper()
	caches, err := jcache.NewManager(keepOpen{s.spy}, jcache.ManagerOptions{Provider: "memory"})
	if err != nil {
		s.t.Fatal(err)
	}
	m, err := httpsession.New(context.Background(), caches, s.opts)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := m.Close(context.Background()); err != nil {
			s.t.Error(err)
		}
	})
	return m
}

// server is one more server of the site, without a network.
func (s *site) server() http.Handler {
	s.t.Helper()
	return s.manager().Handler(s.handler)
}

// keepOpen lets several managers share a provider.
type keepOpen struct{ *spy }

func (keepOpen) Close(context.Context) error { return nil }

// A browser keeps cookies, and sends them to whatever server it talks to.
type browser struct {
	t       testing.TB
	mu      sync.Mutex
	cookies map[string]string
}

func newBrowser(t testing.TB) *browser { return &browser{t: t, cookies: map[string]string{}} }

func (b *browser) request(method, target string, body io.Reader) *http.Request {
	r := httptest.NewRequest(method, target, body)
	b.mu.Lock()
	defer b.mu.Unlock()
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	return r
}

// take stores the cookies of a response.
func (b *browser) take(resp *http.Response) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range resp.Cookies() {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = c.Value
		}
	}
}

// get sends a request to a server and returns the answer.
func (b *browser) get(server http.Handler, target string) *httptest.ResponseRecorder {
	b.t.Helper()
	w := httptest.NewRecorder()
	server.ServeHTTP(w, b.request(http.MethodGet, target, nil))
	b.take(w.Result())
	return w
}

// want fails the test if the answer is not the expected one.
func (b *browser) want(server http.Handler, target string, status int, body string) *httptest.ResponseRecorder {
	b.t.Helper()
	w := b.get(server, target)
	if w.Code != status || w.Body.String() != body {
		b.t.Errorf("%s: %d %q, want %d %q", target, w.Code, w.Body.String(), status, body)
	}
	return w
}

func (b *browser) id() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cookies["__Host-session"]
}

// app is a handler whose query says what to do with the session, in this order:
// get=NAME, invalidate, renew, timeout=DURATION, set=NAME&value=VALUE, delete=NAME,
// incr=NAME, info.
func app(w http.ResponseWriter, r *http.Request) {
	s, q, ctx := httpsession.From(r), r.URL.Query(), r.Context()
	var err error
	var body string
	if q.Has("get") {
		value, ok, gerr := httpsession.Get[string](ctx, s, q.Get("get"))
		if gerr == nil && !ok {
			http.Error(w, "none", http.StatusNotFound)
			return
		}
		body, err = value, gerr
	}
	if err == nil && q.Has("invalidate") {
		err = s.Invalidate(ctx)
	}
	if err == nil && q.Has("renew") {
		err = s.Renew()
	}
	if d, perr := time.ParseDuration(q.Get("timeout")); err == nil && perr == nil {
		err = s.SetMaxInactive(d)
	}
	if err == nil && q.Has("set") {
		err = s.Set(q.Get("set"), q.Get("value"))
	}
	if err == nil && q.Has("delete") {
		err = s.Delete(q.Get("delete"))
	}
	if err == nil && q.Has("incr") {
		var n int
		n, err = httpsession.Update(ctx, s, q.Get("incr"), func(n int, _ bool) (int, error) { return n + 1, nil })
		body += fmt.Sprint(n)
	}
	if err == nil && q.Has("info") {
		var ok bool
		_, ok, err = s.Info(ctx)
		body += fmt.Sprint(ok)
	}
	if err != nil {
		http.Error(w, "error", httpsession.Status(err))
	} else if body != "" {
		fmt.Fprint(w, body)
	}
}
