package node_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/node"
)

// Processes that start at the same time are one grid.
func TestAllStartAtOnce(t *testing.T) {
	for _, count := range []int{3, 8, 12} {
		t.Run(fmt.Sprint(count), func(t *testing.T) {
			bubble(t, nil, func(g *grid) {
				began := time.Now()
				var starting sync.WaitGroup
				for number := 1; number <= count; number++ {
					starting.Go(func() { g.startAs(number) })
				}
				starting.Wait()
				g.within(15*time.Second, "all are in one grid", func() bool {
					return !slices.ContainsFunc(g.processes, func(p *process) bool { return p.Stats().Members != count })
				})
				took := time.Since(began)
				t.Logf("one grid after %v, whole after %v", took, took+g.settled(15*time.Second, g.processes...))
				if took > 4*time.Second {
					t.Errorf("it took %v until all are in one grid", took)
				}
				for _, p := range g.processes {
					if n := p.Stats().Rebirths; n > 0 {
						t.Errorf("%s was born again %d times", p.host, n)
					}
				}
			})
		})
	}
}

// So are those that have too little time to hear of each other by gossip before they would begin a
// grid of their own: whoever begins it has asked all others.
func TestAllStartAtOnceWithLittleTime(t *testing.T) {
	bubble(t, func(o *node.Options) { o.Startup = 700 * time.Millisecond }, func(g *grid) {
		g.SetDelay(80 * time.Millisecond)
		const count = 8
		var starting sync.WaitGroup
		for number := 1; number <= count; number++ {
			starting.Go(func() { g.startAs(number) })
		}
		starting.Wait()
		took := g.settled(15*time.Second, g.processes...)
		for _, p := range g.processes {
			if s := p.Stats(); s.Members != count || s.Rebirths > 0 {
				t.Errorf("after %v %s is one of %d members, born again %d times", took, p.host, s.Members, s.Rebirths)
			}
		}
	})
}

// Who is at none of the addresses at which others are looked for is found by nobody there. So it does
// not begin a grid because nobody is there yet.
func TestOthersStartBeforeThoseWhoAreLookedFor(t *testing.T) {
	bubble(t, nil, func(g *grid) {
		const count = 8
		var starting sync.WaitGroup
		for number := 4; number <= count; number++ {
			starting.Go(func() { g.startAs(number) })
		}
		time.Sleep(100 * time.Millisecond)
		for number := 1; number <= 3; number++ {
			starting.Go(func() { g.startAs(number) })
		}
		starting.Wait()
		g.settled(15*time.Second, g.processes...)
		for _, p := range g.processes {
			if s := p.Stats(); s.Rebirths > 0 {
				t.Errorf("%s was born again %d times", p.host, s.Rebirths)
			}
		}
	})
}
