// Package sql keeps caches in a table of a database: PostgreSQL 13 and later, MariaDB 10.6 and
// later, MySQL 8, or SQLite 3.35 and later. The program links the client that it needs:
//
//	import (
//		"github.com/keepsake-cache/keepsake/providers/sql"
//		_ "github.com/keepsake-cache/keepsake/providers/sql/postgres" // or mysql, or sqlite
//	)
//
//	manager, err := sql.Open(ctx, sql.Options{URL: "postgres://shop@db/shop", CreateTables: true})
//
// # What it promises
//
// Every process that uses the same table sees the same records. An entry is a row, and its version
// the token of Swap: each operation on one key is one statement, committed by itself, and atomic
// across processes. Deadlines are exact. What the database has acknowledged is as durable as what it
// keeps otherwise: it survives a crash if commits are flushed, and a failover if the replica is synchronous.
//
// Get, Put, Delete and Touch are one round trip each, and so is Swap; on MariaDB and MySQL it is
// two where an entry is created over one that is dead and not yet removed. GetBatch and PutBatch are
// one for each 128 keys.
//
// Lock is a row that lives for the lease. Who waits for it asks again and again, so it is not for
// locks that are fought for.
//
// # The table
//
// There is one for all caches, {table}, with the columns cache, entry (the key), version, deadline
// (milliseconds since 1970), bucket and record. Schema, or keepsake sql-schema, prints the statements that create
// it, for who may not let programs do that. The rows of the cache @ say which version it has. No
// transaction is open between two operations, and no statement is long: what concerns a whole cache
// goes through its rows in steps, and is not atomic.
//
// A touch writes the deadline, which is not indexed. The index is on the bucket: the deadline
// rounded up to a step of about half a life. So touches of a session write the index once or twice in a
// life, and PostgreSQL makes room on the row's page (HOT) without a vacuum.
//
// Rows that are dead are absent at once, and removed later, each ReapInterval by one of the
// processes, in small batches: at most one step, of an hour at most, after they died.
//
// # Watching
//
// Beside the table there are {table}_watchers and {table}_outbox, and triggers that note each change in
// the outbox, in its own transaction, while a row of the watchers says that somebody watches that cache;
// nothing is noted otherwise. Each watcher asks the outbox for what is new each WatchInterval. What is noted
// is removed by the reaper when it is three minutes old. A dead row that is removed or replaced is told as expired, which happens
// once, whichever process does it. Watch waits for the writes that are under way, and keeps
// others waiting meanwhile: on PostgreSQL it locks the table for a moment, on MariaDB and MySQL it needs the
// privilege LOCK TABLES. A watcher that could not ask for a while is told of a gap. Who may not
// create triggers can do everything but watch. Where somebody else has created the tables, the programs need
// SELECT, INSERT, UPDATE and DELETE on all three, since the triggers act for them.
//
// # Keys and records
//
// Keys have up to 2048 bytes, records up to MaxRecordBytes; on MariaDB and MySQL that is at most about half of
// max_allowed_packet, which is asked for when the provider connects.
//
// # Clocks
//
// Deadlines are stored in the database's time. The provider measures each minute by how
// much its process's clock differs; less than a second is no difference.
//
// # Trouble
//
// A deadlock, a serialization failure, a busy database, one that is starting or takes no more connections
// is asked again, until RequestTimeout or the context ends. If a write was sent and not answered, or
// the database was shut down meanwhile, the error matches driver.ErrIndeterminate; in every other
// case nothing was changed. Errors show what the provider knows of the code that the database
// answered, and never its text, which may hold keys.
//
// # SQLite
//
// Several processes of one machine can use one file, on a local disk. One connection of all can write at
// a time; reads do not wait for it (WAL). A commit is on the disk when it returns, unless the URL
// says otherwise: sqlite:shop.db?_pragma=synchronous(normal) may lose the last commits when the machine
// crashes, and none when a process does.
//
// # The application's own pool
//
// With Options.DB the provider uses the application's *sql.DB, with one connection for each
// operation that is under way. Its settings are the application's: for MariaDB and MySQL, interpolateParams saves
// two round trips of three; for SQLite, give it journal_mode(wal) and a busy_timeout. Unwrap returns
// the pool that writes.
package sql
