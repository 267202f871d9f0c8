package httpsession_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keepsake-cache/keepsake/httpsession"
	"github.com/keepsake-cache/keepsake/jcache"
)

// serve starts a real server; its client's cookies are left to the test.
func serve(t *testing.T, opts httpsession.Options, handler http.HandlerFunc) (*httptest.Server, *site) {
	site := newSite(t, opts, handler)
	server := httptest.NewServer(site.server())
	t.Cleanup(server.Close)
	return server, site
}

func fetch(t *testing.T, url string) (*http.Response, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read from
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func TestCookieBeforeTheFirstByte(t *testing.T) {
	set := func(r *http.Request) {
		if err := httpsession.From(r).Set("k", "v"); err != nil {
			t.Error(err)
		}
	}
	file := filepath.Join(t.TempDir(), "page")
	if err := os.WriteFile(file, []byte("page"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, handler := range map[string]http.HandlerFunc{
		"nothing written": func(_ http.ResponseWriter, r *http.Request) { set(r) },
		"WriteHeader":     func(w http.ResponseWriter, r *http.Request) { set(r); w.WriteHeader(http.StatusTeapot) },
		"Write":           func(w http.ResponseWriter, r *http.Request) { set(r); _, _ = w.Write([]byte("x")) },
		"WriteString":     func(w http.ResponseWriter, r *http.Request) { set(r); _, _ = io.WriteString(w, "x") },
		"Flush":           func(w http.ResponseWriter, r *http.Request) { set(r); w.(http.Flusher).Flush(); fmt.Fprint(w, "x") },
		"controller flush": func(w http.ResponseWriter, r *http.Request) {
			set(r)
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Error(err)
			}
		},
		"ReadFrom": func(w http.ResponseWriter, r *http.Request) {
			set(r)
			_, _ = w.(io.ReaderFrom).ReadFrom(strings.NewReader("x"))
		},
		"ServeFile": func(w http.ResponseWriter, r *http.Request) { set(r); http.ServeFile(w, r, file) },
		"Redirect": func(w http.ResponseWriter, r *http.Request) {
			set(r)
			http.Redirect(w, r, "/elsewhere", http.StatusSeeOther)
		},
		"Error": func(w http.ResponseWriter, r *http.Request) { set(r); http.Error(w, "no", http.StatusBadRequest) },
		"early hints": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", "</style.css>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
			set(r) // still in time
			w.WriteHeader(http.StatusOK)
		},
	} {
		t.Run(name, func(t *testing.T) {
			server, _ := serve(t, httpsession.Options{}, handler)
			req, _ := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
				Got1xxResponse: func(int, textproto.MIMEHeader) error { return nil },
			}), http.MethodGet, server.URL, nil)
			resp, err := http.DefaultTransport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			c := resp.Cookies()
			if len(c) != 1 || c[0].Name != "__Host-session" || !c[0].Secure || !c[0].HttpOnly || c[0].SameSite != http.SameSiteLaxMode || c[0].Path != "/" || c[0].MaxAge != 0 {
				t.Errorf("cookies %v", c)
			}
			if got := resp.Header.Get("Cache-Control"); got != "no-store" {
				t.Errorf("Cache-Control %q, want no-store", got)
			}
		})
	}
}

func TestNoCookieWithoutNeed(t *testing.T) {
	site := newSite(t, httpsession.Options{}, app)
	server, b := site.server(), newBrowser(t)
	b.get(server, "/?set=k&value=v")
	for _, target := range []string{"/", "/?get=k", "/?set=k&value=w", "/?incr=n", "/?info", "/?delete=k"} {
		if w := b.get(server, target); w.Header().Get("Set-Cookie") != "" {
			t.Errorf("%s sets a cookie", target)
		}
	}
	if w := b.get(server, "/"); w.Header().Get("Vary") != "" || w.Header().Get("Cache-Control") != "" {
		t.Error("an untouched response is marked as if it depended on the session")
	}
	if w := b.get(server, "/?get=k"); w.Header().Get("Vary") != "Cookie" {
		t.Error("a response that depends on the session does not say so")
	}
}

