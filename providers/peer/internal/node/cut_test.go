package node_test

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"
)

// A cut that is shorter than the time after which a member has failed replaces nobody, though TCP
// repeats what was lost only later. What waited is served soon after the cut.
func TestShortCutReplacesNobody(t *testing.T) {
	for _, cut := range []time.Duration{800, 1000, 1200, 1400, 1490} {
		cut *= time.Millisecond
		t.Run(cut.String(), func(t *testing.T) {
			bubble(t, nil, func(g *grid) {
				a, b := g.start(), g.start()
				g.settled(10*time.Second, a, b)
				keys := a.fill("k", 60)
				before := a.Config()
				g.Isolate(b.host)
				time.Sleep(cut)
				g.Rejoin(b.host)
				for _, key := range keys {
					if _, err := b.put(key, "of "+key, time.Second); err != nil {
						t.Fatalf("a put after the cut: %v", err)
					}
				}
				time.Sleep(10 * time.Second)
				if now := a.Config(); now.Lineage != before.Lineage || len(now.Members) != 2 || a.Stats().Rebirths+b.Stats().Rebirths != 0 {
					t.Errorf("somebody was replaced: %+v", now.Members)
				}
				g.has(keys, a, b)
			})
		})
	}
}

// Of two members, one is cut off from everybody. Nothing that callers of the other one were told is
// untrue afterwards, for callers of both, once the members have met.
func TestMemberCutOffFromEverybody(t *testing.T) {
	for _, cut := range []time.Duration{800, 1200, 1500, 1600, 1700, 1800, 1900, 2000, 2500, 4000} {
		cut *= time.Millisecond
		t.Run(cut.String(), func(t *testing.T) {
			bubble(t, nil, func(g *grid) {
				a, b := g.start(), g.start()
				g.settled(10*time.Second, a, b)
				var counters []*counter
				var work sync.WaitGroup
				ctx, stop := context.WithCancel(context.Background())
				for _, key := range a.fill("counter", 4) {
					one := &counter{key: key}
					g.must(a.put(key, "0", time.Second))
					counters = append(counters, one)
					work.Go(func() { one.increment(ctx, a) })
				}
				gone := a.fill("gone", 20)
				time.Sleep(time.Second)
				g.Isolate(b.host)
				time.Sleep(cut)
				for _, key := range gone {
					work.Go(func() {
						if err := a.delete(key, 5*time.Second); err != nil {
							t.Errorf("a deletion: %v", err)
						}
					})
				}
				g.Rejoin(b.host)
				if cut > silence {
					time.Sleep(silence * 3 / 2)
				}
				for _, one := range counters {
					work.Go(func() { one.increment(ctx, b) })
				}
				time.Sleep(2 * time.Second)
				t.Log("one grid after", g.settled(20*time.Second, a, b))
				stop()
				work.Wait()
				for _, one := range counters {
					got, err := b.get(one.key, time.Second)
					if n, _ := strconv.Atoi(got); err != nil || n < one.count {
						t.Errorf("%s: %q, %v, after %d increments", one.key, got, err, one.count)
					}
				}
				for _, key := range gone {
					if got, err := b.get(key, time.Second); err != nil || got != "" {
						t.Errorf("a deletion was undone: %q, %v", got, err)
					}
				}
			})
		})
	}
}
