package sql

import "github.com/keepsake-cache/keepsake/jcache/driver"

// postgres is PostgreSQL 13 and later, and what speaks like it.
var postgres = dialect{
	name:     "postgres",
	quote:    `"`,
	numbered: true,
	put:      upsert,
	create:   upsert + " WHERE t.deadline <= ?",
	// A row that somebody is using is left for the next round.
	reap: "DELETE FROM {t} WHERE deadline <= ? AND ctid = ANY(ARRAY(SELECT ctid FROM {t} WHERE bucket <= ? AND deadline <= ? ORDER BY bucket LIMIT ? FOR UPDATE SKIP LOCKED))",
	now:  "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint",
	// A touch changes no indexed column as a rule and finds room on its page, so that no index
	// is written.
	tables: []string{
		`CREATE{unlogged} TABLE IF NOT EXISTS {t} (
  cache    text COLLATE "C" NOT NULL,
  entry    bytea  NOT NULL,
  version  bigint NOT NULL,
  deadline bigint NOT NULL,
  bucket   bigint,
  record   bytea  NOT NULL,
  PRIMARY KEY (cache, entry)
) WITH (fillfactor = 70)`,
		`CREATE INDEX IF NOT EXISTS {i} ON {t} (bucket) WHERE bucket IS NOT NULL`,
		`INSERT INTO {t} (` + columns + `) VALUES ('@', 'schema', 1, 9223372036854775807, NULL, 'keepsake') ON CONFLICT DO NOTHING`,
	},
	// A touch fires no trigger.
	outbox: []string{
		`CREATE{unlogged} TABLE IF NOT EXISTS {w} (
  cache   text COLLATE "C" NOT NULL,
  watcher bigint NOT NULL,
  until   bigint NOT NULL,
  PRIMARY KEY (cache, watcher)
)`,
		`CREATE{unlogged} TABLE IF NOT EXISTS {o} (
  id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at     bigint NOT NULL,
  cache  text COLLATE "C" NOT NULL,
  entry  bytea NOT NULL,
  record bytea,
  old    bytea,
  ended  bigint
)`,
		`CREATE FUNCTION {f}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF EXISTS (SELECT 1 FROM {w} AS w WHERE w.cache = coalesce(NEW.cache, OLD.cache))
  THEN INSERT INTO {o} (at, cache, entry, record, old, ended)
    VALUES ((extract(epoch FROM clock_timestamp()) * 1000)::bigint, coalesce(NEW.cache, OLD.cache), coalesce(NEW.entry, OLD.entry), NEW.record, OLD.record, OLD.deadline); END IF; RETURN NULL; END $$`,
		`CREATE TRIGGER keepsake_changed AFTER INSERT OR DELETE OR UPDATE OF version ON {t} FOR EACH ROW EXECUTE FUNCTION {f}()`,
		`INSERT INTO {t} (` + columns + `) VALUES ('@', 'outbox', 1, 9223372036854775807, NULL, 'keepsake') ON CONFLICT DO NOTHING`,
	},
	settle:  []string{"BEGIN", "SET LOCAL lock_timeout = '1s'", "LOCK TABLE {t} IN SHARE MODE"},
	settled: []string{"COMMIT"},
	missing: "42P01",
	there:   "42723 42710",
	answers: map[string]answer{
		"40001": {means: driver.ErrUnavailable, why: "the database refuses the statement because of others at the same time", passes: true},
		"40P01": {means: driver.ErrUnavailable, why: "the database ended a deadlock", passes: true},
		"55P03": {means: driver.ErrUnavailable, why: "another client has locked the row", passes: true},
		"57014": {means: driver.ErrUnavailable, why: "the database ended the statement (statement_timeout, or an operator)"},
		"57P01": {means: driver.ErrUnavailable, why: "the database is being shut down", passes: true, unknown: true},
		"57P02": {means: driver.ErrUnavailable, why: "the database has crashed", passes: true, unknown: true},
		"57P03": {means: driver.ErrUnavailable, why: "the database is starting up", passes: true},
		"53300": {means: driver.ErrUnavailable, why: "the database has as many connections as it takes (max_connections)", passes: true},
		"53100": {means: driver.ErrFull, why: "the database's disk is full"},
		"53200": {means: driver.ErrFull, why: "the database is out of memory"},
		"25006": {means: driver.ErrUnavailable, why: "the database takes no writes: it is a standby, or read-only", passes: true, leave: true},
		"28000": {means: driver.ErrMisconfigured, why: "the database refuses the user"},
		"28P01": {means: driver.ErrMisconfigured, why: "the database refuses the user or the password"},
		"3D000": {means: driver.ErrMisconfigured, why: "there is no database of that name"},
		"3F000": {means: driver.ErrMisconfigured, why: "there is no schema of that name"},
		"42501": {means: driver.ErrMisconfigured, why: "the user may not do what is needed: SELECT, INSERT, UPDATE and DELETE on the tables, and CREATE on their schema to create them"},
		"23505": {means: driver.ErrUnavailable, why: creating, passes: true},
		"42P07": {means: driver.ErrUnavailable, why: creating, passes: true},
		"42P01": {means: driver.ErrMisconfigured, why: noTable},
		"26000": {means: driver.ErrMisconfigured, why: unprepared},
		"42P05": {means: driver.ErrMisconfigured, why: unprepared},
		"08P01": {means: driver.ErrUnavailable, why: "the pooler in front of the database ended the connection", passes: true, unknown: true},
	},
}

// upsert stores a row whatever was there.
const upsert = "INSERT INTO {t} AS t (" + columns + ") VALUES " + oneRow +
	" ON CONFLICT (cache, entry) DO UPDATE SET version = excluded.version, deadline = excluded.deadline, bucket = excluded.bucket, record = excluded.record"

const (
	noTable    = "the table does not exist; set createTables, or create it with what keepsake sql-schema prints"
	creating   = "another client is creating the table"
	unprepared = "prepared statements are lost between two calls; set unprepared for a pooler in transaction mode"
)
