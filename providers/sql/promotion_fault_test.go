package sql_test

import (
	"context"
	stdsql "database/sql"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/sql"
)

// TestFaultPromotion: eight writers count up on a PostgreSQL server with a synchronous replica. The server is
// killed, and the replica promoted, which the providers find by themselves among the hosts of their URL.
// Every acknowledged increment is there.
func TestFaultPromotion(t *testing.T) {
	if os.Getenv("KEEPSAKE_FAULTS") == "" {
		t.Skip("it takes a while; make faults runs it")
	}
	primary := servertest.Postgres(t)
	replica := servertest.PostgresReplica(t, primary)
	admin := database(t, primary.URL)
	_, err := admin.Exec("ALTER SYSTEM SET synchronous_standby_names = '*'")
	must(t, err)
	_, err = admin.Exec("SELECT pg_reload_conf()")
	must(t, err)
	eventually(t, "the replica is synchronous", func() bool {
		n := 0
		must(t, admin.QueryRow("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'").Scan(&n))
		return n == 1
	})
	opts := sql.Options{
		URL:    strings.Replace(primary.URL, primary.Addr, primary.Addr+","+replica.Addr, 1) + "&target_session_attrs=read-write",
		Logger: slog.New(slog.DiscardHandler),
	}
	c := counters{caches: []driver.Cache{open(t, connect(t, opts), driver.CacheOptions{}), open(t, connect(t, opts), driver.CacheOptions{})}}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	const wanted = 4000
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() { c.count(ctx, i, wanted) })
	}
	eventually(t, "half is counted", func() bool { return c.acknowledged.Load() >= wanted/2 })
	primary.Kill()
	_, err = database(t, replica.URL).Exec("SELECT pg_promote()")
	must(t, err)
	wg.Wait()
	acknowledged, unknown, counted := c.acknowledged.Load(), c.unknown.Load(), c.sum(t)
	t.Logf("%d acknowledged increments, %d unknown, %d refused; %d counted", acknowledged, unknown, c.refused.Load(), counted)
	if acknowledged < wanted || counted < acknowledged || counted > acknowledged+unknown {
		t.Errorf("%d acknowledged increments and %d unknown, but %d are counted", acknowledged, unknown, counted)
	}
}

func database(t *testing.T, url string) *stdsql.DB {
	t.Helper()
	db, err := stdsql.Open("pgx", url)
	must(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db
}
