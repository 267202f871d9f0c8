package hazelcast_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/hazelcast"
)

// impatient has n readers of some keys who all give up before they are answered.
func impatient(t *testing.T, n int, c driver.Cache, keys int) {
	var running sync.WaitGroup
	for i := range n {
		running.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			_, found, err := c.Get(ctx, fmt.Sprint(i%keys))
			if expected(t, err); found {
				t.Error("a read whose answer was held is answered")
			}
		})
	}
	running.Wait()
}

// Who gives up soon has asked the members once at the most: asking again would double the load of members
// that are merely slow.
func TestGivingUpAsksOnce(t *testing.T) {
	t.Parallel()
	const readers = 32
	p := startProxy(t, cluster(t).Addrs[0], nil)
	c := openCache(t, connectThrough(t, p, hazelcast.Options{}), driver.CacheOptions{})
	must(t, c.Put(limited(t, time.Minute), "0", record("v"), time.Time{}))
	defer p.holding("get")()
	if asked := p.requests(func() { impatient(t, readers, c, 1) })["get"]; asked > readers {
		t.Errorf("%d readers who gave up have asked %d times", readers, asked)
	}
}

// TestOverload has many readers of large values give up before a member that answers slowly has
// answered them. However many they are, members owe no more large answers than have room beside each
// other, so that who has patience does not wait for the answers to those who have none: neither a
// write, which passes by, nor other readers, of whom each is answered and has asked once.
func TestOverload(t *testing.T) {
	t.Parallel()
	const impatients, patients, values, size, atOnce = 64, 8, 4, 200_000, 512 << 10
	ctx := limited(t, 2*time.Minute)
	p := startProxy(t, cluster(t).Addrs[0], nil)
	c := openCache(t, connectThrough(t, p, hazelcast.Options{RequestTimeout: 10 * time.Minute}), driver.CacheOptions{})
	for i := range values {
		must(t, c.Put(ctx, fmt.Sprint(i), record(string(make([]byte, size))), time.Time{}))
	}
	for i := range 64 { // the size of its records becomes known
		_, _, err := c.Get(ctx, fmt.Sprint(i%values))
		must(t, err)
	}
	var answered sync.WaitGroup
	asked := p.requests(func() {
		release := p.holding("get")
		impatient(t, impatients, c, values)
		if err := c.Put(ctx, "small", record("v"), time.Time{}); err != nil {
			t.Errorf("a put beside them: %v", err)
		}
		for i := range patients {
			answered.Go(func() {
				if _, found, err := c.Get(ctx, fmt.Sprint(i%values)); err != nil || !found {
					t.Errorf("a patient reader gets %v, %v", found, err)
				}
			})
		}
		release()
		answered.Wait()
	})
	if most := atOnce/size + patients; asked["get"] > most {
		t.Errorf("%d readers who gave up and %d who did not have asked %d times, want %d at most", impatients, patients, asked["get"], most)
	}
	if asked["set"] != 1 {
		t.Errorf("a put beside them is sent %d times", asked["set"])
	}
}

// BenchmarkOverload has readers of large values give up soon, or not, and tells how many are answered
// and how long a put takes beside them.
func BenchmarkOverload(b *testing.B) {
	const readers, values, size = 32, 8, 200_000
	ctx := limited(b, 10*time.Minute)
	p := connect(b, hazelcast.Options{})
	large, small := openCache(b, p, driver.CacheOptions{}), openCache(b, p, driver.CacheOptions{})
	for i := range values {
		must(b, large.Put(ctx, fmt.Sprint(i), record(string(make([]byte, size))), time.Time{}))
	}
	for _, patience := range []time.Duration{time.Minute, 200 * time.Millisecond, 50 * time.Millisecond} {
		b.Run(patience.String(), func(b *testing.B) {
			var running sync.WaitGroup
			var mu sync.Mutex
			left, answered := b.N, 0
			next := func() (i int) {
				mu.Lock()
				defer mu.Unlock()
				left--
				return left
			}
			for range readers {
				running.Go(func() {
					for i := next(); i >= 0; i = next() {
						ctx, cancel := context.WithTimeout(ctx, patience)
						_, found, _ := large.Get(ctx, fmt.Sprint(i%values)) // who gives up is counted
						cancel()
						if found {
							mu.Lock()
							answered++
							mu.Unlock()
						}
					}
				})
			}
			ended := make(chan struct{})
			go func() { running.Wait(); close(ended) }()
			var puts []time.Duration
			for over := false; !over; {
				start := time.Now()
				must(b, small.Put(ctx, "k", record("v"), time.Time{}))
				puts = append(puts, time.Since(start))
				select {
				case <-ended:
					over = true
				default:
				}
			}
			slices.Sort(puts)
			b.ReportMetric(float64(answered)/b.Elapsed().Seconds(), "answered/s")
			b.ReportMetric(float64(puts[len(puts)/2].Microseconds()), "µs/put")
		})
	}
}
