package sql

import "github.com/keepsake-cache/keepsake/jcache/driver"

// sqliteNow is the time in milliseconds.
const sqliteNow = "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"

// sqlite is SQLite 3.35 and later.
var sqlite = dialect{
	name:      "sqlite",
	quote:     `"`,
	oneWriter: true,
	put:       upsert,
	create:    upsert + " WHERE t.deadline <= ?",
	reap:      "DELETE FROM {t} WHERE deadline <= ? AND rowid IN (SELECT rowid FROM {t} WHERE bucket <= ? AND deadline <= ? ORDER BY bucket LIMIT ?)",
	tables: []string{
		`CREATE TABLE IF NOT EXISTS {t} (
  cache    TEXT    NOT NULL,
  entry    BLOB    NOT NULL,
  version  INTEGER NOT NULL,
  deadline INTEGER NOT NULL,
  bucket   INTEGER,
  record   BLOB    NOT NULL,
  PRIMARY KEY (cache, entry)
)`,
		`CREATE INDEX IF NOT EXISTS {i} ON {t} (bucket) WHERE bucket IS NOT NULL`,
		`INSERT OR IGNORE INTO {t} (` + columns + `) VALUES ('@', CAST('schema' AS BLOB), 1, 9223372036854775807, NULL, CAST('keepsake' AS BLOB))`,
	},
	outbox: []string{
		`CREATE TABLE IF NOT EXISTS {w} (
  cache   TEXT    NOT NULL,
  watcher INTEGER NOT NULL,
  until   INTEGER NOT NULL,
  PRIMARY KEY (cache, watcher)
)`,
		`CREATE TABLE IF NOT EXISTS {o} (
  id     INTEGER PRIMARY KEY AUTOINCREMENT,
  at     INTEGER NOT NULL,
  cache  TEXT    NOT NULL,
  entry  BLOB    NOT NULL,
  record BLOB,
  old    BLOB,
  ended  INTEGER
)`,
		`CREATE TRIGGER IF NOT EXISTS {inserted} AFTER INSERT ON {t} WHEN EXISTS (SELECT 1 FROM {w} WHERE cache = NEW.cache) BEGIN
  INSERT INTO {o} (at, cache, entry, record) VALUES (` + sqliteNow + `, NEW.cache, NEW.entry, NEW.record); END`,
		`CREATE TRIGGER IF NOT EXISTS {updated} AFTER UPDATE OF version ON {t} WHEN EXISTS (SELECT 1 FROM {w} WHERE cache = NEW.cache) BEGIN
  INSERT INTO {o} (at, cache, entry, record, old, ended) VALUES (` + sqliteNow + `, NEW.cache, NEW.entry, NEW.record, OLD.record, OLD.deadline); END`,
		`CREATE TRIGGER IF NOT EXISTS {deleted} AFTER DELETE ON {t} WHEN EXISTS (SELECT 1 FROM {w} WHERE cache = OLD.cache) BEGIN
  INSERT INTO {o} (at, cache, entry, old, ended) VALUES (` + sqliteNow + `, OLD.cache, OLD.entry, OLD.record, OLD.deadline); END`,
		`INSERT OR IGNORE INTO {t} (` + columns + `) VALUES ('@', CAST('outbox' AS BLOB), 1, 9223372036854775807, NULL, CAST('keepsake' AS BLOB))`,
	},
	missing: "1",
	answers: map[string]answer{
		"1":  {means: driver.ErrMisconfigured, why: noTable},
		"3":  {means: driver.ErrMisconfigured, why: "the file may not be opened by this user"},
		"5":  {means: driver.ErrUnavailable, why: "another process is writing to the database", passes: true},
		"6":  {means: driver.ErrUnavailable, why: "another connection is writing to the table", passes: true},
		"8":  {means: driver.ErrMisconfigured, why: "the file or its directory cannot be written by this user"},
		"9":  {means: driver.ErrUnavailable, why: "the statement was ended"},
		"10": {means: driver.ErrUnavailable, why: "the disk failed", unknown: true},
		"11": {means: driver.ErrMisconfigured, why: "the file is damaged"},
		"13": {means: driver.ErrFull, why: "the disk is full"},
		"14": {means: driver.ErrMisconfigured, why: "the file cannot be opened; its directory must exist, and be writable by this user"},
		"18": {means: driver.ErrTooLarge, why: "the record exceeds what SQLite takes"},
		"26": {means: driver.ErrMisconfigured, why: "the file is no SQLite database"},
	},
}
