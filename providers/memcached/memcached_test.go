package memcached_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
	"go.uber.org/goleak"

	"github.com/keepsake-cache/keepsake/internal/servers"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/memcached"
)

// Every test leaves no goroutine behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds whatever a test waits for; nothing takes as long unless it hangs.
const patience = time.Minute

// patient fills in timeouts that hold on a busy machine too.
func patient(opts memcached.Options) memcached.Options {
	if opts.RequestTimeout == 0 {
		opts.RequestTimeout = patience
	}
	if opts.ConnectTimeout == 0 {
		opts.ConnectTimeout = patience
	}
	return opts
}

func connect(t testing.TB, opts memcached.Options) *memcached.Provider {
	t.Helper()
	p, err := memcached.Connect(t.Context(), patient(opts))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := p.Close(ctx); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return p
}

func connectTo(t testing.TB, processes ...*servers.Process) *memcached.Provider {
	t.Helper()
	return connect(t, memcached.Options{Servers: addrs(processes...)})
}

func addrs(processes ...*servers.Process) []string {
	list := make([]string, len(processes))
	for i, p := range processes {
		list[i] = p.Addr
	}
	return list
}

func openCache(t testing.TB, p *memcached.Provider, name string) driver.Cache {
	t.Helper()
	c, err := p.OpenCache(t.Context(), name, driver.CacheOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// client is the client behind a cache.
func client(c driver.Cache) *memcache.Client { return c.(driver.Unwrapper).Unwrap().(*memcache.Client) }

// restart starts a memcached where another one was.
func restart(t testing.TB, addr string, args ...string) *servers.Process {
	t.Helper()
	p, err := servers.MemcachedAt(t.Context(), addr, args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

// freeze pauses a server. Pause returns before all threads of the process have stopped.
func freeze(t testing.TB, p *servers.Process) {
	t.Helper()
	if err := p.Pause(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "every thread of the server has stopped", func() bool {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", p.PID()))
		if err != nil {
			t.Fatal(err)
		}
		for _, thread := range threads {
			stat, err := os.ReadFile(thread)
			if err != nil || !strings.Contains(string(stat), ") T ") {
				return false
			}
		}
		return true
	})
}

func thaw(t testing.TB, p *servers.Process) {
	t.Helper()
	if err := p.Resume(); err != nil {
		t.Fatal(err)
	}
}

// record makes a record that differs from any other.
func record(text string) []byte {
	id := make([]byte, driver.WriteIDBytes)
	_, _ = rand.Read(id)
	return append(id, text...)
}

func text(item driver.Item) string { return string(item.Record[driver.WriteIDBytes:]) }

func put(t testing.TB, c driver.Cache, key, value string) {
	t.Helper()
	if err := c.Put(t.Context(), key, record(value), time.Time{}); err != nil {
		t.Fatalf("Put: %v", err)
	}
}

func get(t testing.TB, c driver.Cache, key string) (driver.Item, bool) {
	t.Helper()
	item, found, err := c.Get(t.Context(), key)
	if err != nil {
		t.Fatalf("Get: %v", err)
	}
	return item, found
}

// want checks what is stored under key; "" stands for nothing.
func want(t testing.TB, c driver.Cache, key, value string) {
	t.Helper()
	item, found := get(t, c, key)
	switch {
	case found && value == "":
		t.Fatalf("Get found a record, want none")
	case !found && value != "":
		t.Fatalf("Get found nothing, want %q", value)
	case found && text(item) != value:
		t.Fatalf("Get = %q, want %q", text(item), value)
	}
}

// eventually polls until done.
func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !done(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// stats returns the counters of a server.
func stats(t testing.TB, addr string) func(name string) int {
	t.Helper()
	all, err := servers.MemcachedStats(addr)
	if err != nil {
		t.Fatal(err)
	}
	return func(name string) int {
		n, err := strconv.Atoi(all[name])
		if err != nil {
			t.Fatalf("the server has no counter %s", name)
		}
		return n
	}
}
