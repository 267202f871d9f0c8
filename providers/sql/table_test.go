package sql_test

import (
	"context"
	stdsql "database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/sql"
)

// record makes one that begins with an identifier of its own.
func record(id int, text string) []byte { return fmt.Appendf(nil, "%08d%s", id, text) }

func open(t *testing.T, p *sql.Provider, opts driver.CacheOptions) driver.Cache {
	t.Helper()
	t.Cleanup(func() { _ = p.Close(context.Background()) })
	c, err := p.OpenCache(t.Context(), "sessions", opts)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestTouchesAreHOT: touches of sessions write no index of PostgreSQL, and make room for
// themselves.
func TestTouchesAreHOT(t *testing.T) {
	server := servertest.Postgres(t, "autovacuum=off")
	c := open(t, connect(t, sql.Options{URL: server.URL}), driver.CacheOptions{LongestTTL: 30 * time.Minute})
	const sessions, rounds = 400, 15
	life := func(round int) time.Time {
		return time.Now().Truncate(time.Millisecond).Add(30*time.Minute + time.Duration(round)*time.Second)
	}
	var batch []driver.Entry
	for i := range sessions {
		batch = append(batch, driver.Entry{Key: fmt.Sprint(i), Record: record(i+1, strings.Repeat("x", 500)), Deadline: life(0)})
	}
	for _, err := range driver.FeaturesOf(c).BatchPutter.PutBatch(t.Context(), batch) {
		must(t, err)
	}
	items, err := driver.FeaturesOf(c).BatchGetter.GetBatch(t.Context(), keys(batch))
	must(t, err)
	for round := range rounds {
		for _, item := range items {
			touched, err := driver.FeaturesOf(c).Toucher.Touch(t.Context(), item.Key, item.Token, life(round))
			if err != nil || !touched {
				t.Fatalf("touched %v, error %v", touched, err)
			}
		}
	}
	db := poolOf(c)
	var updates, hot int
	for end := time.Now().Add(time.Minute); updates < sessions*rounds && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		// The processes of the server tell of their work when they have time for it, or end.
		must(t, db.QueryRow("SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'keepsake'").Scan(&updates, &hot))
	}
	t.Logf("%d of %d touches were HOT", hot, updates)
	if updates < sessions*rounds || hot*100 < updates*95 {
		t.Errorf("%d touches, %d of %d updates were HOT, want 95 %%", sessions*rounds, hot, updates)
	}
}

func keys(batch []driver.Entry) (keys []string) {
	for _, e := range batch {
		keys = append(keys, e.Key)
	}
	return keys
}

// TestSchemaIsEnough: what Schema prints makes a table that a provider uses which may not create any.
func TestSchemaIsEnough(t *testing.T) {
	file := filepath.Join(t.TempDir(), "caches.db")
	opts := sql.Options{URL: "sqlite:" + file, TableName: "shop_sessions"}
	if _, err := sql.Connect(t.Context(), opts); err == nil || !strings.Contains(err.Error(), "createTables") {
		t.Fatalf("without a table: %v", err)
	}
	text, err := sql.Schema("sqlite", "shop_sessions", false)
	must(t, err)
	db, err := stdsql.Open("sqlite", file)
	must(t, err)
	for _, statement := range strings.Split(text, ";\n") {
		if _, err := db.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	p, err := sql.Connect(t.Context(), opts)
	must(t, err)
	c := open(t, p, driver.CacheOptions{})
	must(t, c.Put(t.Context(), "a", record(1, "one"), time.Time{}))
	if _, err := db.Exec(`UPDATE shop_sessions SET version = 2 WHERE cache = '@'`); err != nil {
		t.Fatal(err)
	}
	must(t, db.Close())
	if _, err := sql.Connect(t.Context(), opts); err == nil || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("with a table of a later version: %v", err)
	}
}

// TestOwnPool: a provider on the application's pool leaves it open.
func TestOwnPool(t *testing.T) {
	db, err := stdsql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "app.db")+"?_pragma=journal_mode(wal)")
	must(t, err)
	defer db.Close() //nolint:errcheck // the test is over
	p := connect(t, sql.Options{DB: db, Dialect: "sqlite"})
	c := open(t, p, driver.CacheOptions{})
	must(t, c.Put(t.Context(), "a", record(1, "one"), time.Time{}))
	must(t, p.Close(t.Context()))
	var n int
	must(t, db.QueryRow("SELECT count(*) FROM keepsake WHERE cache = 'sessions'").Scan(&n))
	if n != 1 {
		t.Errorf("%d rows", n)
	}
	if _, err := sql.Connect(t.Context(), sql.Options{DB: db}); err == nil || !strings.Contains(err.Error(), "dialect") {
		t.Errorf("without a dialect: %v", err)
	}
}
