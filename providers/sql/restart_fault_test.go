package sql_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
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
			for i := range 8 {
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

// counters are the records that writers count in.
type counters struct {
	caches                         []driver.Cache
	acknowledged, unknown, refused atomic.Int64
	ids                            atomic.Int64
}

const counterKeys = 4

// count counts up, in a key that another writer uses through the other provider, until enough is acknowledged.
func (c *counters) count(ctx context.Context, writer int, wanted int64) {
	cache, key := c.caches[writer%2], strconv.Itoa(writer/2%counterKeys)
	for c.acknowledged.Load() < wanted && ctx.Err() == nil {
		item, found, err := cache.Get(ctx, key)
		if err != nil {
			c.refused.Add(1)
			continue
		}
		n := 0
		if found {
			n, _ = strconv.Atoi(string(item.Record[driver.WriteIDBytes:]))
		}
		swapped, _, err := cache.Swap(ctx, key, item.Token, record(int(c.ids.Add(1)), strconv.Itoa(n+1)), time.Time{})
		switch {
		case errors.Is(err, driver.ErrIndeterminate):
			c.unknown.Add(1)
		case err != nil:
			c.refused.Add(1)
		case swapped:
			c.acknowledged.Add(1)
		}
	}
}

func (c *counters) sum(t *testing.T) (sum int64) {
	for i := range counterKeys {
		item, found, err := c.caches[0].Get(t.Context(), strconv.Itoa(i))
		must(t, err)
		if found {
			n, err := strconv.ParseInt(string(item.Record[driver.WriteIDBytes:]), 10, 64)
			must(t, err)
			sum += n
		}
	}
	return sum
}
