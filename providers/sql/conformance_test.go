package sql_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/conformance"
	"github.com/keepsake-cache/keepsake/internal/servers"
	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/sql"
	_ "github.com/keepsake-cache/keepsake/providers/sql/mysql"
	_ "github.com/keepsake-cache/keepsake/providers/sql/postgres"
	_ "github.com/keepsake-cache/keepsake/providers/sql/sqlite"
)

// lacks is what no database of the three has.
var lacks = []driver.Feature{driver.FeatureExchange, driver.FeatureInvoke}

// TestConformanceOnSQLite is run without the race detector, which makes a client that is C
// translated to Go many times slower; make test does so. Nothing but the client differs from the others.
func TestConformanceOnSQLite(t *testing.T) {
	if raceEnabled {
		t.Skip("SKIPPED: it takes minutes with the race detector; make test runs it without")
	}
	file := filepath.Join(t.TempDir(), "caches.db")
	conformance.Run(t, conformance.Harness{
		Name: "sqlite",
		Connect: func(t conformance.T) driver.Provider {
			return connect(t, sql.Options{URL: "sqlite:" + file + "?_pragma=synchronous(off)"})
		},
		Lacks: lacks,
	})
}

func TestConformanceOnPostgreSQL(t *testing.T) {
	onServer(t, servertest.Postgres(t), conformance.Harness{Name: "postgresql"})
}

func TestConformanceOnMariaDB(t *testing.T) {
	onServer(t, servertest.MariaDB(t), conformance.Harness{Name: "mariadb", NoFallbacks: true})
}

// TestConformanceBehindPgBouncer: a connection belongs to a client for as long as a transaction takes.
func TestConformanceBehindPgBouncer(t *testing.T) {
	if os.Getenv("KEEPSAKE_FAULTS") == "" {
		t.Skip("nothing is new but the pooler; make faults runs it")
	}
	pooler := servertest.PgBouncer(t, servertest.Postgres(t))
	conformance.Run(t, conformance.Harness{
		Name: "pgbouncer",
		Connect: func(t conformance.T) driver.Provider {
			return connect(t, sql.Options{URL: pooler.URL, Unprepared: true})
		},
		Lacks:       lacks,
		NoFallbacks: true,
	})
}

func onServer(t *testing.T, server *servers.Database, h conformance.Harness) {
	through := func(t conformance.T, addr string) driver.Provider {
		return connect(t, sql.Options{URL: strings.Replace(server.URL, server.Addr, addr, 1)})
	}
	h.Connect = func(t conformance.T) driver.Provider { return through(t, server.Addr) }
	h.Server, h.ConnectTo, h.Lacks = server.Addr, through, lacks
	conformance.Run(t, h)
}

// connect is patient, for a busy machine.
func connect(t conformance.T, opts sql.Options) *sql.Provider {
	t.Helper()
	opts.CreateTables, opts.RequestTimeout = true, 30*time.Second
	p, err := sql.Connect(t.Context(), opts)
	if err != nil {
		t.Fatalf("Connect: %v", err)
	}
	return p
}
