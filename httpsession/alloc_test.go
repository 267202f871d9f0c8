package httpsession_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/keepsake-cache/keepsake/httpsession"
	"github.com/keepsake-cache/keepsake/providers/memory"
)

// nothing is a response that costs nothing.
type nothing struct{ header http.Header }

func (w nothing) Header() http.Header         { return w.header }
func (w nothing) Write(b []byte) (int, error) { return len(b), nil }
func (w nothing) WriteHeader(int)             {}

// cases are handlers and how many allocations the sessions may add to them.
var cases = []struct {
	name    string
	handler http.HandlerFunc
	most    float64
}{
	{"untouched", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(ok) }, 3},
	{"read", func(w http.ResponseWriter, r *http.Request) {
		if n, found, err := httpsession.Get[int](r.Context(), httpsession.From(r), "n"); n == 0 || !found || err != nil {
			panic("no session")
		}
		_, _ = w.Write(ok)
	}, 20},
	{"increment", func(w http.ResponseWriter, r *http.Request) {
		if _, err := httpsession.Update(r.Context(), httpsession.From(r), "n", func(n int, _ bool) (int, error) { return n + 1, nil }); err != nil {
			panic("no session")
		}
		_, _ = w.Write(ok)
	}, 30},
}

var ok = []byte("ok")

// fixture returns a function that serves one request of an existing session.
func fixture(t testing.TB, handler http.HandlerFunc) func() {
	caches, err := memory.Open(memory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = caches.Close(context.Background()) })
	m, err := httpsession.New(context.Background(), caches, httpsession.Options{})
	if err != nil {
		t.Fatal(err)
	}
	b := newBrowser(t)
	b.get(m.Handler(cases[2].handler), "/")
	server := m.Handler(handler)
	r, w := b.request(http.MethodGet, "/", nil), nothing{http.Header{}}
	return func() {
		clear(w.header)
		server.ServeHTTP(w, r)
	}
}

func TestAllocations(t *testing.T) {
	for _, c := range cases {
		request := fixture(t, c.handler)
		got := testing.AllocsPerRun(1000, request)
		t.Logf("%s: %.0f allocations", c.name, got)
		if got > c.most {
			t.Errorf("%s: %.0f allocations, want at most %.0f", c.name, got, c.most)
		}
	}
}

func Benchmark(b *testing.B) {
	for _, c := range cases {
		b.Run(c.name, func(b *testing.B) {
			request := fixture(b, c.handler)
			b.ReportAllocs()
			for b.Loop() {
				request()
			}
		})
	}
	b.Run("baseline", func(b *testing.B) {
		r, w := httptest.NewRequest(http.MethodGet, "/", nil), nothing{http.Header{}}
		b.ReportAllocs()
		for b.Loop() {
			clear(w.header)
			cases[0].handler(w, r)
		}
	})
}
