package sql_test

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/keepsake-cache/keepsake/httpsession"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/sql"
)

// TestSessionSizes measures the table of docs/operations.md: what a session adds to the table with its
// indexes, when it is created, and when it has been changed twice since, which leaves old rows on PostgreSQL
// until a vacuum.
func TestSessionSizes(t *testing.T) {
	if raceEnabled {
		t.Skip("SKIPPED: make test runs it without the race detector")
	}
	sizes := []string{ // of what databases has, in its order
		"SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
		"SELECT pg_total_relation_size('t%d')",
	}
	for i, database := range databases[:2] {
		url := database.url(t)
		for n, test := range []struct {
			attribute, changes int
			bytes              [2]int // as the table says
		}{
			{50, 0, [2]int{286, 540}},
			{500, 0, [2]int{770, 1212}},
			{2000, 0, [2]int{4177, 3244}},
			{50, 2, [2]int{286, 819}},
			{500, 2, [2]int{770, 2949}},
			{2000, 2, [2]int{4177, 8978}},
		} {
			p := connect(t, sql.Options{URL: url, TableName: fmt.Sprint("t", n)})
			manager, err := jcache.NewManager(p, jcache.ManagerOptions{Provider: "sql"})
			must(t, err)
			var opts httpsession.Options
			opts.Cookie.AllowHTTP = true
			sessions, err := httpsession.New(t.Context(), manager, opts)
			must(t, err)
			c, err := p.OpenCache(t.Context(), "sessions", driver.CacheOptions{})
			must(t, err)
			pool := poolOf(c)
			size := func() (bytes int) {
				must(t, pool.QueryRow(strings.ReplaceAll(sizes[i], "%d", fmt.Sprint(n))).Scan(&bytes))
				return bytes
			}
			empty := size()
			const visitors = 500
			for range visitors {
				visit(t, sessions, test.attribute, test.changes)
			}
			got := (size() - empty) / visitors
			t.Logf("%s, %d bytes, %d changes: %d bytes", database.name, test.attribute, test.changes, got)
			if got > test.bytes[i]*5/4 { // a vacuum adds some pages
				t.Errorf("the table says %d", test.bytes[i])
			}
			must(t, manager.Close(t.Context()))
		}
	}
}

// visit creates a session, and changes it so many times.
func visit(t *testing.T, sessions *httpsession.Manager, bytes, changes int) {
	t.Helper()
	var cookie string
	for range 1 + changes {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		if cookie != "" {
			r.Header.Set("Cookie", cookie)
		}
		w := httptest.NewRecorder()
		sessions.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			value := make([]byte, bytes)
			_, _ = rand.Read(value) // never fails
			must(t, httpsession.From(r).Set("value", value))
		})).ServeHTTP(w, r)
		for _, c := range w.Result().Cookies() {
			cookie = c.Name + "=" + c.Value
		}
	}
}
