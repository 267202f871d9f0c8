package memcached_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/memcached"
)

// warm makes the provider hold at least n unused connections to the server at addr.
func warm(t *testing.T, c driver.Cache, addr string, n int) {
	t.Helper()
	// Large records, so that calls overlap.
	put(t, c, "warm", string(make([]byte, 500_000)))
	eventually(t, strconv.Itoa(n)+" connections are open", func() bool {
		var wg sync.WaitGroup
		for range 2 * n {
			wg.Go(func() {
				if _, _, err := c.Get(t.Context(), "warm"); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		return stats(t, addr)("curr_connections") >= n
	})
}

func TestRestartWithIdleConnections(t *testing.T) {
	server := servertest.Memcached(t)
	c := openCache(t, connectTo(t, server), "restart")
	const idle = 64
	for round := range 3 {
		warm(t, c, server.Addr, idle)
		server.Kill()
		server = restart(t, server.Addr)
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				for i := range 2 * idle {
					key := strconv.Itoa(g*1000 + i)
					if err := c.Put(t.Context(), key, record("x"), time.Time{}); err != nil {
						t.Errorf("round %d: Put: %v", round, err)
						return
					}
					if _, found, err := c.Get(t.Context(), key); err != nil || !found {
						t.Errorf("round %d: Get = %v, %v", round, found, err)
						return
					}
				}
			})
		}
		wg.Wait()
		want(t, c, "warm", "") // it was lost with the server
	}
}

