package view_test

import (
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/view"
)

// accept lets every offer be taken, if it is addressed to the right member.
func (c *cluster) accept() {
	for _, n := range c.nodes {
		for _, o := range n.offers {
			if o.To != 0 && c.node(o.To).Config().Partitions[o.Partition].Primary == o.To {
				n.Merged(c.now, o.Partition, o.To)
			}
		}
		n.offers = nil
	}
}

// Both sides of a cut go on; when it heals, the smaller one gives its data to the other
// and comes back.
func TestSplit(t *testing.T) {
	c := newCluster(t, 5, nil)
	c.split(1, 2)
	c.wait("two clusters", func() bool {
		return len(c.node(1).Config().Members) == 2 && len(c.node(3).Config().Members) == 3 && c.copied(1) && c.copied(3)
	})
	winner := c.node(3).Config().Lineage
	c.deaf = nil
	c.meet()
	c.wait("the merge to begin", func() bool { return c.node(2).Config().Merging == winner })
	c.run(time.Second)
	for _, id := range []topology.ID{1, 2} {
		if c.node(id).rejoin {
			t.Errorf("member %d dropped its data before the others had it", id)
		}
	}
	offered := map[int]bool{}
	for _, n := range c.nodes {
		for _, o := range n.offers {
			offered[o.Partition] = true
			// What is held there is not there, whether it was deleted or not.
			held := len(c.node(3).Config().Partitions[o.Partition].Held) > 0
			if held != (o.Common == 0) {
				t.Errorf("partition %d was offered with the common time %d", o.Partition, o.Common)
			}
		}
	}
	if len(offered) != len(c.node(1).Config().Partitions) {
		t.Errorf("partitions %v were offered", offered)
	}
	c.wait("the losers to come back", func() bool { c.accept(); return c.node(1).rejoin && c.node(2).rejoin })
	if c.node(3).Config().Lineage != winner || !c.whole(3) {
		t.Error("the winner has changed")
	}
}

// If the winner is gone again, the loser goes on.
func TestSplitAgain(t *testing.T) {
	c := newCluster(t, 5, nil)
	c.split(1, 2)
	c.wait("two clusters", func() bool { return len(c.node(1).Config().Members) == 2 && len(c.node(3).Config().Members) == 3 })
	c.deaf = nil
	c.meet()
	c.wait("the merge to begin", func() bool { return c.node(2).Config().Merging != 0 })
	c.split(1, 2)
	c.wait("the merge to be called off", func() bool { return c.node(1).Config().Merging == 0 && c.node(2).Config().Merging == 0 })
	for _, id := range []topology.ID{1, 2} {
		if offers := c.node(id).offers; len(offers) > 0 && offers[len(offers)-1].To != 0 {
			t.Errorf("member %d still offers %+v", id, offers[len(offers)-1])
		}
	}
}

// If the winner's primary changes, what it had got is offered again.
func TestSplitAndTheWinnerFails(t *testing.T) {
	c := newCluster(t, 5, nil)
	c.split(1, 2)
	c.wait("two clusters", func() bool {
		return len(c.node(1).Config().Members) == 2 && len(c.node(3).Config().Members) == 3 && c.copied(1) && c.copied(3)
	})
	c.deaf = nil
	c.meet()
	partition := -1
	c.wait("a merge of something of member 5", func() bool {
		for i, p := range c.node(3).Config().Partitions {
			if p.Primary == 5 {
				partition = i
			}
		}
		return c.node(1).Config().Merging != 0 && partition >= 0 && c.node(2).Config().Merging != 0
	})
	c.run(200 * time.Millisecond)
	for _, n := range c.nodes {
		for _, o := range n.offers {
			if o.Partition == partition {
				n.Merged(c.now, o.Partition, o.To)
			}
		}
		n.offers = nil
	}
	c.node(5).down = true
	again := func() bool {
		for _, n := range c.nodes[:2] {
			for _, o := range n.offers {
				if o.Partition == partition && o.To != 5 && o.To != 0 {
					return true
				}
			}
		}
		return false
	}
	c.wait("another offer", again)
}

// Processes that all begin a cluster of their own find together.
func TestFounders(t *testing.T) {
	c := newCluster(t, 1, nil)
	c.start(true)
	c.start(true)
	rejoined := 0
	c.wait("all to merge", func() bool {
		c.meet()
		c.accept()
		rejoined = 0
		for _, n := range c.nodes {
			if n.rejoin {
				rejoined++
			}
		}
		return rejoined == 2
	})
}

// With Consistency only the side with most members goes on.
func TestConsistency(t *testing.T) {
	c := newCluster(t, 5, func(o *view.Options) { o.Split = view.Most })
	before := c.node(1).Config()
	c.split(1, 2)
	c.run(5 * time.Second)
	if len(c.node(1).Config().Members) != 5 || len(c.node(3).Config().Members) != 3 {
		t.Fatalf("the sides have %d and %d members", len(c.node(1).Config().Members), len(c.node(3).Config().Members))
	}
	for _, n := range c.nodes[:2] {
		for i := range before.Partitions {
			if n.LeaseFor(&before.Partitions[i]) > c.now {
				t.Errorf("member %d may serve partition %d, and is in the minority", n.id, i)
			}
		}
	}
	for _, n := range c.nodes[2:] {
		if !c.leased(n) {
			t.Errorf("member %d may not serve", n.id)
		}
	}
}

// Of two halves, that with the oldest member goes on.
func TestConsistencyOfHalves(t *testing.T) {
	c := newCluster(t, 2, func(o *view.Options) { o.Split = view.Most })
	c.split(2)
	c.run(5 * time.Second)
	if len(c.node(1).Config().Members) != 1 || !c.leased(c.node(1)) {
		t.Error("the oldest member does not go on")
	}
	if len(c.node(2).Config().Members) != 2 {
		t.Error("the younger member goes on, too")
	}
	c.deaf = nil
	c.meet()
	c.wait("the younger one to come back", func() bool { return c.node(2).rejoin })
}
