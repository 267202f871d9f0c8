package sql_test

import (
	"context"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/internal/servers"
	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/sql"
)

// TestFaultRestart: eight writers count up by compare-and-swap through two providers, and the database
// is killed and started again under them. Every acknowledged increment is there, and nothing is counted
// that was neither acknowledged nor told to be unknown.
//
// It is short. With KEEPSAKE_FAULTS=1, as make faults sets it, it is long.
func TestFaultRestart(t *testing.T) {
	wanted := int64(400)
	if os.Getenv("KEEPSAKE_FAULTS") != "" {
		wanted = 4000
	}
	for _, test := range []struct {
		name  string
		start func(*testing.T) *servers.Database
	}{
		{"postgresql", func(t *testing.T) *servers.Database { return servertest.Postgres(t) }},
		{"mariadb", func(t *testing.T) *servers.Database {
			return servertest.MariaDB(t, "--innodb-flush-log-at-trx-commit=2") // to the system, at each commit
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			database := test.start(t)
			opts := sql.Options{URL: database.URL, Logger: slog.New(slog.DiscardHandler)}
			c := counters{caches: []driver.Cache{open(t, connect(t, opts), driver.CacheOptions{}), open(t, connect(t, opts), driver.CacheOptions{})}}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			var wg sync.WaitGroup
			for i := range writers {
				wg.Go(func() { c.count(ctx, i, wanted) })
			}
			kills := 0
			for next := wanted / 4; next < wanted && ctx.Err() == nil; next += wanted / 4 {
				for c.acknowledged.Load() < next && ctx.Err() == nil {
					time.Sleep(time.Millisecond)
				}
				database.Kill()
				must(t, database.Restart(ctx))
				kills++
			}
			wg.Wait()
			acknowledged, unknown, counted := c.acknowledged.Load(), c.unknown.Load(), c.sum(t)
			t.Logf("%d kills; %d acknowledged increments, %d unknown, %d refused; %d counted",
				kills, acknowledged, unknown, c.refused.Load(), counted)
			if acknowledged < wanted || counted < acknowledged || counted > acknowledged+unknown {
				t.Errorf("%d acknowledged increments and %d unknown, but %d are counted", acknowledged, unknown, counted)
			}
		})
	}
}
