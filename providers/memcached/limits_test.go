package memcached_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/memcached"
)

func TestForeignItem(t *testing.T) {
	c := openCache(t, connectTo(t, servertest.Memcached(t)), "foreign")
	for _, value := range []string{"", "hello, world", "\x02\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff"} {
		if err := client(c).Set(&memcache.Item{Key: "keepsake:foreign:k", Value: []byte(value)}); err != nil {
			t.Fatal(err)
		}
		if _, found, err := c.Get(t.Context(), "k"); err == nil || found {
			t.Errorf("Get of a foreign item = %v, %v; want an error", found, err)
		}
		put(t, c, "k", "ours")
		want(t, c, "k", "ours")
	}
}

// smallItems are the arguments of a server that takes items of 256 KiB at most.
// memcached 1.6.18 crashes if it has to cut such small items into chunks.
var smallItems = []string{"-I", "256k", "-o", "slab_chunk_max=256"}

func TestLargeRecords(t *testing.T) {
	for _, args := range [][]string{nil, smallItems, {"-I", "2m"}, {"-I", "8m"}} {
		t.Run(fmt.Sprint(args), func(t *testing.T) {
			c := openCache(t, connectTo(t, servertest.Memcached(t, args...)), "large")
			key := strings.Repeat("k", 250-len("keepsake:large:"))
			largest := make([]byte, c.Info().MaxRecordBytes)
			if err := c.Put(t.Context(), key, largest, time.Now().Add(time.Hour)); err != nil {
				t.Fatalf("the largest record under the longest key: %v", err)
			}
			if item, found := get(t, c, key); !found || len(item.Record) != len(largest) {
				t.Fatal("the largest record was not kept")
			}
		})
	}
}

// TestTooLargeKeepsOldRecord: memcached answers a set that is too large by removing
// what was there.
func TestTooLargeKeepsOldRecord(t *testing.T) {
	server := servertest.Memcached(t)
	p := connectTo(t, server)
	c := openCache(t, p, "oversize")
	refused := func(t *testing.T, c driver.Cache, key string, rec []byte) {
		t.Helper()
		put(t, c, key, "old")
		old, _ := get(t, c, key)
		if err := c.Put(t.Context(), key, rec, time.Time{}); !errors.Is(err, driver.ErrTooLarge) {
			t.Errorf("Put: %v, want ErrTooLarge", err)
		}
		if _, _, err := c.Swap(t.Context(), key, old.Token, rec, time.Time{}); !errors.Is(err, driver.ErrTooLarge) {
			t.Errorf("Swap: %v, want ErrTooLarge", err)
		}
		if _, _, err := c.Swap(t.Context(), "new"+key, driver.Token{}, rec, time.Time{}); !errors.Is(err, driver.ErrTooLarge) {
			t.Errorf("Swap of an absent key: %v, want ErrTooLarge", err)
		}
		want(t, c, key, "old")
		want(t, c, "new"+key, "")
	}
	refused(t, c, "k", make([]byte, 1<<20))
	refused(t, c, "k", make([]byte, 3<<20))
	refused(t, c, strings.Repeat("a long key ", 1000), make([]byte, c.Info().MaxRecordBytes))

	t.Run("smaller server", func(t *testing.T) {
		before := c.Info().MaxRecordBytes
		server.Kill()
		restart(t, server.Addr, smallItems...)
		refused(t, c, "k", make([]byte, before))
	})
}

func TestFull(t *testing.T) {
	c := openCache(t, connectTo(t, servertest.Memcached(t, "-m", "2", "-M")), "full")
	rec := make([]byte, 100_000)
	var err error
	for i := 0; err == nil && i < 1000; i++ {
		err = c.Put(t.Context(), fmt.Sprint(i), rec, time.Time{})
	}
	if !errors.Is(err, driver.ErrFull) || errors.Is(err, driver.ErrIndeterminate) {
		t.Fatalf("Put on a full server: %v, want ErrFull", err)
	}
	want(t, c, "absent", "")
}

