package httpsession_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/keepsake-cache/keepsake/httpsession"
)

// zipped compresses, and says so before anybody has written, as some handlers do.
type zipped struct {
	http.ResponseWriter
	z io.Writer
}

func (z zipped) Write(b []byte) (int, error) { return z.z.Write(b) }

func TestAnErrorTakesBackWhatTheHandlerSaid(t *testing.T) {
	o := newOverlap(t)
	o.site.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Disposition", "attachment")
		h.Set("Content-Type", "application/pdf")
		h.Set("ETag", `"1"`)
		h.Del("X-Frame-Options")
		h.Add("Vary", "Accept")
		http.SetCookie(w, &http.Cookie{Name: "remember", Value: "token"})
		if _, ok, err := httpsession.From(r).Info(r.Context()); !ok || err != nil {
			t.Error(ok, err)
		}
		set(t, r, "k", "w")
		o.inside <- struct{}{}
		<-o.goOn
		fmt.Fprint(w, "%PDF")
	})
	inner := o.site.server()
	outer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("X-Frame-Options", "DENY")
		w.Header().Add("Vary", "Accept-Encoding")
		http.SetCookie(w, &http.Cookie{Name: "csrf", Value: "t"})
		z := gzip.NewWriter(w)
		defer z.Close() //nolint:errcheck // it writes to a recorder
		inner.ServeHTTP(zipped{w, z}, r)
	})
	other, b := o.site.server2(app), newBrowser(t)
	b.get(other, "/?set=k&value=v")
	w := o.run(outer, b, "/?", func() { b.get(other, "/?invalidate") })
	h := w.Header()
	if w.Code != 409 || h.Get("Content-Disposition") != "" || h.Get("Etag") != "" || !strings.HasPrefix(h.Get("Content-Type"), "text/plain") ||
		h.Get("X-Frame-Options") != "DENY" || h.Get("Content-Encoding") != "gzip" || h.Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v", w.Code, h)
	}
	if c := w.Result().Cookies(); len(c) != 1 || c[0].Name != "csrf" {
		t.Errorf("cookies %v", c)
	}
	if got := fmt.Sprint(h["Vary"]); got != "[Accept-Encoding Cookie]" {
		t.Errorf("Vary %s", got)
	}
	z, err := gzip.NewReader(w.Body)
	if err != nil {
		t.Fatalf("the answer is not what its header says: %v", err)
	}
	if text, err := io.ReadAll(z); err != nil || strings.Contains(string(text), "PDF") || !strings.Contains(string(text), "ended") {
		t.Errorf("%q %v", text, err)
	}
}

// ginWriter is what the response writer of gin does: it asks what is under it without
// looking, and knows whether it was written to.
type ginWriter struct {
	http.ResponseWriter
	written bool
}

func (w *ginWriter) Written() bool               { return w.written }
func (w *ginWriter) WriteHeader(code int)        { w.written = true; w.ResponseWriter.WriteHeader(code) }
func (w *ginWriter) Write(b []byte) (int, error) { w.written = true; return w.ResponseWriter.Write(b) }
func (w *ginWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
func (w *ginWriter) Flush()                      { w.written = true; w.ResponseWriter.(http.Flusher).Flush() }
func (w *ginWriter) CloseNotify() <-chan bool    { return closeNotifier(w.ResponseWriter) }
func closeNotifier(w http.ResponseWriter) <-chan bool {
	return w.(interface{ CloseNotify() <-chan bool }).CloseNotify()
}
func (w *ginWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.written = true
	return w.ResponseWriter.(http.Hijacker).Hijack()
}

// A framework inside, and one outside, stream as gin's Context.Stream does.
func TestFrameworksThatStream(t *testing.T) {
	for _, where := range []string{"inside", "outside"} {
		gone := make(chan bool, 1)
		site := newSite(t, httpsession.Options{}, func(w http.ResponseWriter, r *http.Request) {
			set(t, r, "k", "v")
			if where == "inside" {
				w = &ginWriter{ResponseWriter: w}
			}
			closed := closeNotifier(w)
			w.(http.Flusher).Flush()
			select {
			case <-closed:
				gone <- true
			case <-t.Context().Done():
			}
		})
		handler := site.server()
		if where == "outside" {
			inner := handler
			handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { inner.ServeHTTP(&ginWriter{ResponseWriter: w}, r) })
		}
		server := httptest.NewServer(handler)
		ctx, cancel := context.WithCancel(t.Context())
		r, _ := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
		resp, err := http.DefaultClient.Do(r)
		if err != nil || len(resp.Cookies()) != 1 {
			t.Fatal(err, resp)
		}
		cancel()
		<-gone
		_ = resp.Body.Close()
		server.Close()
	}
	// Where the server has no such thing, the request's context says it.
	site := newSite(t, httpsession.Options{}, nil)
	ctx, cancel := context.WithCancel(t.Context())
	site.server2(func(w http.ResponseWriter, _ *http.Request) {
		closed := closeNotifier(w)
		cancel()
		<-closed
	}).ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil))
}

