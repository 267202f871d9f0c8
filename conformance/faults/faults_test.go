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
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
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

// A fault is what happens to the servers of a provider.
type fault struct {
	provider, name string
	// lasts says that some of the servers stay away. What was there cannot be looked for, and is not counted.
	lasts bool
}

// hurt uses two processes before, during and for a while after a fault, and prints what was lost.
// What happens once, such as a logout, begins to happen when strike says so.
func hurt(t *testing.T, f fault, a, b process, strike func(begin func())) {
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
	if l.lasts = f.lasts; !f.lasts {
		awaitReady(t, b.manager)
	}
	for _, r := range l.losses() {
		t.Logf("%s | %s | %s | %d of %d", f.provider, f.name, r.promise, r.lost, r.of)
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

// floodTwice puts more than fourteen thousand entries and sessions into a process, and then as many again.
func floodTwice(t *testing.T, p process, begin func()) {
	t.Helper()
	rounds := 0
	flood(t, p, func(int) bool { rounds++; return rounds > 20 })
	begin()
	flood(t, p, func(int) bool { rounds++; return rounds > 40 })
}

func TestFaultsOfMemory(t *testing.T) {
	long(t)
	for name, full := range map[string]memory.WhenFull{"full": memory.Reject, "evicting": memory.Evict} {
		t.Run(name, func(t *testing.T) {
			m, err := memory.Open(memory.Options{MaxEntries: 6 * population, WhenFull: full})
			p := start(t, closed(t, m, err))
			hurt(t, fault{provider: "memory", name: name}, p, p, func(begin func()) { floodTwice(t, p, begin) })
		})
	}
}
