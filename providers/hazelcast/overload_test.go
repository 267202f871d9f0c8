package hazelcast_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/hazelcast"
)

// TestOverload has many readers of large values give up soon. As much is read as by patient ones,
// about, and beside them a caller with time is served. What can be expected of the machine is
// measured first.
func TestOverload(t *testing.T) {
	const readers, values, size = 32, 8, 200_000
	ctx := limited(t, 2*time.Minute)
	p := connect(t, hazelcast.Options{})
	large, small := openCache(t, p, driver.CacheOptions{}), openCache(t, p, driver.CacheOptions{})
	for i := range values {
		must(t, large.Put(ctx, fmt.Sprint(i), record(string(make([]byte, size))), time.Time{}))
	}
	// load returns how many reads a second were answered in time, and what a put took beside them.
	load := func(n int, patience, d time.Duration) (rate float64, put time.Duration) {
		t.Helper()
		end := in(d)
		var answered atomic.Int64
		var running sync.WaitGroup
		for g := range n {
			running.Go(func() {
				for i := g; time.Now().Before(end); i++ {
					ctx, cancel := context.WithTimeout(ctx, patience)
					_, found, err := large.Get(ctx, fmt.Sprint(i%values))
					cancel()
					expected(t, err)
					if found {
						answered.Add(1)
					}
				}
			})
		}
		var took []time.Duration
		for time.Now().Before(end) {
			start := time.Now()
			must(t, small.Put(ctx, "k", record("v"), time.Time{}))
			took = append(took, time.Since(start))
		}
		running.Wait()
		slices.Sort(took)
		return float64(answered.Load()) / d.Seconds(), took[len(took)/2]
	}
	load(readers, time.Minute, time.Second) // warms up
	_, alone := load(1, time.Minute, time.Second)
	patient, _ := load(readers, time.Minute, time.Second)
	patience := time.Duration(1.5 * readers / patient * float64(time.Second))
	rate, put := load(readers, patience, 2*time.Second)
	t.Logf("%.0f patient reads a second; with %v for each, %.0f; a put takes %v, and %v beside one reader", patient, patience, rate, put, alone)
	if rate < patient/4 {
		t.Errorf("of readers that give up, %.0f reads a second are answered, and of patient ones %.0f", rate, patient)
	}
	if put > 10*alone {
		t.Errorf("a put takes %v, more than ten times the %v beside one reader", put, alone)
	}
}
