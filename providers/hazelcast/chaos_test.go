package hazelcast_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/internal/logtest"
	"github.com/keepsake-cache/keepsake/internal/servers"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/hazelcast"
)

// TestChaos does to a cluster of two members, one after the other, what may happen to it.
// The same client lives through all of it.
func TestChaos(t *testing.T) {
	t.Parallel()
	cluster := startCluster(t, 2)
	var log logtest.Log
	p := connect(t, hazelcast.Options{Servers: cluster.Addrs, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	c := openCache(t, p, driver.CacheOptions{LongestTTL: time.Hour})
	manager, err := jcache.NewManager(connect(t, hazelcast.Options{Servers: cluster.Addrs}), jcache.ManagerOptions{})
	must(t, err)
	counters, err := jcache.CreateCache(limited(t, time.Minute), manager, "counters", jcache.Options[string, int]{ExpiryPolicy: jcache.Modified[string, int](time.Hour)})
	must(t, err)

	t.Run("one member is killed", func(t *testing.T) {
		var events notebook
		stop := watch(t, c, events.note)
		defer stop()
		killOne(t, cluster, c, counters)
		gaps := events.count("gap")
		if gaps == 0 {
			t.Error("nobody was told that events of the killed member may be lost")
		}
		must(t, cluster.Restart(0))
		must(t, cluster.Await(limited(t, 90*time.Second), 2))
		eventually(t, "a gap for the new member", func() bool { return events.count("gap") > gaps })
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		if len(lines) != 2 || !strings.Contains(lines[0], "a member is gone") || !strings.Contains(lines[1], "a member has joined") || !strings.Contains(lines[1], "after=") {
			t.Errorf("of a member that went and came back the log says %q", lines)
		}
	})
	t.Run("a member joins that is configured otherwise", func(t *testing.T) { joinOdd(t, cluster) })
	t.Run("one member hangs", func(t *testing.T) { hangOne(t, cluster, c) })
	t.Run("all members are restarted", func(t *testing.T) { restartAll(t, cluster, c, counters) })
}

// expected fails the test for an error that a broken cluster is no excuse for.
func expected(t *testing.T, err error) {
	if err != nil && !errors.Is(err, driver.ErrIndeterminate) && !errors.Is(err, driver.ErrUnavailable) {
		t.Errorf("an error of another kind: %v", err)
	}
}

// A load is goroutines that write until they are stopped, each to keys of its own.
type load struct {
	running sync.WaitGroup
	stop    chan struct{}

	mu       sync.Mutex
	done     int
	broken   int                 // operations that failed
	pause    time.Duration       // the longest from one success of a goroutine to its next
	longest  time.Duration       // the longest call
	possible map[string][]string // what each key may hold; "" for nothing
}

func newLoad() *load {
	return &load{stop: make(chan struct{}), possible: make(map[string][]string)}
}

// run calls write again and again, with the number of the call.
func (l *load) run(t *testing.T, limit time.Duration, write func(ctx context.Context, n int) error) {
	l.running.Go(func() {
		last := time.Now()
		for n := 0; ; n++ {
			select {
			case <-l.stop:
				return
			default:
			}
			start := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			err := write(ctx, n)
			cancel()
			expected(t, err)
			l.mu.Lock()
			l.longest = max(l.longest, time.Since(start))
			if err != nil {
				l.broken++
			} else {
				l.done++
				l.pause = max(l.pause, time.Since(last))
				last = time.Now()
			}
			l.mu.Unlock()
		}
	})
}

// wrote notes what a write of value makes of a key's possible values.
func (l *load) wrote(key, value string, err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err == nil:
		l.possible[key] = []string{value}
	case errors.Is(err, driver.ErrIndeterminate):
		l.possible[key] = append(l.possible[key], value)
	}
	return err
}

// holds returns what a key holds, and whether that is possible.
func (l *load) holds(ctx context.Context, c driver.Cache, key string) (item driver.Item, ok bool, err error) {
	item, found, err := c.Get(ctx, key)
	value := ""
	if found {
		value = text(item.Record)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	possible, written := l.possible[key]
	return item, !written && !found || slices.Contains(possible, value), err
}

// end stops the goroutines and returns how many keys hold what they cannot.
func (l *load) end(t *testing.T, c driver.Cache) (lost int) {
	t.Helper()
	close(l.stop)
	l.running.Wait()
	t.Logf("%d writes acknowledged, %d failed; the longest pause of a writer was %v, the longest call took %v", l.done, l.broken, l.pause, l.longest)
	for key := range l.possible {
		_, ok, err := l.holds(limited(t, time.Minute), c, key)
		must(t, err)
		if !ok {
			lost++
		}
	}
	return lost
}

// killOne kills a member under load. Nothing that was acknowledged may be lost.
func killOne(t *testing.T, cluster *servers.HazelcastCluster, c driver.Cache, counters *jcache.Cache[string, int]) {
	const keys, limit = 40, 5 * time.Second
	l := newLoad()
	for g := range 2 { // puts and removes
		l.run(t, limit, func(ctx context.Context, n int) error {
			key := fmt.Sprint("put ", g, " ", n%keys)
			if n%5 == 0 {
				return l.wrote(key, "", c.Delete(ctx, key))
			}
			value := strconv.Itoa(n)
			return l.wrote(key, value, c.Put(ctx, key, record(value), in(time.Hour)))
		})
	}
	for g := range 2 { // swaps
		tokens := make(map[string]driver.Token)
		l.run(t, limit, func(ctx context.Context, n int) error {
			key, value := fmt.Sprint("swap ", g, " ", n%keys), record(strconv.Itoa(n))
			swapped, _, err := c.Swap(ctx, key, tokens[key], value, in(time.Hour))
			if swapped {
				tokens[key] = driver.Token{B: value}
				return l.wrote(key, text(value), nil)
			}
			if err == nil { // it was carried out twice, or an earlier one late
				_ = l.wrote(key, text(value), driver.ErrIndeterminate)
			} else {
				_ = l.wrote(key, text(value), err)
			}
			item, ok, rerr := l.holds(ctx, c, key)
			if tokens[key] = item.Token; rerr == nil && !ok {
				t.Errorf("what %q holds was not the last to be acknowledged", key)
			}
			return errors.Join(err, rerr)
		})
	}
	var added, unknown atomic.Int64
	for range 2 { // an application's counter
		l.run(t, limit, func(ctx context.Context, _ int) error {
			_, err := jcache.Invoke(ctx, counters, "counter", func(_ context.Context, e *jcache.MutableEntry[string, int]) (struct{}, error) {
				n, _, err := e.Value()
				e.SetValue(n + 1)
				return struct{}{}, err
			})
			switch {
			case err == nil:
				added.Add(1)
			case errors.Is(err, jcache.ErrIndeterminate):
				unknown.Add(1)
			}
			return err
		})
	}
	wait(in(1500 * time.Millisecond))
	cluster.Member(0).Kill()
	wait(in(5 * time.Second))
	if lost := l.end(t, c); lost > 0 {
		t.Errorf("%d of %d keys do not hold what was acknowledged", lost, len(l.possible))
	}
	n, _, err := counters.Get(limited(t, time.Minute), "counter")
	must(t, err)
	if int64(n) < added.Load() || int64(n) > added.Load()+unknown.Load() {
		t.Errorf("the counter is %d after %d acknowledged increments and %d unknown ones", n, added.Load(), unknown.Load())
	}
	if l.pause > slow {
		t.Errorf("a writer was held up for %v", l.pause)
	}
}

// hangOne stops a member for 20 seconds, as a failing disk or a suspended virtual machine
// does. Calls end in time, and when the member is back, everything works. Writes that
// were acknowledged meanwhile may be lost when the two halves of the cluster merge.
func hangOne(t *testing.T, cluster *servers.HazelcastCluster, c driver.Cache) {
	const limit = time.Second
	l := newLoad()
	for g := range 4 {
		l.run(t, limit, func(ctx context.Context, n int) error {
			<-time.After(10 * time.Millisecond)
			key, value := fmt.Sprint("hang ", g, " ", n%50), strconv.Itoa(n)
			return l.wrote(key, value, c.Put(ctx, key, record(value), in(time.Hour)))
		})
	}
	wait(in(time.Second))
	must(t, cluster.Member(1).Pause())
	wait(in(20 * time.Second))
	must(t, cluster.Member(1).Resume())
	must(t, cluster.Await(limited(t, 90*time.Second), 2))
	works(t, c)
	lost := l.end(t, c)
	t.Logf("%d of %d keys do not hold what was acknowledged", lost, len(l.possible))
	if l.longest > limit+slow {
		t.Errorf("a call of %v took %v", limit, l.longest)
	}
}

// works expects that every partition can soon be written and read.
func works(t *testing.T, c driver.Cache) {
	t.Helper()
	eventually(t, "everything works", func() bool {
		for n := range 200 {
			key := fmt.Sprint("works ", n)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			err := c.Put(ctx, key, record("v"), in(time.Hour))
			if err == nil {
				_, _, err = c.Get(ctx, key)
			}
			cancel()
			if err != nil {
				expected(t, err)
				return false
			}
		}
		return true
	})
}

// restartAll ends the whole cluster and starts another one in its place.
func restartAll(t *testing.T, cluster *servers.HazelcastCluster, c driver.Cache, counters *jcache.Cache[string, int]) {
	var events notebook
	stop := watch(t, c, events.note)
	defer stop()
	cluster.Kill()
	eventually(t, "calls fail at once", func() bool {
		start := time.Now()
		err := c.Put(limited(t, 2*time.Second), "k", record("v"), in(time.Hour))
		if err == nil {
			t.Error("a put without any member succeeded")
		}
		expected(t, err)
		return errors.Is(err, driver.ErrUnavailable) && time.Since(start) < time.Second
	})
	must(t, cluster.Restart(0))
	must(t, cluster.Restart(1))
	must(t, cluster.Await(limited(t, 90*time.Second), 2))
	works(t, c)
	eventually(t, "the application works", func() bool { return counters.Put(limited(t, 2*time.Second), "counter", 1) == nil })
	eventsAgain(t, c, &events)
}
