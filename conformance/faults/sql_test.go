package faults_test

import (
	stdsql "database/sql"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/conformance/internal/proxy"
	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/providers/sql"
	_ "github.com/keepsake-cache/keepsake/providers/sql/mysql"
	_ "github.com/keepsake-cache/keepsake/providers/sql/postgres"
	_ "github.com/keepsake-cache/keepsake/providers/sql/sqlite"
)

// onSQL begins a process.
func onSQL(t *testing.T, url string) process {
	t.Helper()
	m, err := sql.Open(t.Context(), sql.Options{URL: url, CreateTables: true})
	return start(t, closed(t, m, err))
}

func TestFaultsOfSQL(t *testing.T) {
	long(t)
	t.Run("kill", func(t *testing.T) { // with a synchronous replica, which is promoted
		primary := servertest.Postgres(t)
		replica := servertest.PostgresReplica(t, primary)
		admin, err := stdsql.Open("pgx", primary.URL)
		must(t, err)
		for _, text := range []string{"ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()"} {
			_, err = admin.Exec(text)
			must(t, err)
		}
		for n := 0; n == 0; pause(t, 20*time.Millisecond) {
			must(t, admin.QueryRow("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'").Scan(&n))
		}
		must(t, admin.Close())
		url := strings.Replace(primary.URL, primary.Addr, primary.Addr+","+replica.Addr, 1) + "&target_session_attrs=read-write"
		hurt(t, fault{provider: "sql", name: "kill"}, onSQL(t, url), onSQL(t, url), func(begin func()) {
			begin()
			primary.Kill()
			standby, err := stdsql.Open("pgx", replica.URL)
			must(t, err)
			_, err = standby.Exec("SELECT pg_promote()")
			must(t, err)
			must(t, standby.Close())
		})
	})
	t.Run("freeze", func(t *testing.T) { // MariaDB is one process
		s := servertest.MariaDB(t)
		hurt(t, fault{provider: "sql", name: "freeze"}, onSQL(t, s.URL), onSQL(t, s.URL), func(begin func()) {
			begin()
			must(t, s.Pause())
			pause(t, 5*time.Second)
			must(t, s.Resume())
		})
	})
	t.Run("split", func(t *testing.T) { // one process reaches the server, and the other one does not
		s := servertest.Postgres(t)
		path, err := proxy.Start(s.Addr)
		must(t, err)
		t.Cleanup(path.Close)
		hurt(t, fault{provider: "sql", name: "split"}, onSQL(t, strings.Replace(s.URL, s.Addr, path.Addr(), 1)), onSQL(t, s.URL), func(begin func()) {
			begin()
			path.Begin(proxy.Stall, 0, nil)
			pause(t, 5*time.Second)
			must(t, path.Heal())
		})
	})
	t.Run("full", func(t *testing.T) {
		url := "sqlite:" + filepath.Join(servertest.SmallDisk(t, "8m"), "caches.db")
		p := onSQL(t, url)
		hurt(t, fault{provider: "sql", name: "full"}, p, onSQL(t, url), func(begin func()) {
			full := func(refused int) bool { return refused > 2000 }
			flood(t, p, full)
			begin()
			flood(t, p, full)
		})
	})
}
