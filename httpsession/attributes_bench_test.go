package httpsession_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/keepsake-cache/keepsake/httpsession"
	"github.com/keepsake-cache/keepsake/providers/memory"
)

// BenchmarkAttributes serves requests of a session with n attributes.
func BenchmarkAttributes(b *testing.B) {
	for _, n := range []int{1, 5, 20, 200, 2000, 10_000} {
		names := make([]string, n)
		for i := range names {
			names[i] = fmt.Sprint("attribute", i)
		}
		for _, c := range []struct {
			name string
			do   func(ctx context.Context, s *httpsession.Session) error
		}{
			{"read all", func(ctx context.Context, s *httpsession.Session) error {
				for i, name := range names {
					if v, ok, err := httpsession.Get[int](ctx, s, name); v != i || !ok || err != nil {
						return fmt.Errorf("%s is %d, %v, %w", name, v, ok, err)
					}
				}
				return nil
			}},
			{"set all", func(_ context.Context, s *httpsession.Session) error {
				for i, name := range names {
					if err := s.Set(name, -i); err != nil {
						return err
					}
				}
				return nil
			}},
			{"info", func(ctx context.Context, s *httpsession.Session) error {
				info, ok, err := s.Info(ctx)
				if len(info.Attributes) != n || !ok || err != nil {
					return fmt.Errorf("%d attributes, %v, %w", len(info.Attributes), ok, err)
				}
				return nil
			}},
		} {
			b.Run(fmt.Sprintf("%s/%d", c.name, n), func(b *testing.B) {
				caches, err := memory.Open(memory.Options{})
				if err != nil {
					b.Fatal(err)
				}
				b.Cleanup(func() { _ = caches.Close(context.Background()) })
				m, err := httpsession.New(context.Background(), caches, httpsession.Options{})
				if err != nil {
					b.Fatal(err)
				}
				visitor := newBrowser(b)
				visitor.get(m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					for i, name := range names {
						if err := httpsession.From(r).Set(name, i); err != nil {
							b.Error(err)
						}
					}
				})), "/")
				server := m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if err := c.do(r.Context(), httpsession.From(r)); err != nil {
						b.Error(err)
					}
					_, _ = w.Write(ok)
				}))
				r, w := visitor.request(http.MethodGet, "/", nil), nothing{http.Header{}}
				b.ReportAllocs()
				for b.Loop() {
					clear(w.header)
					server.ServeHTTP(w, r)
				}
			})
		}
	}
}
