package main

import (
	"context"
	stdsql "database/sql"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/alexedwards/scs/postgresstore"
	"github.com/alexedwards/scs/sqlite3store"
	"github.com/alexedwards/scs/v2"

	"github.com/keepsake-cache/keepsake/internal/servers"
	"github.com/keepsake-cache/keepsake/providers/sql"
	_ "github.com/keepsake-cache/keepsake/providers/sql/postgres"
	_ "github.com/keepsake-cache/keepsake/providers/sql/sqlite"
)

// reapEvery is how often both sides remove what is dead, so that they do so while they are measured.
const reapEvery = time.Second

// pragmas are those that the provider gives to SQLite.
const pragmas = "?_pragma=busy_timeout(10000)&_pragma=journal_mode(wal)&_pragma=synchronous(full)"

// A database is one of those that sessions are compared on. Its commits are flushed to the disk.
type database struct {
	name, rivals string
	// start returns the address of an empty database, and ends it with stop.
	start func(context.Context) (url string, stop func(), err error)
	// open connects the rival, and creates what it needs.
	driver, tables string
	address        func(url string) string
	store          func(*stdsql.DB) cleaned
	// size asks for the bytes of the provider's table, with its indexes.
	size string
}

// A cleaned store of scs removes what is dead.
type cleaned interface {
	scs.Store
	StopCleanup()
}

var databases = []database{
	{
		name: "PostgreSQL", rivals: "postgresstore", driver: "pgx",
		start: func(ctx context.Context) (string, func(), error) {
			d, err := servers.Postgres(ctx)
			if err != nil {
				return "", nil, err
			}
			return d.URL, d.Remove, nil
		},
		address: func(url string) string { return url },
		tables:  "CREATE TABLE sessions (token TEXT PRIMARY KEY, data BYTEA NOT NULL, expiry TIMESTAMPTZ NOT NULL); CREATE INDEX sessions_expiry_idx ON sessions (expiry)",
		store:   func(db *stdsql.DB) cleaned { return postgresstore.NewWithCleanupInterval(db, reapEvery) },
		size:    "SELECT pg_total_relation_size('keepsake')",
	},
	{
		name: "SQLite", rivals: "sqlite3store", driver: "sqlite",
		start: func(context.Context) (string, func(), error) {
			dir, err := os.MkdirTemp("", "bench")
			if err != nil {
				return "", nil, err
			}
			return "sqlite:" + filepath.Join(dir, "caches.db"), func() { _ = os.RemoveAll(dir) }, nil
		},
		address: func(url string) string { return "file:" + url[len("sqlite:"):] + "-scs" + pragmas },
		tables:  "CREATE TABLE sessions (token TEXT PRIMARY KEY, data BLOB NOT NULL, expiry REAL NOT NULL); CREATE INDEX sessions_expiry_idx ON sessions(expiry)",
		store:   func(db *stdsql.DB) cleaned { return sqlite3store.NewWithCleanupInterval(db, reapEvery) },
		size:    "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
	},
}

// onSQL compares sessions with those of scs and its stores, on each database of this machine.
func onSQL(ctx context.Context, out io.Writer, duration time.Duration, count int) error {
	for _, d := range databases {
		if err := d.compare(ctx, out, duration, count); err != nil {
			return err
		}
	}
	return nil
}

func (d *database) compare(ctx context.Context, out io.Writer, duration time.Duration, count int) error {
	url, stop, err := d.start(ctx)
	if err != nil {
		return err
	}
	defer stop()
	caches, err := sql.Open(ctx, sql.Options{URL: url, CreateTables: true, ReapInterval: reapEvery})
	if err != nil {
		return err
	}
	defer caches.Close(ctx) //nolint:errcheck // the database ends next
	ours, err := keepsakeOn(caches, 0)
	if err != nil {
		return err
	}
	db, err := stdsql.Open(d.driver, d.address(url))
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // likewise
	// As many connections as the provider has.
	db.SetMaxOpenConns(16)
	db.SetMaxIdleConns(16)
	if _, err := db.ExecContext(ctx, d.tables); err != nil {
		return err
	}
	store := d.store(db)
	defer store.StopCleanup()
	manager := scs.New()
	manager.Store = store
	theirs, err := scsOn(manager, 0)
	if err != nil {
		return err
	}
	return compareSessions(out, d.name, d.rivals, ours, theirs, duration, count)
}
