package faults_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/conformance/internal/proxy"
	"github.com/keepsake-cache/keepsake/internal/servers"
	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/providers/memcached"
)

func TestFaultsOfMemcached(t *testing.T) {
	long(t)
	connect := func(t *testing.T, addrs ...string) process {
		m, err := memcached.Open(t.Context(), memcached.Options{Servers: addrs})
		return start(t, closed(t, m, err))
	}
	t.Run("freeze", func(t *testing.T) {
		s := servertest.Memcached(t)
		hurt(t, fault{provider: "memcached", name: "freeze"}, connect(t, s.Addr), connect(t, s.Addr), func(begin func()) {
			begin()
			must(t, s.Pause())
			pause(t, 5*time.Second)
			must(t, s.Resume())
		})
	})
	t.Run("kill", func(t *testing.T) {
		a, b := servertest.Memcached(t), servertest.Memcached(t)
		f := fault{provider: "memcached", name: "kill", lasts: true}
		hurt(t, f, connect(t, a.Addr, b.Addr), connect(t, a.Addr, b.Addr), func(begin func()) {
			begin()
			a.Kill()
			pause(t, 5*time.Second)
		})
	})
	t.Run("split", func(t *testing.T) { // one process reaches the server, and the other one does not
		s := servertest.Memcached(t)
		path, err := proxy.Start(s.Addr)
		must(t, err)
		t.Cleanup(path.Close)
		hurt(t, fault{provider: "memcached", name: "split"}, connect(t, path.Addr()), connect(t, s.Addr), func(begin func()) {
			begin()
			path.Begin(proxy.Stall, 0, nil)
			pause(t, 5*time.Second)
			must(t, path.Heal())
		})
	})
	t.Run("restarted empty", func(t *testing.T) {
		a, b := servertest.Memcached(t), servertest.Memcached(t)
		hurt(t, fault{provider: "memcached", name: "restarted empty"}, connect(t, a.Addr, b.Addr), connect(t, a.Addr, b.Addr), func(begin func()) {
			begin()
			a.Kill()
			pause(t, time.Second)
			again, err := servers.MemcachedAt(t.Context(), a.Addr)
			must(t, err)
			t.Cleanup(again.Kill)
		})
	})
	for name, args := range map[string][]string{"full": {"-m", "8", "-M"}, "evicting": {"-m", "8"}} {
		t.Run(name, func(t *testing.T) {
			s := servertest.Memcached(t, args...)
			p := connect(t, s.Addr)
			hurt(t, fault{provider: "memcached", name: name}, p, connect(t, s.Addr), func(begin func()) {
				evicted := 0
				full := func(refused int) bool {
					stats, err := servers.MemcachedStats(s.Addr)
					must(t, err)
					n, _ := strconv.Atoi(stats["evictions"])
					return refused > 2000 || n > evicted+20_000
				}
				flood(t, p, full)
				begin()
				stats, err := servers.MemcachedStats(s.Addr)
				must(t, err)
				evicted, _ = strconv.Atoi(stats["evictions"])
				flood(t, p, full)
			})
		})
	}
}
