package redis_test

import (
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/redis"
)

func TestKeysAreReadableAndApart(t *testing.T) {
	server := []string{servertest.Redis(t).Addr}
	one := open(t, connect(t, redis.Options{Servers: server}), "sessions")
	two := open(t, connect(t, redis.Options{Servers: server, Prefix: "shop"}), "sessions")
	elsewhere := open(t, connect(t, redis.Options{Servers: server, Database: 3}), "sessions")
	check(t, one.Put(t.Context(), "a:1", record("one"), time.Time{}))
	for name, other := range map[string]driver.Cache{"prefix": two, "database": elsewhere} {
		if _, found, err := other.Get(t.Context(), "a:1"); found || err != nil {
			t.Errorf("another %s: found %v, %v", name, found, err)
		}
	}
	m := ask(t, one, "GET", "keepsake:sessions:a:1")
	if value, _ := m.ToString(); !strings.HasSuffix(value, "one") {
		t.Errorf("redis-cli sees %q under the readable key", value)
	}
}

func TestUnixSocket(t *testing.T) {
	socket := t.TempDir() + "/redis.sock"
	servertest.Redis(t, "--unixsocket", socket)
	c := open(t, connect(t, redis.Options{Servers: []string{"unix:" + socket}}), "carts")
	check(t, c.Put(t.Context(), "k", record("one"), time.Time{}))
	must(t, c, "k")
}

// The server keeps a record ten seconds longer than it lives, and nobody sees it.
func TestADeadRecordIsAbsentThoughTheServerHasIt(t *testing.T) {
	c, _ := start(t)
	deadline := time.Now().Add(30 * time.Millisecond).Truncate(time.Millisecond)
	check(t, c.Put(t.Context(), "k", record("dead"), deadline))
	eventually(t, "the deadline passes", func() bool { return time.Now().After(deadline) })
	if number(t, ask(t, c, "PTTL", "keepsake:carts:k")) < 0 {
		t.Skip("SKIPPED: the machine took more than ten seconds for that")
	}
	if _, found, err := c.Get(t.Context(), "k"); found || err != nil {
		t.Errorf("Get: found %v, %v", found, err)
	}
	swapped, _, err := c.Swap(t.Context(), "k", driver.Token{}, record("new"), time.Time{})
	if !swapped || err != nil {
		t.Errorf("Swap for an absent key: %v, %v", swapped, err)
	}
}

func TestTouchDoesNotWriteTheRecordAgain(t *testing.T) {
	c, _ := start(t)
	check(t, c.Put(t.Context(), "k", record(strings.Repeat("x", 1<<20)), time.Now().Add(time.Hour)))
	before, token := stat(t, c, "stats", "total_net_input_bytes"), must(t, c, "k").Token
	want := time.Now().Add(2 * time.Hour).Truncate(time.Millisecond)
	touched, err := c.(driver.Toucher).Touch(t.Context(), "k", token, want)
	if !touched || err != nil {
		t.Fatalf("Touch: %v, %v", touched, err)
	}
	if sent := stat(t, c, "stats", "total_net_input_bytes") - before; sent > 10_000 {
		t.Errorf("the server received %d bytes", sent)
	}
	if i := must(t, c, "k"); !i.Deadline.Equal(want) || string(i.Token.B) != string(token.B) {
		t.Errorf("the deadline is %v, not %v, or the token has changed", i.Deadline, want)
	}
}

// A server that is restarted, or that another one replaces, has no scripts.
func TestScriptsAreSentAgain(t *testing.T) {
	c, _ := start(t)
	for range 2 {
		ask(t, c, "SCRIPT", "FLUSH", "SYNC")
		key := "k" + time.Now().String()
		swapped, _, err := c.Swap(t.Context(), key, driver.Token{}, record("one"), time.Time{})
		if !swapped || err != nil {
			t.Fatalf("Swap: %v, %v", swapped, err)
		}
	}
	if n := stat(t, c, "errorstats", "errorstat_NOSCRIPT"); n < 2 {
		t.Errorf("%d answers were NOSCRIPT", n)
	}
}

func TestForeignValues(t *testing.T) {
	c, _ := start(t)
	ask(t, c, "SET", "keepsake:carts:text", "somebody's")
	ask(t, c, "LPUSH", "keepsake:carts:list", "somebody's")
	for _, key := range []string{"text", "list"} {
		if _, _, err := c.Get(t.Context(), key); !errors.Is(err, driver.ErrMisconfigured) {
			t.Errorf("Get of a %s: %v", key, err)
		}
		swapped, _, err := c.Swap(t.Context(), key, driver.Token{}, record("mine"), time.Time{})
		if swapped || !errors.Is(err, driver.ErrMisconfigured) || strings.Contains(err.Error(), "somebody") {
			t.Errorf("Swap of a %s: %v, %v", key, swapped, err)
		}
	}
}

// A program that imports this provider links no other one's client.
func TestLinksItsOwnClientOnly(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for path := range strings.Lines(string(out)) {
		for _, other := range []string{"hazelcast", "gomemcache", "memberlist", "database/sql", "pgx", "sqlite"} {
			if strings.Contains(path, other) {
				t.Errorf("it links %s", path)
			}
		}
	}
}