// A cookie that cannot be sent is in the log, and the session that nobody could find is not
// in the store.
func TestWrittenWithoutTheSession(t *testing.T) {
	for name, serve := range map[string]func(inner http.Handler, w http.ResponseWriter, r *http.Request){
		"written before": func(inner http.Handler, w http.ResponseWriter, r *http.Request) {
			g := &ginWriter{ResponseWriter: w}
			fmt.Fprint(g, "hello")
			inner.ServeHTTP(g, r)
		},
		"written around": func(inner http.Handler, w http.ResponseWriter, r *http.Request) {
			g := &ginWriter{ResponseWriter: w}
			inner.ServeHTTP(g, r.WithContext(context.WithValue(r.Context(), actKey{}, g)))
		},
	} {
		var logs bytes.Buffer
		site := newSite(t, httpsession.Options{Logger: slog.New(slog.NewTextHandler(&logs, nil))}, func(_ http.ResponseWriter, r *http.Request) {
			set(t, r, "k", "v")
			if g, ok := r.Context().Value(actKey{}).(*ginWriter); ok {
				g.Header().Set("Content-Type", "text/plain")
				fmt.Fprint(g, "hello")
			}
		})
		inner := site.server()
		b := newBrowser(t)
		for range 2 {
			w := b.get(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { serve(inner, w, r) }), "/")
			if w.Body.String() != "hello" {
				t.Errorf("%s: %q", name, w.Body.String())
			}
		}
		if n := strings.Count(logs.String(), "does not reach the browser"); n != 1 {
			t.Errorf("%s: logged %d times: %s", name, n, logs.String())
		}
		if n := site.alive(); n != 0 {
			t.Errorf("%s: %d sessions that nobody can find", name, n)
		}
	}
}

func TestSecureCookieOverHTTP(t *testing.T) {
	for _, test := range []struct {
		name   string
		host   string
		header string
		cookie httpsession.Cookie
		warns  int
	}{
		{"a name", "shop.test", "", httpsession.Cookie{}, 1},
		{"an address", "192.0.2.1:8000", "", httpsession.Cookie{}, 1},
		{"this machine", "localhost:8000", "", httpsession.Cookie{}, 0},
		{"its address", "127.0.0.1:8000", "", httpsession.Cookie{}, 0},
		{"behind a proxy", "shop.test", "https", httpsession.Cookie{}, 0},
		{"not Secure", "shop.test", "", httpsession.Cookie{AllowHTTP: true}, 0},
	} {
		var logs bytes.Buffer
		server, _ := serve(t, httpsession.Options{Cookie: test.cookie, Logger: slog.New(slog.NewTextHandler(&logs, nil))}, app)
		for range 3 {
			r, _ := http.NewRequest(http.MethodGet, server.URL+"/?incr=n", nil)
			r.Host = test.host
			if test.header != "" {
				r.Header.Set("X-Forwarded-Proto", test.header)
			}
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
		}
		server.Close()
		if n := strings.Count(logs.String(), "AllowHTTP"); n != test.warns {
			t.Errorf("%s: %d warnings, want %d: %s", test.name, n, test.warns, logs.String())
		}
	}
}
