package sql_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/sql"
)

// TestReaper: what is dead is removed from the table, by one of two processes, and nothing else.
func TestReaper(t *testing.T) {
	for _, database := range databases {
		t.Run(database.name, func(t *testing.T) {
			opts := sql.Options{URL: database.url(t), ReapInterval: time.Second}
			c := open(t, connect(t, opts), driver.CacheOptions{})
			open(t, connect(t, opts), driver.CacheOptions{})
			dead := time.Now().Truncate(time.Millisecond).Add(-time.Hour)
			var batch []driver.Entry
			for i := range 700 {
				batch = append(batch, driver.Entry{Key: fmt.Sprint(i), Record: record(i+1, "dead"), Deadline: dead})
			}
			batch[0].Deadline, batch[1].Deadline = time.Time{}, time.Now().Truncate(time.Millisecond).Add(time.Hour)
			for _, err := range driver.FeaturesOf(c).BatchPutter.PutBatch(t.Context(), batch) {
				must(t, err)
			}
			db := poolOf(c)
			rows := 0
			for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
				must(t, db.QueryRow("SELECT count(*) FROM keepsake WHERE cache = 'sessions'").Scan(&rows))
				if rows == 2 {
					return
				}
			}
			t.Errorf("%d rows are left, want the 2 that live", rows)
		})
	}
}
