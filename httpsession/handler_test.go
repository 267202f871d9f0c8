package httpsession_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keepsake-cache/keepsake/httpsession"
)

func set(t *testing.T, r *http.Request, name string, value any) {
	t.Helper()
	if err := httpsession.From(r).Set(name, value); err != nil {
		t.Error(err)
	}
}

// What a handler does to its request is seen outside, as without sessions.
func TestTheRequestComesBack(t *testing.T) {
	type key struct{}
	site := newSite(t, httpsession.Options{}, nil)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /cart/{id}", func(_ http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
	})
	mux.HandleFunc("POST /value", func(_ http.ResponseWriter, r *http.Request) { r.SetPathValue("more", "7") })
	mux.HandleFunc("POST /context", func(_ http.ResponseWriter, r *http.Request) {
		*r = *r.WithContext(context.WithValue(r.Context(), key{}, "user"))
	})
	mux.HandleFunc("POST /panic", func(_ http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) })
	site.handler = mux
	server := site.server()
	for _, test := range []struct {
		target string
		seen   func(r *http.Request) bool
	}{
		{"/cart/9?x=1", func(r *http.Request) bool {
			return r.Pattern == "POST /cart/{id}" && r.PathValue("id") == "9" && r.Form.Get("x") == "1" && r.PostForm != nil
		}},
		{"/value", func(r *http.Request) bool { return r.PathValue("more") == "7" }},
		{"/context", func(r *http.Request) bool { return r.Context().Value(key{}) == "user" }},
		{"/panic", func(r *http.Request) bool { return r.Pattern == "POST /panic" }},
	} {
		r := httptest.NewRequest(http.MethodPost, test.target, nil)
		ctx := r.Context()
		func() {
			defer func() { _ = recover() }()
			server.ServeHTTP(httptest.NewRecorder(), r)
		}()
		if !test.seen(r) {
			t.Errorf("%s: outside there is pattern %q, form %v, values %q %q", test.target, r.Pattern, r.Form, r.PathValue("id"), r.PathValue("more"))
		}
		if changed := r.Context() != ctx; changed != (test.target == "/context") {
			t.Errorf("%s: the context outside is another one: %v", test.target, changed)
		}
	}
	// A plain handler leaves the request alone, so that it can be served twice at once.
	site.handler = http.HandlerFunc(app)
	server = site.server()
	r := httptest.NewRequest(http.MethodGet, "/?set=k&value=v", nil)
	done := make(chan bool)
	go func() { server.ServeHTTP(httptest.NewRecorder(), r); close(done) }()
	server.ServeHTTP(httptest.NewRecorder(), r)
	<-done
}

func TestUploadsAreRemoved(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	server, _ := serve(t, httpsession.Options{}, func(_ http.ResponseWriter, r *http.Request) {
		if err := r.ParseMultipartForm(1 << 10); err != nil {
			t.Error(err)
		}
		if files, _ := filepath.Glob(os.Getenv("TMPDIR") + "/multipart-*"); len(files) != 1 {
			t.Errorf("the upload is in %d files", len(files))
		}
	})
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	file, err := form.CreateFormFile("f", "f")
	if err == nil {
		_, err = file.Write(make([]byte, 11<<20))
	}
	if err = errors.Join(err, form.Close()); err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(server.URL, form.FormDataContentType(), &body)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	server.Close() // which waits for the request
	if files, _ := filepath.Glob(os.Getenv("TMPDIR") + "/multipart-*"); len(files) != 0 {
		t.Errorf("%d files of the upload are left", len(files))
	}
}

func TestAManagerTwiceIsOneSession(t *testing.T) {
	site := newSite(t, httpsession.Options{}, nil)
	m := site.manager()
	inner := m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if token, ok, err := httpsession.Get[string](r.Context(), httpsession.From(r), "csrf"); token != "t" || !ok || err != nil {
			t.Errorf("inside: %q %v %v", token, ok, err)
		}
		set(t, r, "user", "ann")
	}))
	outer := m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		set(t, r, "csrf", "t")
		inner.ServeHTTP(w, r)
		// Another request, made with the context of this one, is of another visitor.
		bob := newBrowser(t)
		bob.get(m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { set(t, r, "user", "bob") })), "/")
		other := bob.request(http.MethodGet, "/", nil).WithContext(r.Context())
		m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if user, _, err := httpsession.Get[string](r.Context(), httpsession.From(r), "user"); user != "bob" || err != nil {
				t.Errorf("another request with the same context is of %q, %v", user, err)
			}
		})).ServeHTTP(httptest.NewRecorder(), other)
	}))
	b := newBrowser(t)
	if c := b.get(outer, "/").Result().Cookies(); len(c) != 1 {
		t.Fatalf("%d cookies", len(c))
	}
	b.want(site.server2(app), "/?get=user", 200, "ann")
	b.want(site.server2(app), "/?get=csrf", 200, "t")
}

// server2 is a server with a handler of its own.
func (s *site) server2(h http.HandlerFunc) http.Handler { return s.manager().Handler(h) }

func TestSeveralManagers(t *testing.T) {
	shop := newSite(t, httpsession.Options{Cookie: httpsession.Cookie{Name: "shop"}}, nil).manager()
	blog := newSite(t, httpsession.Options{Cookie: httpsession.Cookie{Name: "blog"}}, nil).manager()
	stranger := newSite(t, httpsession.Options{}, nil).manager()
	server := shop.Handler(blog.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if httpsession.From(r) != blog.From(r) || httpsession.FromContext(r.Context()) != blog.From(r) || shop.FromContext(r.Context()) != shop.From(r) {
			t.Error("the ways to a session lead to different ones")
		}
		if err := stranger.From(r).Set("x", 1); !errors.Is(err, httpsession.ErrNoSession) {
			t.Errorf("a manager that the request did not pass: %v", err)
		}
		for name, s := range map[string]*httpsession.Session{"shop": shop.From(r), "blog": blog.From(r)} {
			if n, err := httpsession.Update(r.Context(), s, name, func(n int, _ bool) (int, error) { return n + 1, nil }); err != nil {
				t.Error(err)
			} else {
				w.Header().Add("X-Visits", fmt.Sprint(name, n))
			}
		}
	})))
	b := newBrowser(t)
	b.get(server, "/")
	w := b.get(server, "/")
	if got := w.Header().Values("X-Visits"); len(b.cookies) != 2 || !strings.Contains(fmt.Sprint(got), "shop2") || !strings.Contains(fmt.Sprint(got), "blog2") {
		t.Errorf("%v, cookies %v", got, b.cookies)
	}
}