func TestFailedCommitIsOneCleanError(t *testing.T) {
	server, site := serve(t, httpsession.Options{}, func(w http.ResponseWriter, r *http.Request) {
		if err := httpsession.From(r).Set("k", "v"); err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "application/secret")
		w.Header().Set("Content-Length", "13")
		w.Header().Set("Etag", `"1"`)
		w.Header().Set("Location", "/paid")
		w.WriteHeader(http.StatusSeeOther)
		for range 3 {
			if n, err := w.Write([]byte("secret answer")); n != 0 || err == nil {
				t.Errorf("a write after a failed commit: %d %v, want an error", n, err)
			}
		}
		if f, ok := w.(http.Flusher); ok {
			f.Flush()
		}
	})
	site.spy.fail(jcache.ErrUnavailable)
	resp, body := fetch(t, server.URL)
	if resp.StatusCode != 503 || strings.Contains(body, "secret") || resp.Header.Get("Location") != "" ||
		resp.Header.Get("Etag") != "" || resp.Header.Get("Retry-After") == "" || len(resp.Cookies()) != 0 {
		t.Errorf("%d %v %q", resp.StatusCode, resp.Header, body)
	}
}

func TestOnError(t *testing.T) {
	var got error
	opts := httpsession.Options{OnError: func(w http.ResponseWriter, r *http.Request, err error) {
		got = err
		http.Error(w, "sorry, "+r.URL.Path, http.StatusBadGateway)
	}}
	site := newSite(t, opts, app)
	server := site.server()
	site.spy.fail(fmt.Errorf("%w: gone fishing", jcache.ErrUnavailable))
	newBrowser(t).want(server, "/page?set=k&value=v", 502, "sorry, /page\n")
	if got == nil || !strings.Contains(got.Error(), "gone fishing") {
		t.Errorf("OnError was told %v", got)
	}
}

func TestChangesAfterTheFirstByte(t *testing.T) {
	var logs bytes.Buffer
	opts := httpsession.Options{Logger: slog.New(slog.NewTextHandler(&logs, nil))}
	site := newSite(t, opts, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("late") {
			fmt.Fprint(w, "begun")
		}
		app(w, r)
	})
	server, b := site.server(), newBrowser(t)

	// A new session would need a cookie.
	b.get(server, "/?late&set=k&value=v")
	if b.id() != "" || !strings.Contains(logs.String(), "is lost") {
		t.Errorf("a session created too late: cookie %q, log %q", b.id(), logs.String())
	}
	logs.Reset()

	// An existing one only needs the store.
	b.get(server, "/?set=k&value=v")
	b.want(server, "/?late&set=k&value=w", 200, "begun")
	b.want(server, "/?get=k", 200, "w")
	b.want(server, "/?late&incr=n", 200, "begun1")
	old := b.id()
	if w := b.get(server, "/?late&renew"); !strings.Contains(w.Body.String(), "error") {
		t.Errorf("a renewal that came too late was not refused: %q", w.Body.String())
	}
	if b.want(server, "/?get=k", 200, "w"); b.id() != old {
		t.Error("the id changed")
	}
	b.get(server, "/?late&invalidate")
	b.want(server, "/?get=k", 404, "none\n")
	if logs.Len() != 0 {
		t.Errorf("logged: %s", logs.String())
	}
}

func TestKnownTooLateIsAnErrorAtOnce(t *testing.T) {
	site := newSite(t, httpsession.Options{}, func(w http.ResponseWriter, r *http.Request) {
		s := httpsession.From(r)
		if _, ok, err := s.Info(r.Context()); ok || err != nil {
			t.Errorf("%v %v", ok, err)
		}
		fmt.Fprint(w, "begun")
		if err := s.Set("k", "v"); err == nil {
			t.Error("Set cannot store anything any more, and says nothing")
		}
	})
	newBrowser(t).get(site.server(), "/")
}