// A server that has too many connections breaks new ones off until others have ended.
func TestConnectionsThatAreBrokenOff(t *testing.T) {
	p := newProxy(t, servertest.Memcached(t).Addr)
	c := openCache(t, connect(t, memcached.Options{Servers: []string{p.addr}}), "broken")
	put(t, c, "k", "x")
	p.cut(4)
	want(t, c, "k", "x")
	p.cut(1 << 20)
	if _, _, err := c.Get(t.Context(), "k"); !errors.Is(err, driver.ErrUnavailable) {
		t.Errorf("a server that breaks off everything: %v, want ErrUnavailable", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	if _, _, err := c.Get(ctx, "k"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with little time: %v, want DeadlineExceeded", err)
	}
}

func TestOneDeadServerOfTwo(t *testing.T) {
	a, b := servertest.Memcached(t), servertest.Memcached(t)
	c := openCache(t, connectTo(t, a, b), "dead")
	const keys = 100
	for i := range keys {
		put(t, c, strconv.Itoa(i), "x")
	}
	onB := stats(t, b.Addr)("curr_items")
	b.Kill()
	failed := 0
	for i := range keys {
		key := strconv.Itoa(i)
		_, found, err := c.Get(t.Context(), key)
		perr := c.Put(t.Context(), key, record("y"), time.Time{})
		_, _, serr := c.Swap(t.Context(), key+"new", driver.Token{}, record("y"), time.Time{})
		derr := c.Delete(t.Context(), key+"other")
		for _, e := range []error{err, perr, serr, derr} {
			if e != nil && (!errors.Is(e, driver.ErrUnavailable) || errors.Is(e, driver.ErrIndeterminate)) {
				t.Fatalf("a dead server: %v, want ErrUnavailable alone", e)
			}
		}
		if (err != nil) != (perr != nil) {
			t.Fatalf("Get: %v, but Put: %v", err, perr)
		}
		if err == nil && !found {
			t.Fatal("a key of the living server is gone")
		}
		if err != nil {
			failed++
		}
	}
	// The server also held the generation, and perhaps what is left of a probe.
	if failed < 10 || failed > 90 || failed != onB-1 {
		t.Errorf("%d of %d keys failed; the dead server had %d items", failed, keys, onB)
	}
	if _, err := c.(driver.BatchGetter).GetBatch(t.Context(), []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10"}); !errors.Is(err, driver.ErrUnavailable) {
		t.Errorf("GetBatch = %v, want ErrUnavailable", err)
	}
	restart(t, b.Addr)
	for i := range keys {
		key := strconv.Itoa(i)
		put(t, c, key, "z")
		want(t, c, key, "z")
	}
}

func TestLostAcknowledgement(t *testing.T) {
	proxy := newProxy(t, servertest.Memcached(t).Addr)
	c := openCache(t, connect(t, memcached.Options{Servers: []string{proxy.addr}}), "lost")
	put(t, c, "k", "old")
	proxy.loseAnswer("set ")
	if err := c.Put(t.Context(), "k", record("new"), time.Time{}); !errors.Is(err, driver.ErrIndeterminate) || errors.Is(err, driver.ErrUnavailable) {
		t.Errorf("Put: %v, want ErrIndeterminate", err)
	}
	// The write may still be under way.
	eventually(t, "the write arrives", func() bool { item, _ := get(t, c, "k"); return text(item) == "new" })
	item, _ := get(t, c, "k")
	proxy.loseAnswer("md ")
	if _, _, err := c.Swap(t.Context(), "k", item.Token, nil, time.Time{}); !errors.Is(err, driver.ErrIndeterminate) {
		t.Errorf("Swap: %v, want ErrIndeterminate", err)
	}
	eventually(t, "the removal arrives", func() bool { _, found := get(t, c, "k"); return !found })
	proxy.loseAnswer("gets ")
	if _, _, err := c.Get(t.Context(), "k"); !errors.Is(err, driver.ErrUnavailable) || errors.Is(err, driver.ErrIndeterminate) {
		t.Errorf("Get: %v, want ErrUnavailable", err)
	}
	proxy.loseAnswer("cas ")
	if err := c.(driver.Clearer).Clear(t.Context()); !errors.Is(err, driver.ErrIndeterminate) {
		t.Errorf("Clear: %v, want ErrIndeterminate", err)
	}
}

func TestNonsense(t *testing.T) {
	proxy := newProxy(t, servertest.Memcached(t).Addr)
	c := openCache(t, connect(t, memcached.Options{Servers: []string{proxy.addr}}), "nonsense")
	put(t, c, "k", "x")
	for _, test := range []struct {
		answer string
		want   error // of Put; that of Get is ErrUnavailable
	}{
		{"VALUE secret\r\n", driver.ErrIndeterminate},
		{"hello secret\r\n", driver.ErrIndeterminate},
		{"SERVER_ERROR secret\r\n", driver.ErrIndeterminate},
		{"CLIENT_ERROR secret\r\n", driver.ErrUnavailable},
		{"ERROR\r\n", driver.ErrUnavailable},
		{"ERROR Too many open connections\r\n", driver.ErrUnavailable},
		{"SERVER_ERROR out of memory storing object\r\n", driver.ErrFull},
		{"SERVER_ERROR Out of memory during read\r\n", driver.ErrFull},
		{"SERVER_ERROR Out of memory allocating item\r\n", driver.ErrFull},
		{"SERVER_ERROR object too large for cache\r\n", driver.ErrTooLarge},
		{"SERVER_ERROR out of memory reading request\r\n", driver.ErrUnavailable},
		{"SERVER_ERROR out of memory\r\n", driver.ErrIndeterminate},
	} {
		proxy.only("set ", test.answer)
		if err := c.Put(t.Context(), "k", record("y"), time.Time{}); !errors.Is(err, test.want) || leaks(err) {
			t.Errorf("Put answered %q: %v, want %v", test.answer, err, test.want)
		}
		proxy.only("gets ", test.answer)
		if _, _, err := c.Get(t.Context(), "k"); !errors.Is(err, driver.ErrUnavailable) || leaks(err) {
			t.Errorf("Get answered %q: %v, want ErrUnavailable", test.answer, err)
		}
		proxy.only("", "")
		want(t, c, "k", "x")
	}
}

func leaks(err error) bool { return strings.Contains(err.Error(), "secret") }
