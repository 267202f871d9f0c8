package memcached_test

import (
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

func TestSwap(t *testing.T) {
	c := openCache(t, connectTo(t, servertest.Memcached(t)), "swap")
	ctx := t.Context()
	swap := func(key string, old driver.Token, rec []byte) (bool, *driver.Item) {
		t.Helper()
		swapped, current, err := c.Swap(ctx, key, old, rec, time.Time{})
		if err != nil {
			t.Fatalf("Swap: %v", err)
		}
		return swapped, current
	}
	if ok, _ := swap("k", driver.Token{}, nil); !ok {
		t.Error("removing an absent key: want swapped")
	}
	if ok, _ := swap("k", driver.Token{}, record("one")); !ok {
		t.Fatal("adding an absent key: want swapped")
	}
	if ok, current := swap("k", driver.Token{}, record("two")); ok || current == nil || text(*current) != "one" {
		t.Fatal("adding a present key: want a conflict that shows the record")
	}
	if ok, current := swap("k", driver.Token{}, nil); ok || current == nil || text(*current) != "one" {
		t.Fatal("removing a present key as absent: want a conflict that shows the record")
	}
	first, _ := get(t, c, "k")
	if ok, _ := swap("k", first.Token, record("two")); !ok {
		t.Fatal("the present token: want swapped")
	}
	want(t, c, "k", "two")
	for what, rec := range map[string][]byte{"replacing": record("three"), "removing": nil} {
		if ok, _ := swap("k", first.Token, rec); ok {
			t.Errorf("%s with an old token: want a conflict", what)
		}
	}
	second, _ := get(t, c, "k")
	put(t, c, "k", "two")
	if ok, _ := swap("k", second.Token, record("three")); ok {
		t.Error("a token from before a put of the same value: want a conflict")
	}
	third, _ := get(t, c, "k")
	if ok, _ := swap("k", third.Token, nil); !ok {
		t.Fatal("removing with the present token: want swapped")
	}
	want(t, c, "k", "")
	if ok, _ := swap("k", third.Token, record("four")); ok {
		t.Error("the token of a removed record: want a conflict")
	}
	if ok, _ := swap("k", driver.Token{N: third.Token.N}, record("four")); ok {
		t.Error("a token of another driver: want a conflict")
	}
	if ok, _ := swap("k", driver.Token{}, record("five")); !ok {
		t.Error("adding a removed key: want swapped")
	}
	if err := c.Delete(ctx, "k"); err != nil {
		t.Fatal(err)
	}
	want(t, c, "k", "")
	if err := c.Delete(ctx, "k"); err != nil {
		t.Errorf("deleting an absent key: %v", err)
	}
}

// TestSwapTokenOfRestartedServer gives another record the cas number that a token from
// before the restart has.
func TestSwapTokenOfRestartedServer(t *testing.T) {
	server := servertest.Memcached(t)
	a := openCache(t, connectTo(t, server), "aba")
	for range 50 {
		put(t, a, "k", "before")
	}
	old, _ := get(t, a, "k")

	server.Kill()
	server = restart(t, server.Addr)
	b := openCache(t, connectTo(t, server), "aba")
	for {
		put(t, b, "k", "after")
		item, _ := get(t, b, "k")
		if item.Token.N == old.Token.N {
			break
		}
		if item.Token.N > old.Token.N {
			t.Fatal("the numbers of the restarted server skipped the old one")
		}
	}
	swapped, _, err := a.Swap(t.Context(), "k", old.Token, record("lost update"), time.Time{})
	if err != nil || swapped {
		t.Fatalf("Swap with a token from before the restart = %v, %v; want a conflict", swapped, err)
	}
	want(t, b, "k", "after")
}

func TestSwapCountsExactly(t *testing.T) {
	server := servertest.Memcached(t)
	clients := []driver.Cache{
		openCache(t, connectTo(t, server), "count"),
		openCache(t, connectTo(t, server), "count"),
	}
	const goroutines, increments = 8, 500
	var wg sync.WaitGroup
	for g := range goroutines {
		c := clients[g%len(clients)]
		wg.Go(func() {
			for range increments {
				if err := increment(t, c, "n"); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	want(t, clients[0], "n", strconv.Itoa(goroutines*increments))
}

func increment(t *testing.T, c driver.Cache, key string) error {
	for {
		item, found, err := c.Get(t.Context(), key)
		if err != nil {
			return err
		}
		n := 0
		if found {
			if n, err = strconv.Atoi(text(item)); err != nil {
				return err
			}
		}
		swapped, _, err := c.Swap(t.Context(), key, item.Token, record(strconv.Itoa(n+1)), time.Time{})
		if swapped || err != nil {
			return err
		}
	}
}

func TestSwapHasOneWinner(t *testing.T) {
	server := servertest.Memcached(t)
	const clients, rounds = 8, 100
	caches := make([]driver.Cache, clients)
	for i := range caches {
		caches[i] = openCache(t, connectTo(t, server), "race")
	}
	race := func(round int, what string, old driver.Token, rec []byte) {
		t.Helper()
		var winners atomic.Int32
		var wg sync.WaitGroup
		start := make(chan struct{})
		for _, c := range caches {
			wg.Go(func() {
				<-start
				swapped, _, err := c.Swap(t.Context(), "k", old, rec, time.Time{})
				if err != nil {
					t.Error(err)
				}
				if swapped {
					winners.Add(1)
				}
			})
		}
		close(start)
		wg.Wait()
		if n := winners.Load(); n != 1 {
			t.Fatalf("round %d: %s has %d winners, want 1", round, what, n)
		}
	}
	for round := range rounds {
		race(round, "add", driver.Token{}, record("added"))
		item, _ := get(t, caches[round%clients], "k")
		race(round, "replace", item.Token, record("replaced"))
		item, _ = get(t, caches[round%clients], "k")
		race(round, "remove", item.Token, nil)
		want(t, caches[round%clients], "k", "")
	}
}
