package node_test

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

// A member is far away, so that what it sends or is sent takes up to half of the time after which
// it would have failed. It joins, stays and serves.
func TestFarMemberStays(t *testing.T) {
	for name, far := range map[string]struct {
		victim  int // 0 coordinates
		out, in time.Duration
	}{
		"what a member sends":            {2, silence / 2, 0},
		"what a member is sent":          {2, 0, silence / 2},
		"what the coordinator sends":     {0, silence / 2, 0},
		"what the coordinator is sent":   {0, 0, silence / 2},
		"both ways":                      {2, 400 * time.Millisecond, 400 * time.Millisecond},
		"both ways with the coordinator": {0, 400 * time.Millisecond, 400 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, nil, func(g *grid) {
				a, b, c := g.three()
				keys := a.fill("k", 24)
				before := a.Config()
				members := []*process{a, b, c}
				for _, p := range members {
					if victim := members[far.victim]; p != victim {
						g.Slow(victim.host, p.host, far.out)
						g.Slow(p.host, victim.host, far.in)
					}
				}
				time.Sleep(10 * time.Second)
				for _, p := range members {
					var callers sync.WaitGroup
					for i, key := range keys {
						callers.Go(func() {
							if _, err := p.put(key, "of "+key, 6*time.Second); err != nil {
								t.Errorf("put %d at %s: %v", i, p.host, err)
							}
						})
					}
					callers.Wait()
				}
				time.Sleep(15 * time.Second)
				if now := a.Config(); now.Lineage != before.Lineage || len(now.Members) != 3 || a.Stats().Rebirths+b.Stats().Rebirths+c.Stats().Rebirths != 0 {
					t.Errorf("somebody was replaced: %s", fmt.Sprint(now.Members))
				}
				for _, key := range keys {
					if got, err := members[far.victim].get(key, 5*time.Second); err != nil || got != "of "+key {
						t.Errorf("got %q, %v, want the record of %s", got, err, key)
					}
				}
			})
		})
	}
}
