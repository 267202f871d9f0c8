package sql_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/sql"
)

// TestReaper: what is dead is removed from the table, by one of two processes, and nothing else. Each
// that watches hears once that an entry has expired, and so it does when a dead one is replaced. Nothing
// is noted while nobody watches.
func TestReaper(t *testing.T) {
	for _, database := range databases {
		t.Run(database.name, func(t *testing.T) {
			opts := sql.Options{URL: database.url(t), ReapInterval: time.Second}
			c, other := open(t, connect(t, opts), driver.CacheOptions{}), open(t, connect(t, opts), driver.CacheOptions{})
			const keys = 700
			dead := time.Now().Truncate(time.Millisecond).Add(-time.Hour)
			var batch []driver.Entry
			for i := range keys {
				batch = append(batch, driver.Entry{Key: fmt.Sprint(i), Record: record(i+1, "dead"), Deadline: dead})
			}
			batch[0].Deadline, batch[1].Deadline = time.Time{}, time.Now().Truncate(time.Millisecond).Add(time.Hour)
			put := func(batch ...driver.Entry) {
				t.Helper()
				for _, err := range driver.FeaturesOf(c).BatchPutter.PutBatch(t.Context(), batch) {
					must(t, err)
				}
			}
			rows := func(of string) (n int) {
				t.Helper()
				must(t, poolOf(c).QueryRow("SELECT count(*) FROM "+of).Scan(&n))
				return n
			}
			put(batch[:2]...)
			if n := rows("keepsake_outbox"); n > 0 {
				t.Errorf("%d changes are noted that nobody watches", n)
			}
			seen := []*witness{watch(t, c), watch(t, other)}
			put(batch[2:]...)
			eventually(t, "2 rows live and are left", func() bool { return rows("keepsake WHERE cache = 'sessions'") == 2 })
			put(driver.Entry{Key: "again", Record: record(keys+1, "dead"), Deadline: dead})
			put(driver.Entry{Key: "again", Record: record(keys+2, "alive")})
			must(t, c.Delete(t.Context(), "again"))
			for i, w := range seen {
				eventually(t, "the last change is told", func() bool { return w.count("removed again") > 0 })
				if w.count("expired 0") > 0 || w.count("put 0") > 0 || w.count("gap ") > 0 || w.count("expired again") != 1 {
					t.Errorf("watcher %d heard %v", i, w.seen)
				}
				for _, e := range batch[2:] {
					if n := w.count("expired " + e.Key); n != 1 {
						t.Fatalf("watcher %d heard %d times that %s expired", i, n, e.Key)
					}
				}
			}
		})
	}
}