func TestHijack(t *testing.T) {
	handler := func(w http.ResponseWriter, r *http.Request) {
		s := httpsession.From(r)
		if err := s.Set("k", r.URL.Query().Get("value")); err != nil {
			t.Error(err)
		}
		if r.URL.Path != "/hijack" {
			return
		}
		conn, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			http.Error(w, "cannot", http.StatusInternalServerError)
			return
		}
		defer conn.Close() //nolint:errcheck // the client sees the end of it
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\nhello")
		_ = rw.Flush()
		if err := s.Set("later", "kept"); err != nil {
			t.Error(err)
		}
	}
	server, site := serve(t, httpsession.Options{}, handler)
	b := newBrowser(t)

	// A new session needs a cookie, which a hijacked connection cannot carry.
	resp, _ := fetch(t, server.URL+"/hijack?value=1")
	if resp.StatusCode != 500 || len(resp.Cookies()) != 0 {
		t.Errorf("%d %v, want 500 without a cookie", resp.StatusCode, resp.Cookies())
	}
	if n := site.spy.ops.Load(); n != 0 {
		t.Errorf("%d operations, want no orphan", n)
	}

	resp, _ = fetch(t, server.URL+"/?value=1")
	b.take(resp)
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // it was only read from
	fmt.Fprintf(conn, "GET /hijack?value=2 HTTP/1.1\r\nHost: x\r\nCookie: __Host-session=%s\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n", b.id())
	answer, err := io.ReadAll(bufio.NewReader(conn))
	if err != nil || !strings.Contains(string(answer), "101") || !strings.HasSuffix(string(answer), "hello") {
		t.Errorf("%q %v", answer, err)
	}
	read := newReader(t, site, b)
	read("k", "2")
	read("later", "kept")
}

// newReader returns a check of an attribute as another server sees it. What is stored
// after a hijacked response may be a moment late.
func newReader(t *testing.T, site *site, b *browser) func(name, want string) {
	server := site.manager().Handler(http.HandlerFunc(app))
	return func(name, want string) {
		t.Helper()
		for range 1000 {
			if b.get(server, "/?get="+name).Body.String() == want {
				return
			}
		}
		b.want(server, "/?get="+name, 200, want)
	}
}

// Writers with every combination of abilities, as other middleware makes them.
type (
	flusher  struct{}
	hijacker struct{}
	pusher   struct{}
)

func (flusher) Flush()                                        {}
func (hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) { return nil, nil, http.ErrNotSupported }
func (pusher) Push(string, *http.PushOptions) error           { return nil }

func TestAbilitiesAreThoseUnderneath(t *testing.T) {
	var plain struct{ http.ResponseWriter }
	site := newSite(t, httpsession.Options{}, nil)
	for _, under := range []http.ResponseWriter{
		plain,
		struct {
			http.ResponseWriter
			flusher
		}{}, struct {
			http.ResponseWriter
			hijacker
		}{}, struct {
			http.ResponseWriter
			pusher
		}{}, struct {
			http.ResponseWriter
			flusher
			hijacker
		}{}, struct {
			http.ResponseWriter
			flusher
			pusher
		}{}, struct {
			http.ResponseWriter
			hijacker
			pusher
		}{}, struct {
			http.ResponseWriter
			flusher
			hijacker
			pusher
		}{},
	} {
		called := false
		site.handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			called = true
			_, wantF := under.(http.Flusher)
			_, wantH := under.(http.Hijacker)
			_, wantP := under.(http.Pusher)
			_, gotF := w.(http.Flusher)
			_, gotH := w.(http.Hijacker)
			_, gotP := w.(http.Pusher)
			if gotF != wantF || gotH != wantH || gotP != wantP {
				t.Errorf("%T: flush %v hijack %v push %v, want %v %v %v", under, gotF, gotH, gotP, wantF, wantH, wantP)
			}
			if p, ok := w.(http.Pusher); ok {
				if err := p.Push("/style.css", nil); err != nil {
					t.Error(err)
				}
			}
			if _, ok := w.(io.ReaderFrom); !ok {
				t.Errorf("%T: no ReadFrom", under)
			}
			panic("enough") // there is nothing under the writer
		})
		func() {
			defer func() { _ = recover() }()
			site.server().ServeHTTP(under, httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/", nil))
		}()
		if !called {
			t.Fatal("the handler was not called")
		}
	}
}
