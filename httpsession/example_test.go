package httpsession_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"

	"github.com/keepsake-cache/keepsake/httpsession"
	"github.com/keepsake-cache/keepsake/providers/memory"
)

// A counter of visits, served by two servers in turn.
func Example() {
	ctx := context.Background()
	caches, err := memory.Open(memory.Options{})
	if err != nil {
		panic(err)
	}
	defer caches.Close(ctx) //nolint:errcheck // memory has nothing to lose

	sessions, err := httpsession.New(ctx, caches, httpsession.Options{
		Cookie: httpsession.Cookie{AllowHTTP: true}, // this example has no TLS
	})
	if err != nil {
		panic(err)
	}
	handler := sessions.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := httpsession.Update(r.Context(), httpsession.From(r), "visits", func(n int, _ bool) (int, error) {
			return n + 1, nil
		})
		if err != nil {
			http.Error(w, "no session", httpsession.Status(err))
			return
		}
		fmt.Fprintf(w, "visit %d\n", n)
	}))
	servers := []*httptest.Server{httptest.NewServer(handler), httptest.NewServer(handler)}
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic(err)
	}
	browser := http.Client{Jar: jar}
	for i := range 3 {
		resp, err := browser.Get(servers[i%2].URL)
		if err != nil {
			panic(err)
		}
		var text string
		if _, err := fmt.Fscanln(resp.Body, &text, &i); err != nil {
			panic(err)
		}
		fmt.Println(text, i)
		resp.Body.Close() //nolint:errcheck // it was only read from
	}
	for _, s := range servers {
		s.Close()
	}
	// Output:
	// visit 1
	// visit 2
	// visit 3
}
