package redis_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/redis"
)

func clearAll(t testing.TB, c driver.Cache) {
	t.Helper()
	check(t, c.(driver.Clearer).Clear(t.Context()))
}

func TestWhatWasClearedIsRemovedInTheBackground(t *testing.T) {
	c, p := start(t)
	other := open(t, p, "carts2")
	check(t, other.Put(t.Context(), "k", record("stays"), time.Time{}))
	const n = 3000
	fill := func() {
		entries := make([]driver.Entry, n)
		for i := range entries {
			entries[i] = driver.Entry{Key: strconv.Itoa(i), Record: record("x")}
		}
		if errs := c.(driver.BatchPutter).PutBatch(t.Context(), entries); errs != nil {
			t.Fatal(errs)
		}
	}
	for range 2 {
		fill()
		clearAll(t, c)
		if size, err := c.(driver.Sizer).Size(t.Context()); size != 0 || err != nil {
			t.Fatalf("%d records after Clear, %v", size, err)
		}
		check(t, c.Put(t.Context(), "new", record("x"), time.Time{}))
		eventually(t, "what was cleared is removed", func() bool {
			return number(t, ask(t, c, "DBSIZE")) == 3 // the other cache's, the new one, and the generation
		})
		must(t, c, "new")
	}
	must(t, other, "k")
}

// A generation that the server has lost is put back by who knows it.
func TestALostGenerationIsPutBack(t *testing.T) {
	c, _ := start(t)
	clearAll(t, c)
	check(t, c.Put(t.Context(), "k", record("x"), time.Time{}))
	ask(t, c, "DEL", "keepsake:carts@generation")
	eventually(t, "the generation is there again", func() bool {
		must(t, c, "k")
		return number(t, ask(t, c, "EXISTS", "keepsake:carts@generation")) == 1
	})
}

// Another process that has used the cache a moment ago sees nothing of what was cleared, and what it
// writes after that is there.
func TestClearIsSeenByEverybodyWhenItReturns(t *testing.T) {
	server := []string{servertest.Redis(t).Addr}
	a, b := open(t, connect(t, redis.Options{Servers: server}), "carts"), open(t, connect(t, redis.Options{Servers: server}), "carts")
	for range 2 {
		check(t, b.Put(t.Context(), "k", record("x"), time.Time{}))
		clearAll(t, a)
		if _, found, err := b.Get(t.Context(), "k"); found || err != nil {
			t.Errorf("found %v, %v", found, err)
		}
		check(t, b.Put(t.Context(), "new", record("x"), time.Time{}))
		must(t, a, "new")
	}
}
