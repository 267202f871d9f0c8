package faults_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/conformance/internal/proxy"
	"github.com/keepsake-cache/keepsake/internal/servers"
	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/providers/redis"
)

// onRedis begins a process.
func onRedis(t *testing.T, opts redis.Options) process {
	t.Helper()
	m, err := redis.Open(t.Context(), opts)
	return start(t, closed(t, m, err))
}

func TestFaultsOfRedis(t *testing.T) {
	long(t)
	// A primary that Sentinels replace, with a write on a replica before it is acknowledged.
	for _, f := range []struct {
		name     string
		replicas int
		strike   func(primary *servers.Process)
	}{
		{"kill", 2, func(primary *servers.Process) {
			primary.Kill()
			pause(t, 10*time.Second)
		}},
		{"freeze", 1, func(primary *servers.Process) {
			must(t, primary.Pause())
			pause(t, 10*time.Second)
			must(t, primary.Resume())
			pause(t, 5*time.Second)
		}},
	} {
		t.Run(f.name, func(t *testing.T) {
			g := servertest.RedisSentinel(t, f.replicas)
			connect := func() process {
				return onRedis(t, redis.Options{Servers: g.Addrs, MasterName: servers.MasterName, Replicas: 1})
			}
			hurt(t, fault{provider: "redis", name: f.name}, connect(), connect(), func(begin func()) {
				begin()
				f.strike(g.Servers[0])
			})
		})
	}
	t.Run("split", func(t *testing.T) { // one process reaches the server, and the other one does not
		s := servertest.Redis(t)
		path, err := proxy.Start(s.Addr)
		must(t, err)
		t.Cleanup(path.Close)
		a, b := onRedis(t, redis.Options{Servers: []string{path.Addr()}}), onRedis(t, redis.Options{Servers: []string{s.Addr}})
		hurt(t, fault{provider: "redis", name: "split"}, a, b, func(begin func()) {
			begin()
			path.Begin(proxy.Stall, 0, nil)
			pause(t, 5*time.Second)
			must(t, path.Heal())
		})
	})
	t.Run("restarted empty", func(t *testing.T) {
		s := servertest.Redis(t)
		connect := func() process { return onRedis(t, redis.Options{Servers: []string{s.Addr}}) }
		hurt(t, fault{provider: "redis", name: "restarted empty"}, connect(), connect(), func(begin func()) {
			begin()
			pause(t, time.Second) // half of what happens once happens before
			s.Kill()
			pause(t, time.Second)
			again, err := servers.RedisAt(t.Context(), s.Addr)
			must(t, err)
			t.Cleanup(again.Kill)
		})
	})
	for name, policy := range map[string]string{"full": "noeviction", "evicting": "allkeys-lru"} {
		t.Run(name, func(t *testing.T) {
			s := servertest.Redis(t, "--maxmemory", "8mb", "--maxmemory-policy", policy)
			connect := func() process { return onRedis(t, redis.Options{Servers: []string{s.Addr}}) }
			p := connect()
			hurt(t, fault{provider: "redis", name: name}, p, connect(), func(begin func()) {
				evicted := 0
				full := func(refused int) bool { return refused > 2000 || evictions(t, s.Addr) > evicted+20_000 }
				flood(t, p, full)
				begin()
				evicted = evictions(t, s.Addr)
				flood(t, p, full)
			})
		})
	}
}

// evictions is how many records a server has dropped.
func evictions(t *testing.T, addr string) (n int) {
	t.Helper()
	info, err := servers.RedisCLI(addr, "INFO", "stats")
	must(t, err)
	_, after, _ := strings.Cut(info, "evicted_keys:")
	_, err = fmt.Sscan(after, &n)
	must(t, err)
	return n
}
