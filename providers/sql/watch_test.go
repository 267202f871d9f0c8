package sql_test

import (
	"context"
	stdsql "database/sql"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/sql"
)

// A witness counts the events of a cache, as "put a" and "gap ".
type witness struct {
	mu   sync.Mutex
	seen map[string]int
}

var kinds = map[driver.EventKind]string{
	driver.EventPut: "put ", driver.EventRemoved: "removed ", driver.EventExpired: "expired ", driver.EventGap: "gap ",
}

func watch(t *testing.T, c driver.Cache) *witness {
	t.Helper()
	w := &witness{seen: make(map[string]int)}
	stop, err := driver.FeaturesOf(c).Watcher.Watch(t.Context(), func(e driver.Event) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.seen[kinds[e.Kind]+e.Key]++
	})
	must(t, err)
	t.Cleanup(stop)
	return w
}

func (w *witness) count(event string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen[event]
}

// eventually is patient, for a busy machine.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it does not happen: %s", what)
		}
	}
}

// databases are the kinds of them, each empty.
var databases = []struct {
	name string
	url  func(*testing.T) string
}{
	{"sqlite", func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "caches.db") }},
	{"postgresql", func(t *testing.T) string { return servertest.Postgres(t).URL }},
	{"mariadb", func(t *testing.T) string { return servertest.MariaDB(t).URL }},
}

func poolOf(c driver.Cache) *stdsql.DB { return driver.FeaturesOf(c).Unwrapper.Unwrap().(*stdsql.DB) }

// TestForgottenWatcher: a watcher that was away for so long that changes were not noted for it is
// told so, and hears what comes.
func TestForgottenWatcher(t *testing.T) {
	p := connect(t, sql.Options{URL: "sqlite:" + filepath.Join(t.TempDir(), "caches.db")})
	p.SetWatchLease(time.Second)
	c := open(t, p, driver.CacheOptions{})
	w := watch(t, c)
	_, err := poolOf(c).Exec("DELETE FROM keepsake_watchers")
	must(t, err)
	must(t, c.Put(t.Context(), "missed", record(1, "one"), time.Time{}))
	eventually(t, "a gap", func() bool { return w.count("gap ") > 0 })
	id := 1
	eventually(t, "a change after it", func() bool {
		id++
		must(t, c.Put(t.Context(), "after", record(id, "two"), time.Time{}))
		return w.count("put after") > 0
	})
}

// TestWatchOverARestart: a watcher is told that the database was away, and hears what comes.
func TestWatchOverARestart(t *testing.T) {
	server := servertest.Postgres(t)
	p, err := sql.Connect(t.Context(), sql.Options{URL: server.URL, CreateTables: true, RequestTimeout: time.Second, Logger: slog.New(slog.DiscardHandler)})
	must(t, err)
	c := open(t, p, driver.CacheOptions{})
	w := watch(t, c)
	server.Kill()
	eventually(t, "a gap", func() bool { return w.count("gap ") > 0 })
	must(t, server.Restart(t.Context()))
	id := 0
	eventually(t, "a change after it", func() bool {
		id++
		return c.Put(t.Context(), "after", record(id, "two"), time.Time{}) == nil && w.count("put after") > 0
	})
}

// TestSlowWriters: when Watch returns, every write that it may not hear of can be read; and one
// that is committed late is told although a later one was told before it.
func TestSlowWriters(t *testing.T) {
	waiting := map[string]string{
		"postgresql": "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'ShareLock' AND relation = 'keepsake'::regclass",
		"mariadb":    "SELECT count(*) FROM information_schema.processlist WHERE state LIKE 'Waiting for table%'",
	}
	for _, database := range databases[1:] {
		t.Run(database.name, func(t *testing.T) {
			c := open(t, connect(t, sql.Options{URL: database.url(t)}), driver.CacheOptions{})
			must(t, c.Put(t.Context(), "late", record(1, "one"), time.Time{}))
			before, _, err := c.Get(t.Context(), "late")
			must(t, err)
			tx := changing(t, c)
			watching := make(chan *witness, 1)
			go func() { watching <- watch(t, c) }()
			eventually(t, "Watch waits", func() bool {
				n := 0
				must(t, poolOf(c).QueryRow(waiting[database.name]).Scan(&n))
				return n > 0
			})
			must(t, tx.Commit())
			w := <-watching
			after, _, err := c.Get(t.Context(), "late")
			must(t, err)
			if after.Token.N == before.Token.N {
				t.Error("after Watch, the record is the old one")
			}

			tx = changing(t, c)
			must(t, c.Put(t.Context(), "early", record(2, "two"), time.Time{}))
			eventually(t, "the later change", func() bool { return w.count("put early") == 1 })
			must(t, tx.Commit())
			eventually(t, "the earlier change", func() bool { return w.count("put late") == 1 })
		})
	}
}

// changing returns a transaction that has changed the key late.
func changing(t *testing.T, c driver.Cache) *stdsql.Tx {
	t.Helper()
	tx, err := poolOf(c).BeginTx(context.Background(), nil)
	must(t, err)
	t.Cleanup(func() { _ = tx.Rollback() })
	_, err = tx.Exec("UPDATE keepsake SET version = version + 1 WHERE cache = 'sessions' AND entry = 'late'")
	must(t, err)
	return tx
}
