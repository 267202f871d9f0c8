package hazelcast_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/hazelcast"
)

// A notebook keeps events as lines.
type notebook struct {
	mu    sync.Mutex
	lines []string
}

var kinds = map[driver.EventKind]string{
	driver.EventPut: "put", driver.EventRemoved: "removed", driver.EventExpired: "expired",
	driver.EventEvicted: "evicted", driver.EventCleared: "cleared", driver.EventGap: "gap",
}

func (n *notebook) note(e driver.Event) {
	line := kinds[e.Kind]
	if e.Key != "" {
		line += " " + e.Key
	}
	if e.Old != nil {
		line += " " + text(e.Old)
	}
	if e.Record != nil {
		line += " > " + text(e.Record)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines = append(n.lines, line)
}

func (n *notebook) read() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.lines)
}

func (n *notebook) count(line string) (count int) {
	for _, l := range n.read() {
		if l == line {
			count++
		}
	}
	return count
}

func (n *notebook) wait(t *testing.T, line string) {
	t.Helper()
	eventually(t, line, func() bool { return slices.Contains(n.read(), line) })
}

func watch(t *testing.T, c driver.Cache, on func(driver.Event)) (stop func()) {
	t.Helper()
	stop, err := c.(driver.Watcher).Watch(limited(t, time.Minute), on)
	must(t, err)
	return stop
}

func TestWatch(t *testing.T) {
	t.Parallel()
	writer, reader := connect(t, hazelcast.Options{}), connect(t, hazelcast.Options{})
	c := openCache(t, writer, driver.CacheOptions{})
	ctx := limited(t, time.Minute)
	name := mapOf(c).Name()[len(recommended):]
	seen, err := reader.OpenCache(ctx, name, driver.CacheOptions{})
	must(t, err)
	var events notebook
	stop := watch(t, seen, events.note)

	one, two, three := record("one"), record("two"), record("three")
	must(t, c.Put(ctx, "k", one, time.Time{}))
	_, _, err = c.Swap(ctx, "k", driver.Token{B: one}, two, time.Time{})
	must(t, err)
	_, _, err = c.Swap(ctx, "k", driver.Token{B: two}, nil, time.Time{})
	must(t, err)
	_, _, err = c.Swap(ctx, "k", driver.Token{}, three, time.Time{})
	must(t, err)
	_, _, err = c.(driver.Exchanger).Exchange(ctx, "k", nil, time.Time{})
	must(t, err)
	must(t, c.Put(ctx, "k", one, time.Time{}))
	must(t, c.Delete(ctx, "k"))
	events.wait(t, "removed k")
	want := []string{"put k > one", "put k one > two", "removed k two", "put k > three", "removed k three", "put k > one", "removed k"}
	if got := events.read(); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}

	must(t, c.Put(ctx, "dies", one, in(300*time.Millisecond)))
	must(t, c.Put(ctx, "evicted", two, time.Time{}))
	_, err = mapOf(c).Evict(ctx, "evicted")
	must(t, err)
	events.wait(t, "evicted evicted two")
	must(t, c.(driver.Clearer).Clear(ctx))
	events.wait(t, "cleared")
	must(t, c.Put(ctx, "dies", one, in(300*time.Millisecond)))
	eventually(t, "the record dies", func() bool {
		_, found, err := c.Get(ctx, "dies")
		must(t, err)
		return !found
	})
	events.wait(t, "expired dies one")

	// Opening the cache again writes a probe, which nobody sees.
	_, err = writer.OpenCache(ctx, name, driver.CacheOptions{})
	must(t, err)
	var late notebook
	stopLate := watch(t, seen, late.note)
	stop()
	before := len(events.read())
	must(t, c.Put(ctx, "last", three, time.Time{}))
	late.wait(t, "put last > three")
	if got := events.read()[before:]; len(got) > 0 {
		t.Errorf("after stop: %q", got)
	}
	if got := late.read(); len(got) != 1 {
		t.Errorf("a second watcher saw %q", got)
	}
	stopLate()
	if slices.ContainsFunc(events.read(), func(line string) bool { return strings.Contains(line, "probe") }) {
		t.Error("a watcher saw a probe")
	}
}

// TestEventsOfAKeyAreInOrder writes many keys from several goroutines.
func TestEventsOfAKeyAreInOrder(t *testing.T) {
	t.Parallel()
	const keys, writes = 8, 100
	c := openCache(t, connect(t, hazelcast.Options{}), driver.CacheOptions{})
	ctx := limited(t, time.Minute)
	var mu sync.Mutex
	last := map[string]int{}
	stop := watch(t, c, func(e driver.Event) {
		n, _ := strconv.Atoi(text(e.Record))
		mu.Lock()
		defer mu.Unlock()
		if last[e.Key]++; last[e.Key] != n {
			t.Errorf("%s: %d came as number %d", e.Key, n, last[e.Key])
		}
	})
	defer stop()
	var wg sync.WaitGroup
	for k := range keys {
		wg.Go(func() {
			for n := 1; n <= writes; n++ {
				if err := c.Put(ctx, fmt.Sprint("key ", k), record(strconv.Itoa(n)), time.Time{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	eventually(t, "all events", func() bool {
		mu.Lock()
		defer mu.Unlock()
		for k := range keys {
			if last[fmt.Sprint("key ", k)] < writes {
				return false
			}
		}
		return true
	})
}

// TestLostEventsAreNoticed overflows the client's queue behind a watcher that stands
// still.
func TestLostEventsAreNoticed(t *testing.T) {
	t.Parallel()
	c := openCache(t, connect(t, hazelcast.Options{}), driver.CacheOptions{})
	ctx := limited(t, time.Minute)
	var events, gaps atomic.Int64
	standing := make(chan struct{})
	stop := watch(t, c, func(e driver.Event) {
		if e.Kind == driver.EventGap {
			gaps.Add(1)
			return
		}
		events.Add(1)
		<-standing
	})
	defer stop()
	// A queue holds 10 000 events; all of one key are in the same one.
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 750 {
				if err := c.Put(ctx, "k", record(""), time.Time{}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	close(standing)
	eventually(t, "the gap is told", func() bool { return gaps.Load() > 0 })
	if events.Load() >= 12000 {
		t.Error("no event was lost; the test proves nothing")
	}
}
