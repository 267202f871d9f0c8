// Package servertest gives tests the servers of package servers. Where a server is
// not installed, the test is skipped with the command that installs it; with
// CI=true it fails.
package servertest

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/internal/servers"
)

// startTimeout is generous: two members of Hazelcast take four seconds on an idle
// machine and up to a minute on a busy one.
const startTimeout = 90 * time.Second

// startContext ends before a server that does not start holds a test up for good.
func startContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	t.Cleanup(cancel)
	return ctx
}

// Check fails the test if err is not nil; but if a server is not installed, it skips the
// test, where that is allowed.
func Check(t testing.TB, err error) {
	t.Helper()
	switch {
	case err == nil:
	case errors.Is(err, servers.ErrNotInstalled) && os.Getenv("CI") != "true":
		t.Skipf("SKIPPED: %v", err)
	default:
		t.Fatal(err)
	}
}

// Memcached starts a memcached that ends with the test.
func Memcached(t testing.TB, args ...string) *servers.Process {
	t.Helper()
	p, err := servers.Memcached(startContext(t), args...)
	Check(t, err)
	t.Cleanup(p.Kill)
	return p
}

// Hazelcast starts a cluster of n members that ends with the test. See
// servers.Hazelcast for the configuration file.
func Hazelcast(t testing.TB, n int, config string, args ...string) *servers.HazelcastCluster {
	t.Helper()
	c, err := servers.Hazelcast(startContext(t), n, config, args...)
	Check(t, err)
	t.Cleanup(c.Kill)
	return c
}

// Postgres starts a PostgreSQL server that ends with the test. What it has written is not
// flushed to the disk, for a test's sake, unless settings say so.
func Postgres(t testing.TB, settings ...string) *servers.Database {
	t.Helper()
	d, err := servers.Postgres(startContext(t), append([]string{"fsync=off"}, settings...)...)
	Check(t, err)
	t.Cleanup(d.Remove)
	return d
}

// PostgresReplica starts a server that follows another one, and ends with the test.
func PostgresReplica(t testing.TB, primary *servers.Database) *servers.Database {
	t.Helper()
	d, err := servers.PostgresReplica(startContext(t), primary, "fsync=off")
	Check(t, err)
	t.Cleanup(d.Remove)
	return d
}

// PgBouncer starts a pooler in transaction mode that ends with the test.
func PgBouncer(t testing.TB, server *servers.Database) *servers.Database {
	t.Helper()
	d, err := servers.PgBouncer(startContext(t), server)
	Check(t, err)
	t.Cleanup(d.Remove)
	return d
}

// MariaDB starts a MariaDB server that ends with the test. What it has written is not flushed
// to the disk, for a test's sake, unless args say so.
func MariaDB(t testing.TB, args ...string) *servers.Database {
	t.Helper()
	d, err := servers.MariaDB(startContext(t), append([]string{"--innodb-flush-log-at-trx-commit=0"}, args...)...)
	Check(t, err)
	t.Cleanup(d.Remove)
	return d
}

// Redis starts a redis-server that ends with the test.
func Redis(t testing.TB, args ...string) *servers.Process {
	t.Helper()
	p, err := servers.Redis(startContext(t), args...)
	Check(t, err)
	t.Cleanup(p.Kill)
	return p
}

// Valkey starts a valkey-server that ends with the test.
func Valkey(t testing.TB, args ...string) *servers.Process {
	t.Helper()
	p, err := servers.Valkey(startContext(t), args...)
	Check(t, err)
	t.Cleanup(p.Kill)
	return p
}

// RedisSentinel starts a primary, replicas and three Sentinels that end with the test.
func RedisSentinel(t testing.TB, replicas int) *servers.RedisGroup {
	t.Helper()
	return redisGroup(t, servers.RedisSentinel, replicas)
}

// RedisCluster starts a cluster of as many primaries, each with a replica, that ends with the test.
func RedisCluster(t testing.TB, primaries int) *servers.RedisGroup {
	t.Helper()
	return redisGroup(t, servers.RedisCluster, primaries)
}

func redisGroup(t testing.TB, start func(context.Context, int) (*servers.RedisGroup, error), n int) *servers.RedisGroup {
	t.Helper()
	g, err := start(startContext(t), n)
	Check(t, err)
	t.Cleanup(g.Kill)
	return g
}
