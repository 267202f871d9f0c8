package view_test

import (
	"slices"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/view"
)

// cutPair separates two members that others reach both.
func (c *cluster) cutPair(a, b topology.ID) {
	c.deaf = func(from, to topology.ID) bool { return from == a && to == b || from == b && to == a }
}

// A primary whose replica it does not hear goes on without it, even if the coordinator hears
// both and there is nothing to be written.
func TestPrimaryGoesOnWithoutWhoItDoesNotHear(t *testing.T) {
	c := newCluster(t, 3, nil)
	c.slow = true // who is cut off cannot learn either
	c.cutPair(2, 3)
	c.run(3 * time.Second)
	config := c.node(1).Config()
	if len(config.Members) != 3 {
		t.Fatalf("%d members are left, want all that the coordinator hears", len(config.Members))
	}
	for _, n := range c.nodes {
		if !c.leased(n) {
			t.Errorf("member %d does not serve its partitions: %+v", n.id, config.Partitions)
		}
	}
	for i, p := range config.Partitions {
		if slices.Contains(p.InSync, 2) && slices.Contains(p.InSync, 3) {
			t.Errorf("partition %d: %v are in sync, and do not hear each other", i, p.InSync)
		}
	}
}

// A member that the coordinator does not hear is not let in on the word of others, but when
// it can be reached.
func TestJoinNeedsCoordinator(t *testing.T) {
	for name, deaf := range map[string]func(from, to topology.ID) bool{
		"both ways":       func(from, to topology.ID) bool { return from == 1 && to == 4 || from == 4 && to == 1 },
		"to the member":   func(from, to topology.ID) bool { return from == 1 && to == 4 },
		"from the member": func(from, to topology.ID) bool { return from == 4 && to == 1 },
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, 3, nil)
			before := c.node(1).Config().Stamp
			c.deaf = deaf
			n := c.start(false)
			for range 50 {
				c.do(n, func(fx *view.Effects) { n.Join(c.now, 2, "addr2", fx) })
				c.run(100 * time.Millisecond)
			}
			if got := c.node(1).Config(); got.Stamp != before {
				t.Errorf("configuration %v follows %v: %+v", got.Stamp, before, got.Members)
			}
			c.deaf = nil
			c.wait("the member to join", func() bool {
				c.do(n, func(fx *view.Effects) { n.Join(c.now, 2, "addr2", fx) })
				return c.whole(4)
			})
		})
	}
}
