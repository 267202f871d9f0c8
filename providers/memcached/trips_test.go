package memcached_test

import (
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/memcached"
)

// TestRoundTrips counts the exchanges of each operation, and the commands as the
// server counts them. What takes longer than a lease is counted again.
func TestRoundTrips(t *testing.T) {
	for start := time.Now(); time.Since(start) < patience; {
		if countTrips(t) {
			return
		}
	}
	t.Skip("SKIPPED: the machine is too busy to count the exchanges of one lease")
}

// countTrips reports whether it could count: each operation within one lease.
func countTrips(t *testing.T) bool {
	server := servertest.Memcached(t)
	proxy := newProxy(t, server.Addr)
	p := connect(t, memcached.Options{Servers: []string{proxy.addr}})
	c := openCache(t, p, "trips")
	put(t, c, "the first write", "makes the generation")
	ctx := t.Context()
	const n = 20
	keys := make([]string, n)
	for i := range keys {
		keys[i] = strconv.Itoa(i)
	}
	tokens := make([]driver.Token, n)
	counters := []string{"cmd_get", "cmd_set", "cmd_touch", "cas_hits", "cas_misses", "cas_badval", "delete_hits", "delete_misses", "incr_hits"}
	for _, op := range []struct {
		name      string
		exchanges int // of all n together
		commands  map[string]int
		do        func(i int, key string) error
	}{
		{"Put", n, map[string]int{"cmd_set": n}, func(_ int, key string) error {
			return c.Put(ctx, key, record("x"), time.Time{})
		}},
		{"Get", n, map[string]int{"cmd_get": n}, func(i int, key string) error {
			item, _, err := c.Get(ctx, key)
			tokens[i] = item.Token
			return err
		}},
		{"Swap", n, map[string]int{"cmd_set": n, "cas_hits": n}, func(i int, key string) error {
			_, _, err := c.Swap(ctx, key, tokens[i], record("y"), time.Time{})
			return err
		}},
		{"Swap, stale", n, map[string]int{"cmd_set": n, "cas_badval": n}, func(i int, key string) error {
			_, _, err := c.Swap(ctx, key, tokens[i], record("z"), time.Time{})
			return err
		}},
		{"Swap, present", 2 * n, map[string]int{"cmd_set": n, "cmd_get": n}, func(_ int, key string) error {
			_, _, err := c.Swap(ctx, key, driver.Token{}, record("z"), time.Time{})
			return err
		}},
		{"read and remove", 2 * n, map[string]int{"cmd_get": n, "delete_hits": n}, func(_ int, key string) error {
			item, _, err := c.Get(ctx, key)
			if err == nil {
				_, _, err = c.Swap(ctx, key, item.Token, nil, time.Time{})
			}
			return err
		}},
		{"Get, absent", n, map[string]int{"cmd_get": n}, func(_ int, key string) error {
			_, _, err := c.Get(ctx, key)
			return err
		}},
		{"Swap, absent", n, map[string]int{"cmd_set": n}, func(_ int, key string) error {
			_, _, err := c.Swap(ctx, key, driver.Token{}, record("z"), time.Time{})
			return err
		}},
		{"GetBatch of all", 1, map[string]int{"cmd_get": n}, func(i int, _ string) error {
			if i > 0 {
				return nil
			}
			_, err := c.(driver.BatchGetter).GetBatch(ctx, keys)
			return err
		}},
		{"Delete", n, map[string]int{"delete_hits": n}, func(_ int, key string) error {
			return c.Delete(ctx, key)
		}},
	} {
		c = openCache(t, p, "trips")
		get(t, c, "the first read fetches the generation")
		start, before, sent := time.Now(), stats(t, server.Addr), proxy.sent()
		for i, key := range keys {
			if err := op.do(i, key); err != nil {
				t.Fatalf("%s: %v", op.name, err)
			}
		}
		exchanges, after := proxy.sent()-sent, stats(t, server.Addr)
		if time.Since(start) > 900*time.Millisecond {
			return false
		}
		if exchanges != op.exchanges {
			t.Errorf("%s: %d exchanges, want %d", op.name, exchanges, op.exchanges)
		}
		var line string
		for _, name := range counters {
			count := after(name) - before(name)
			if count != op.commands[name] {
				t.Errorf("%s: %s is %d, want %d", op.name, name, count, op.commands[name])
			}
			if count != 0 {
				line += " " + name + "=" + strconv.Itoa(count)
			}
		}
		t.Logf("%-16s ×%d: %3d exchanges;%s", op.name, n, exchanges, line)
	}
	return true
}

// TestLeaseEnds: after the lease, a Get asks for the generation along with its record,
// and a Put just before it.
func TestLeaseEnds(t *testing.T) {
	proxy := newProxy(t, servertest.Memcached(t).Addr)
	p := connect(t, memcached.Options{Servers: []string{proxy.addr}})
	for name, test := range map[string]struct {
		do   func(driver.Cache)
		most int
	}{
		"Get": {func(c driver.Cache) { get(t, c, "k") }, 1},
		"Put": {func(c driver.Cache) { put(t, c, "k", "x") }, 2},
	} {
		// What a cache that was just opened sends is what one sends whose lease ended.
		c := openCache(t, p, name)
		put(t, c, "k", "x") // makes the generation
		test.do(c)
		sent := proxy.sent()
		test.do(openCache(t, p, name))
		if n := proxy.sent() - sent; n != test.most {
			t.Errorf("%s without a lease: %d exchanges, want %d", name, n, test.most)
		}
	}
	c := openCache(t, p, "Get")
	get(t, c, "k")
	renewals, start := 0, time.Now()
	for time.Since(start) < 2*generationLease {
		sent := proxy.sent()
		put(t, c, "k", "x")
		if proxy.sent()-sent == 2 {
			renewals++
		}
	}
	if took := time.Since(start); renewals < 1 || renewals > int(took/generationLease)+1 {
		t.Errorf("the lease was renewed %d times in %v", renewals, took)
	}
}

func TestMaxIdleConnections(t *testing.T) {
	const width, bursts = 16, 20
	opened := func(idle int) int {
		server := servertest.Memcached(t)
		c := openCache(t, connect(t, memcached.Options{Servers: addrs(server), MaxIdleConnections: idle}), "idle")
		put(t, c, "k", string(make([]byte, 500_000))) // large, so that calls overlap
		for range bursts {
			var wg sync.WaitGroup
			for range width {
				wg.Go(func() {
					if _, _, err := c.Get(t.Context(), "k"); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
		}
		return stats(t, server.Addr)("total_connections")
	}
	few, many := opened(2), opened(width)
	t.Logf("%d bursts of %d reads: %d connections opened with 2 idle ones, %d with %d", bursts, width, few, many, width)
	if many > width+3 { // and those of the test itself
		t.Errorf("%d connections were opened for %d calls at once", many, width)
	}
	if few < 2*many {
		t.Errorf("with 2 idle connections %d were opened; is the bound ignored?", few)
	}
}
