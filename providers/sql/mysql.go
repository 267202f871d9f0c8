package sql

import "github.com/keepsake-cache/keepsake/jcache/driver"

// mysqlNow is the database's time in milliseconds.
const mysqlNow = "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) DIV 1000"

// mysql is MariaDB 10.6 and later, and MySQL 8.
var mysql = dialect{
	name:  "mysql",
	quote: "`",
	put: "INSERT INTO {t} (" + columns + ") VALUES " + oneRow +
		" ON DUPLICATE KEY UPDATE version = VALUES(version), deadline = VALUES(deadline), bucket = VALUES(bucket), record = VALUES(record)",
	insert:  "INSERT INTO {t} (" + columns + ") VALUES " + oneRow,
	revive:  "UPDATE {t} SET version = ?, deadline = ?, bucket = ?, record = ? WHERE cache = ? AND entry = ? AND deadline <= ?",
	reap:    "DELETE FROM {t} WHERE deadline <= ? AND bucket <= ? AND deadline <= ? ORDER BY bucket LIMIT ?",
	now:     "SELECT " + mysqlNow,
	largest: "SELECT @@max_allowed_packet",
	tables: []string{
		`CREATE TABLE IF NOT EXISTS {t} (
  cache    VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  entry    VARBINARY(2048) NOT NULL,
  version  BIGINT NOT NULL,
  deadline BIGINT NOT NULL,
  bucket   BIGINT,
  record   LONGBLOB NOT NULL,
  PRIMARY KEY (cache, entry),
  KEY {i} (bucket)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC`,
		`INSERT IGNORE INTO {t} (` + columns + `) VALUES ('@', 'schema', 1, 9223372036854775807, NULL, 'keepsake')`,
	},
	// Each trigger is one statement, for which clients need no other delimiter.
	outbox: []string{
		`CREATE TABLE IF NOT EXISTS {w} (
  cache   VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  watcher BIGINT NOT NULL,
  until   BIGINT NOT NULL,
  PRIMARY KEY (cache, watcher)
) ENGINE = InnoDB`,
		`CREATE TABLE IF NOT EXISTS {o} (
  id     BIGINT AUTO_INCREMENT PRIMARY KEY,
  at     BIGINT NOT NULL,
  cache  VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  entry  VARBINARY(2048) NOT NULL,
  record LONGBLOB,
  old    LONGBLOB,
  ended  BIGINT
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC`,
		`CREATE TRIGGER {inserted} AFTER INSERT ON {t} FOR EACH ROW
  INSERT INTO {o} (at, cache, entry, record)
  SELECT ` + mysqlNow + `, NEW.cache, NEW.entry, NEW.record FROM {w} WHERE cache = NEW.cache LIMIT 1`,
		`CREATE TRIGGER {updated} AFTER UPDATE ON {t} FOR EACH ROW
  INSERT INTO {o} (at, cache, entry, record, old, ended)
  SELECT ` + mysqlNow + `, NEW.cache, NEW.entry, NEW.record, OLD.record, OLD.deadline FROM {w} WHERE cache = NEW.cache AND NEW.version <> OLD.version LIMIT 1`,
		`CREATE TRIGGER {deleted} AFTER DELETE ON {t} FOR EACH ROW
  INSERT INTO {o} (at, cache, entry, old, ended)
  SELECT ` + mysqlNow + `, OLD.cache, OLD.entry, OLD.record, OLD.deadline FROM {w} WHERE cache = OLD.cache LIMIT 1`,
		`INSERT IGNORE INTO {t} (` + columns + `) VALUES ('@', 'outbox', 1, 9223372036854775807, NULL, 'keepsake')`,
	},
	settle:      []string{"SET SESSION lock_wait_timeout = 1", "LOCK TABLES {t} READ, {o} READ"},
	settled:     []string{"UNLOCK TABLES", "SET SESSION lock_wait_timeout = DEFAULT"},
	unique:      "1062",
	missing:     "1146",
	there:       "1359",
	changesOnly: true,
	answers: map[string]answer{
		"1213": {means: driver.ErrUnavailable, why: "the database ended a deadlock", passes: true},
		"1205": {means: driver.ErrUnavailable, why: "another client has locked the row", passes: true},
		"1020": {means: driver.ErrUnavailable, why: "the database refuses the statement because of others at the same time", passes: true},
		"1040": {means: driver.ErrUnavailable, why: "the database has as many connections as it takes (max_connections)", passes: true},
		"1203": {means: driver.ErrUnavailable, why: "the user has as many connections as he may (max_user_connections)", passes: true},
		"1053": {means: driver.ErrUnavailable, why: "the database is being shut down", passes: true, unknown: true},
		"1927": {means: driver.ErrUnavailable, why: "the database ended the connection", passes: true, unknown: true},
		"1180": {means: driver.ErrUnavailable, why: "the database failed to commit", unknown: true},
		"1317": {means: driver.ErrUnavailable, why: "the database ended the statement"},
		"1969": {means: driver.ErrUnavailable, why: "the database ended the statement (max_statement_time)"},
		"3024": {means: driver.ErrUnavailable, why: "the database ended the statement (max_execution_time)"},
		"1290": {means: driver.ErrUnavailable, why: "the database takes no writes: it is a replica, or read-only", passes: true, leave: true},
		"1836": {means: driver.ErrUnavailable, why: "the database takes no writes: it is read-only", passes: true, leave: true},
		"1021": {means: driver.ErrFull, why: "the database's disk is full"},
		"1114": {means: driver.ErrFull, why: "the database's disk or table is full"},
		"1153": {means: driver.ErrTooLarge, why: "the record exceeds the database's max_allowed_packet"},
		"1044": {means: driver.ErrMisconfigured, why: "the user may not use the database"},
		"1045": {means: driver.ErrMisconfigured, why: "the database refuses the user or the password"},
		"1130": {means: driver.ErrMisconfigured, why: "the database takes no connections from this machine"},
		"1049": {means: driver.ErrMisconfigured, why: "there is no database of that name"},
		"1142": {means: driver.ErrMisconfigured, why: "the user may not do what is needed: SELECT, INSERT, UPDATE and DELETE on the tables, LOCK TABLES to watch them, and CREATE and TRIGGER to create them"},
		"1419": {means: driver.ErrMisconfigured, why: "the user may not create triggers; an administrator sets log_bin_trust_function_creators, or creates them"},
		"1146": {means: driver.ErrMisconfigured, why: noTable},
	},
}
