package sql

import "github.com/keepsake-cache/keepsake/jcache/driver"

// mysql is MariaDB 10.6 and later, and MySQL 8.
var mysql = dialect{
	name:  "mysql",
	quote: "`",
	put: "INSERT INTO {t} (" + columns + ") VALUES " + oneRow +
		" ON DUPLICATE KEY UPDATE version = VALUES(version), deadline = VALUES(deadline), bucket = VALUES(bucket), record = VALUES(record)",
	insert:  "INSERT INTO {t} (" + columns + ") VALUES " + oneRow,
	revive:  "UPDATE {t} SET version = ?, deadline = ?, bucket = ?, record = ? WHERE cache = ? AND entry = ? AND deadline <= ?",
	reap:    "DELETE FROM {t} WHERE deadline <= ? AND bucket <= ? AND deadline <= ? ORDER BY bucket LIMIT ?",
	now:     "SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) DIV 1000",
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
	unique:      "1062",
	missing:     "1146",
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
		"1142": {means: driver.ErrMisconfigured, why: "the user may not do what is needed: SELECT, INSERT, UPDATE and DELETE on the table, and CREATE to create it"},
		"1146": {means: driver.ErrMisconfigured, why: noTable},
	},
}
