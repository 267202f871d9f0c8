package faults_test

import (
	stdsql "database/sql"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/internal/servers"
	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/providers/hazelcast"
	"github.com/keepsake-cache/keepsake/providers/memcached"
	"github.com/keepsake-cache/keepsake/providers/peer"
	"github.com/keepsake-cache/keepsake/providers/redis"
)

// ahead is how much a server's clock is ahead of everybody else's: for ever, as entries that live
// briefly see it.
const ahead = 30 * time.Second

const skewed = "skewed clocks"

func TestFaultsOfClocks(t *testing.T) {
	long(t)
	use := func(t *testing.T, provider string, connect func() process) {
		hurt(t, fault{provider: provider, name: skewed}, connect(), connect(), func(begin func()) {
			begin()
			pause(t, 3*briefLife)
		})
	}
	t.Run("memcached", func(t *testing.T) {
		setAhead(t)
		s := servertest.Memcached(t)
		stats, err := servers.MemcachedStats(s.Addr)
		must(t, err)
		now, err := strconv.ParseInt(stats["time"], 10, 64)
		isAhead(t, time.Unix(now, 0), err)
		use(t, "memcached", func() process {
			m, err := memcached.Open(t.Context(), memcached.Options{Servers: []string{s.Addr}})
			return start(t, closed(t, m, err))
		})
	})
	t.Run("sql", func(t *testing.T) {
		setAhead(t)
		s := servertest.Postgres(t)
		admin, err := stdsql.Open("pgx", s.URL)
		must(t, err)
		var now time.Time
		err = admin.QueryRow("SELECT clock_timestamp()").Scan(&now)
		isAhead(t, now, err)
		must(t, admin.Close())
		use(t, "sql", func() process { return onSQL(t, s.URL) })
	})
	t.Run("redis", func(t *testing.T) {
		preloadAhead(t)
		s := servertest.Redis(t)
		out, err := servers.RedisCLI(s.Addr, "TIME")
		must(t, err)
		now, err := strconv.ParseInt(strings.Fields(out)[0], 10, 64)
		isAhead(t, time.Unix(now, 0), err)
		use(t, "redis", func() process { return onRedis(t, redis.Options{Servers: []string{s.Addr}}) })
	})
	t.Run("peer", func(t *testing.T) { // one of two members, which hand their records over to each other in turn
		addrs := twoAddrs(t)
		clocks := []func() time.Time{func() time.Time { return time.Now().Add(ahead) }, time.Now}
		server := func(i int) *jcache.CacheManager {
			return member(t, peer.Options{Mode: peer.Server, Listen: addrs[i : i+1], Join: addrs, Replicas: 1, Clock: clocks[i]})
		}
		grid := []*jcache.CacheManager{server(0), server(1)}
		client := func() process { return start(t, member(t, peer.Options{Mode: peer.Client, Join: addrs})) }
		hurt(t, fault{provider: "peer", name: skewed}, client(), client(), func(begin func()) {
			begin()
			restartInTurn(t, grid, server)
		})
	})
	t.Run("hazelcast", func(t *testing.T) { // one of two members
		addrs := twoAddrs(t)
		command := func(i int, program string, args ...string) *exec.Cmd {
			if i == 0 { // Hazelcast has a setting for that, for tests of this kind
				args = slices.Insert(slices.Clone(args), 0, fmt.Sprintf("-Dcom.hazelcast.clock.offset=%d", ahead.Milliseconds()))
			}
			return exec.Command(program, args...)
		}
		cluster, err := servers.HazelcastWith(t.Context(), command, addrs, memberConfig(t, hazelcast.MemberConfig), "-Dhazelcast.partition.count=71")
		servertest.Check(t, err)
		t.Cleanup(cluster.Kill)
		use(t, "hazelcast", func() process { return onHazelcast(t, addrs) })
	})
}

// setAhead has the clock of what the test starts be ahead.
func setAhead(t *testing.T) {
	t.Helper()
	library, _ := filepath.Glob("/usr/lib/*/faketime/libfaketimeMT.so.1") // the pattern is right
	if len(library) == 0 {
		t.Skip("SKIPPED: libfaketime is not installed; install it with: apt-get install -y libfaketime")
	}
	t.Setenv("LD_PRELOAD", library[0])
	t.Setenv("DONT_FAKE_MONOTONIC", "1") // it knows how much time passes, as every machine does
	t.Setenv("FAKETIME", fmt.Sprintf("+%ds", int(ahead.Seconds())))
}

// preloadAhead is setAhead for a program whose allocator asks for the time before libfaketime is ready.
func preloadAhead(t *testing.T) {
	t.Helper()
	library := filepath.Join(t.TempDir(), "ahead.so")
	out, err := exec.Command("cc", "-shared", "-fPIC", "-O1", fmt.Sprintf("-DAHEAD=%d", int(ahead.Seconds())), "-o", library, "testdata/ahead.c").CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip("SKIPPED: there is no C compiler; install one with: apt-get install -y gcc libc6-dev")
	}
	if err != nil {
		t.Fatalf("cc: %v: %s", err, out)
	}
	t.Setenv("LD_PRELOAD", library)
}

// isAhead checks what a server takes for the time.
func isAhead(t *testing.T, now time.Time, err error) {
	t.Helper()
	if err != nil || time.Until(now) < ahead/2 {
		t.Fatalf("the server's clock is at %v, %v", now, err)
	}
}