func TestExpiry(t *testing.T) {
	c := openCache(t, connectTo(t, servertest.Memcached(t)), "expiry")
	step := c.Info().ExpiryStep
	const busy = 5 * time.Second // how far the clock of a server can be behind on a busy machine
	var wg sync.WaitGroup
	for i := range 40 {
		life := 100*time.Millisecond + time.Duration(i)*47*time.Millisecond
		wg.Go(func() {
			key := life.String()
			deadline := time.Now().Add(life)
			if err := c.Put(t.Context(), key, record("x"), deadline); err != nil {
				t.Error(err)
				return
			}
			tick := time.NewTicker(20 * time.Millisecond)
			defer tick.Stop()
			for {
				asked := time.Now()
				_, found, err := c.Get(t.Context(), key)
				switch {
				case err != nil:
					t.Error(err)
					return
				case !found && time.Now().Before(deadline):
					t.Errorf("a record of %v has gone %v early", life, time.Until(deadline))
					return
				case !found:
					return
				case asked.After(deadline.Add(step + busy)):
					t.Errorf("a record of %v is still there %v after its deadline", life, asked.Sub(deadline))
					return
				}
				<-tick.C
			}
		})
	}
	wg.Wait()
}

func TestLongExpiry(t *testing.T) {
	c := openCache(t, connectTo(t, servertest.Memcached(t)), "long")
	const day = 24 * time.Hour
	for _, life := range []time.Duration{
		29 * day, 30*day - 2*time.Second, 30*day - time.Second, 30 * day, 30*day + time.Second, 31 * day, 365 * day, 200 * 365 * day,
	} {
		if err := c.Put(t.Context(), "k", record(life.String()), time.Now().Add(life)); err != nil {
			t.Fatal(err)
		}
		want(t, c, "k", life.String())
		item, _ := get(t, c, "k")
		if ok, _, err := c.Swap(t.Context(), "k", item.Token, record("swapped"), time.Now().Add(life)); !ok || err != nil {
			t.Fatalf("Swap = %v, %v", ok, err)
		}
		want(t, c, "k", "swapped")
	}
	if err := c.Put(t.Context(), "past", record("x"), time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a record whose deadline has passed goes", func() bool { _, found := get(t, c, "past"); return !found })
}

// TestLargestValue is the number in the README: what a value's key, its envelope, its header
// and memcached's own take at most.
func TestLargestValue(t *testing.T) {
	const overhead = 342
	caches, err := memcached.Open(t.Context(), patient(memcached.Options{Servers: addrs(servertest.Memcached(t))}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = caches.Close(context.Background()) })
	c, err := jcache.CreateCache(t.Context(), caches, "largest", jcache.Options[string, []byte]{})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Put(t.Context(), "k", make([]byte, 1<<20-overhead)); err != nil {
		t.Errorf("1 MiB less %d bytes: %v", overhead, err)
	}
	if err := c.Put(t.Context(), "k", make([]byte, 1<<20-overhead+1)); !errors.Is(err, jcache.ErrTooLarge) {
		t.Errorf("a byte more: %v, want ErrTooLarge", err)
	}
}

// TestLargeValueFindsNoRoom: memcached has another answer for values above 512 KiB, which it
// stores in parts.
func TestLargeValueFindsNoRoom(t *testing.T) {
	c := openCache(t, connectTo(t, servertest.Memcached(t, "-m", "4", "-M")), "parts")
	rec := make([]byte, 700<<10)
	var err error
	for i := 0; err == nil && i < 100; i++ {
		_, _, err = c.Swap(t.Context(), fmt.Sprint(i), driver.Token{}, rec, time.Time{})
	}
	if !errors.Is(err, driver.ErrFull) || errors.Is(err, driver.ErrIndeterminate) {
		t.Errorf("Swap of a large record on a full server: %v, want ErrFull", err)
	}
}
