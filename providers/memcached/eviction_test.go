package memcached_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// flood puts n foreign items of a size on a server.
func flood(t testing.TB, addr string, n, size int) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // what was sent has been answered
	w, value := bufio.NewWriterSize(c, 1<<16), make([]byte, size)
	for i := range n {
		fmt.Fprintf(w, "set f%d 0 0 %d noreply\r\n%s\r\n", i, size, value)
	}
	if _, err := io.WriteString(w, "mn\r\n"); err != nil || w.Flush() != nil {
		t.Fatal("the server does not read")
	}
	for r := bufio.NewReader(c); ; { // a set that failed is told all the same
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if line == "MN\r\n" {
			return
		}
	}
}

// What a cache depends on beside its records is one item on each server. A record is lost by
// nothing that happens to it, and by nobody's having known it or not.
const generationKey = "keepsake:lost@"

func evict(t testing.TB, c driver.Cache) {
	t.Helper()
	if err := client(c).Delete(generationKey); err != nil {
		t.Fatal(err)
	}
}

func TestEvictedGenerationLosesNoRecord(t *testing.T) {
	const records = 30
	fill := func(c driver.Cache, from int) {
		for i := from; i < from+records; i++ {
			put(t, c, strconv.Itoa(i), "x")
		}
	}
	lost := func(c driver.Cache, from int) (n int) {
		for i := from; i < from+records; i++ {
			if _, found := get(t, c, strconv.Itoa(i)); !found {
				n++
			}
		}
		return n
	}
	none := func(t *testing.T, what string, n int) {
		t.Helper()
		if n > 0 {
			t.Errorf("%s: %d records are lost", what, n)
		}
	}
	t.Run("of a cache that was never cleared", func(t *testing.T) {
		server := servertest.Memcached(t)
		a := openCache(t, connectTo(t, server), "lost")
		fill(a, 0)
		item, _ := get(t, a, "7")
		evict(t, a)
		b := openCache(t, connectTo(t, server), "lost")
		none(t, "for a process that never knew it", lost(b, 0))
		fill(b, records)
		none(t, "for one that has used it", lost(a, records))
		if swapped, _, err := a.Swap(t.Context(), "7", item.Token, record("y"), time.Time{}); !swapped || err != nil {
			t.Errorf("Swap with a token from before = %v, %v; want swapped", swapped, err)
		}
		evict(t, a)
		none(t, "after a second loss, of the first", lost(openCache(t, connectTo(t, server), "lost"), 0))
		none(t, "after a second loss, of the second", lost(a, records))
		clearCache(t, b)
		if n := lost(a, 0) + lost(b, records); n != 2*records {
			t.Errorf("%d of %d records are left after a Clear", 2*records-n, 2*records)
		}
	})
	t.Run("of a cache that was cleared", func(t *testing.T) {
		server := servertest.Memcached(t)
		a, b := openCache(t, connectTo(t, server), "lost"), openCache(t, connectTo(t, server), "lost")
		put(t, a, "cleared", "x")
		clearCache(t, a)
		fill(a, 0)
		evict(t, a)
		fill(b, records) // it did not know the generation
		evict(t, a)
		for what, c := range map[string]driver.Cache{"who cleared": a, "who wrote since": b, "anybody": openCache(t, connectTo(t, server), "lost")} {
			none(t, "for "+what, lost(c, 0)+lost(c, records))
		}
		clearCache(t, b)
		if n := lost(a, 0) + lost(b, records); n != 2*records {
			t.Errorf("%d of %d records are left after a Clear", 2*records-n, 2*records)
		}
	})
}

// TestWhoKnowsTheGenerationPutsItBack: what was cleared stays cleared, and what was written
// since stays there.
func TestWhoKnowsTheGenerationPutsItBack(t *testing.T) {
	server := servertest.Memcached(t)
	a := openCache(t, connectTo(t, server), "lost")
	put(t, a, "k", "x")
	clearCache(t, a)
	put(t, a, "since", "x")
	evict(t, a)
	want(t, a, "k", "")
	eventually(t, "the generation is back", func() bool {
		_, _ = get(t, a, "k")
		_, err := client(a).Get(generationKey)
		return err == nil
	})
	for _, c := range []driver.Cache{a, openCache(t, connectTo(t, server), "lost")} {
		want(t, c, "k", "")
		want(t, c, "since", "x")
	}
}

// TestReadingLeavesNothingBehind: a cache that is only read needs no generation.
func TestReadingLeavesNothingBehind(t *testing.T) {
	server := servertest.Memcached(t)
	c := openCache(t, connectTo(t, server), "lost")
	before := stats(t, server.Addr)("total_items")
	want(t, c, "k", "")
	if after := stats(t, server.Addr)("total_items"); after != before {
		t.Errorf("a read has stored %d items", after-before)
	}
}

// TestFloodOfSmallItemsLosesNoRecord: foreign items that are as small as a generation drive it
// out, and none of the records, which are larger.
func TestFloodOfSmallItemsLosesNoRecord(t *testing.T) {
	server := servertest.Memcached(t, "-m", "8")
	a := openCache(t, connectTo(t, server), "lost")
	const records = 300
	value := string(make([]byte, 500))
	for i := range records {
		put(t, a, strconv.Itoa(i), value)
	}
	flood(t, server.Addr, 200_000, 5)
	if _, err := client(a).Get(generationKey); err == nil {
		t.Fatal("the flood has not driven the generation out")
	}
	left := 0
	for _, c := range []driver.Cache{a, openCache(t, connectTo(t, server), "lost")} {
		for i := range records {
			if _, found := get(t, c, strconv.Itoa(i)); found {
				left++
			}
		}
	}
	if left != 2*records {
		t.Errorf("%d of %d records are left, each read by two processes", left/2, records)
	}
}
