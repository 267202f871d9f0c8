// Package faults measures what is lost of what was acknowledged, by caches and by sessions, when
// the servers of a provider are hurt while two processes use them. Each test prints one line for
// each promise, which docs/promises.md is made of:
//
//	make faults
package faults_test

import (
	"context"
	"crypto/rand"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/internal/servers"
	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/providers/hazelcast"
	"github.com/keepsake-cache/keepsake/providers/memcached"
	"github.com/keepsake-cache/keepsake/providers/memory"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// long skips a test that is not asked for.
func long(t *testing.T) {
	t.Helper()
	if os.Getenv("KEEPSAKE_FAULTS") == "" {
		t.Skip("SKIPPED: it takes minutes; run it with make faults")
	}
}

// closed closes a connection with the test.
func closed(t *testing.T, m *jcache.CacheManager, err error) *jcache.CacheManager {
	t.Helper()
	must(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = m.Close(ctx) // its servers may be gone
	})
	return m
}

// hurt uses two processes before, during and for a while after a fault, and prints what was lost.
// What happens once, such as a logout, begins to happen when strike says so.
func hurt(t *testing.T, provider, fault string, a, b process, strike func(begin func())) {
	t.Helper()
	before := slog.Default()
	slog.SetDefault(slog.New(slog.DiscardHandler))
	defer slog.SetDefault(before)
	l := populate(t, a, b)
	stop := l.use()
	pause(t, time.Second)
	strike(l.begin)
	pause(t, 5*time.Second)
	stop()
	awaitReady(t, b.manager)
	for _, r := range l.losses() {
		t.Logf("%s | %s | %s | %d of %d", provider, fault, r.promise, r.lost, r.of)
	}
}

// pause lets the processes go on for a while, which is what a fault takes and no wait for anything.
func pause(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
		t.Fatal(t.Context().Err())
	}
}

func awaitReady(t *testing.T, m *jcache.CacheManager) {
	t.Helper()
	deadline := time.Now().Add(90 * time.Second)
	for !m.Health().Ready() || m.Ping(t.Context()) != nil {
		if time.Now().After(deadline) {
			t.Fatal("the provider does not recover: ", m.Health().Reasons())
		}
		pause(t, 50*time.Millisecond)
	}
}

// flood puts entries and sessions that nobody asks for again beside what is used, until enough does
// say that it is enough.
func flood(t *testing.T, p process, enough func(refused int) bool) {
	t.Helper()
	refused := 0
	for i := 0; !enough(refused); i++ {
		if i > 2_000_000 {
			t.Fatal("there is room for two million entries")
		}
		for range 500 {
			if err := p.cache.Put(t.Context(), rand.Text(), i); err != nil {
				refused++
			}
		}
		for range 200 {
			new(visitor).change(p.site)
		}
	}
}

func TestFaultsOfMemory(t *testing.T) {
	long(t)
	for fault, full := range map[string]memory.WhenFull{"full": memory.Reject, "evicting": memory.Evict} {
		t.Run(fault, func(t *testing.T) {
			m, err := memory.Open(memory.Options{MaxEntries: 6 * population, WhenFull: full})
			p := start(t, closed(t, m, err))
			hurt(t, "memory", fault, p, p, func(begin func()) {
				rounds := 0
				flood(t, p, func(int) bool { rounds++; return rounds > 20 })
				begin()
				flood(t, p, func(int) bool { rounds++; return rounds > 40 })
			})
		})
	}
}

func TestFaultsOfMemcached(t *testing.T) {
	long(t)
	connect := func(t *testing.T, addrs ...string) process {
		m, err := memcached.Open(t.Context(), memcached.Options{Servers: addrs})
		return start(t, closed(t, m, err))
	}
	t.Run("freeze", func(t *testing.T) {
		s := servertest.Memcached(t)
		hurt(t, "memcached", "freeze", connect(t, s.Addr), connect(t, s.Addr), func(begin func()) {
			begin()
			must(t, s.Pause())
			pause(t, 5*time.Second)
			must(t, s.Resume())
		})
	})
	t.Run("restarted empty", func(t *testing.T) {
		a, b := servertest.Memcached(t), servertest.Memcached(t)
		hurt(t, "memcached", "restarted empty", connect(t, a.Addr, b.Addr), connect(t, a.Addr, b.Addr), func(begin func()) {
			begin()
			a.Kill()
			pause(t, time.Second)
			again, err := servers.MemcachedAt(t.Context(), a.Addr)
			must(t, err)
			t.Cleanup(again.Kill)
		})
	})
	for fault, args := range map[string][]string{"full": {"-m", "8", "-M"}, "evicting": {"-m", "8"}} {
		t.Run(fault, func(t *testing.T) {
			s := servertest.Memcached(t, args...)
			p := connect(t, s.Addr)
			hurt(t, "memcached", fault, p, connect(t, s.Addr), func(begin func()) {
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

func TestFaultsOfHazelcast(t *testing.T) {
	long(t)
	for fault, strike := range map[string]func(t *testing.T, c *servers.HazelcastCluster){
		"kill": func(t *testing.T, c *servers.HazelcastCluster) {
			c.Member(0).Kill()
			pause(t, 10*time.Second)
		},
		"freeze": func(t *testing.T, c *servers.HazelcastCluster) {
			must(t, c.Member(0).Pause())
			pause(t, 20*time.Second)
			must(t, c.Member(0).Resume())
			pause(t, 10*time.Second)
		},
		"restarted empty": func(t *testing.T, c *servers.HazelcastCluster) {
			for i := range c.Addrs {
				c.Member(i).Kill()
			}
			for i := range c.Addrs {
				must(t, c.Restart(i))
			}
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			must(t, c.Await(ctx, len(c.Addrs)))
			pause(t, 10*time.Second)
		},
	} {
		t.Run(fault, func(t *testing.T) {
			config := filepath.Join(t.TempDir(), "hazelcast-member.xml")
			must(t, os.WriteFile(config, []byte(hazelcast.MemberConfig), 0o600))
			cluster := servertest.Hazelcast(t, 2, config, "-Dhazelcast.partition.count=71")
			connect := func() process {
				m, err := hazelcast.Open(t.Context(), hazelcast.Options{Servers: cluster.Addrs})
				return start(t, closed(t, m, err))
			}
			hurt(t, "hazelcast", fault, connect(), connect(), func(begin func()) {
				begin()
				strike(t, cluster)
			})
		})
	}
}
