package view_test

import (
	"slices"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/view"
)

func TestLeftBehind(t *testing.T) {
	c := newCluster(t, 3, nil)
	c.node(3).down = true // as if it were paused
	c.wait("its removal", func() bool { return !c.node(1).Config().Has(3) })
	c.node(3).down = false
	c.run(500 * time.Millisecond)
	if !c.node(3).rejoin || len(c.node(3).offers) != 0 {
		t.Errorf("rejoin %v, offers %v", c.node(3).rejoin, c.node(3).offers)
	}
}

// A member that alone has a partition, without which the cluster went on, offers it
// before it comes back empty.
func TestLeftBehindWithLostData(t *testing.T) {
	c := newCluster(t, 3, func(o *view.Options) { o.Copies = 1 })
	alone := slices.IndexFunc(c.node(1).Config().Partitions, func(p topology.Partition) bool { return p.Primary == 3 })
	c.node(3).down = true
	c.wait("its removal", func() bool { return !c.node(1).Config().Has(3) })
	if p := c.node(1).Config().Partitions[alone]; !slices.Equal(p.Held, []topology.ID{3}) || p.Lost != (topology.Stamp{}) {
		t.Fatalf("it is not held: %+v", p)
	}
	if c.node(1).Safe() {
		t.Error("the others are safe without it")
	}
	c.node(3).down = false
	c.run(500 * time.Millisecond)
	n := c.node(3)
	if n.rejoin || len(n.offers) == 0 || n.offers[0].Common != 0 {
		t.Fatalf("rejoin %v, offers %v", n.rejoin, n.offers)
	}
	for _, o := range n.offers {
		if !o.Whole {
			t.Errorf("partition %d is not given as a whole", o.Partition)
		}
		n.Merged(c.now, o.Partition, o.To)
		to := c.node(o.To)
		to.Restored(c.now, o.Partition, to.Config().Partitions[o.Partition].Epoch, 3)
	}
	c.wait("it to come back when the others have everything", func() bool { return n.rejoin })
	c.wait("the partition to be served", func() bool { return c.node(1).Config().Held() == 0 && c.whole(2) })
	if p := c.node(1).Config().Partitions[alone]; p.Lost != (topology.Stamp{}) {
		t.Errorf("it was lost: %+v", p)
	}
}

// What a member gives that was left behind is all that was acknowledged: it takes nothing more
// under the term of before.
func TestLeftBehindTakesNoMore(t *testing.T) {
	c := newCluster(t, 3, func(o *view.Options) { o.Copies = 1 })
	n := c.node(1)
	n.down = true
	c.wait("the takeover", func() bool { return len(c.node(2).Config().Members) == 2 && c.node(2).Config().Held() > 0 })
	n.down = false
	c.wait("its offers", func() bool { return len(n.offers) > 0 })
	if term := c.node(2).Config().Stamp.Term; n.promised < term {
		t.Errorf("it takes writes of term %x, and gives to a cluster of term %x", n.promised, term)
	}
}

// What is held begins empty when no process is left that could bring it: when the one that had it has
// ended, or another one has taken its place, or it was waited for long enough. Not
// before.
func TestHeldForNobody(t *testing.T) {
	for _, test := range []struct {
		name  string
		event func(c *cluster)
		lost  bool
	}{
		{"silence", func(*cluster) {}, false},
		{"a port that refuses for a moment", func(c *cluster) {
			c.node(1).Refused(c.now, 3)
			c.do(c.node(3), func(fx *view.Effects) { fx.Send = append(fx.Send, view.Envelope{To: 1, Msg: &view.Heartbeat{}}) })
		}, false},
		{"somebody else at the address", func(c *cluster) { c.node(1).Replaced(c.now, 3) }, false},
		{"an end", func(c *cluster) { c.node(1).Refused(c.now, 3) }, true},
		{"an end that another one sees", func(c *cluster) { c.node(2).Refused(c.now, 3) }, false},
		{"a successor", func(c *cluster) { c.replace(3) }, true},
		{"forgetAfter", func(c *cluster) { c.run(c.options.ForgetAfter) }, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCluster(t, 3, func(o *view.Options) { o.Copies, o.ForgetAfter = 1, time.Minute })
			alone := slices.IndexFunc(c.node(1).Config().Partitions, func(p topology.Partition) bool { return p.Primary == 3 })
			c.node(3).down = true
			c.wait("its removal", func() bool { return !c.node(1).Config().Has(3) })
			c.run(2 * time.Second)
			test.event(c)
			c.run(6 * time.Second)
			p := c.node(1).Config().Partitions[alone]
			if lost := p.Lost != (topology.Stamp{}); lost != test.lost || len(p.Held) > 0 == lost {
				t.Errorf("%+v", p)
			}
		})
	}
}

// If those who went on have vanished, whoever was left behind goes on with what it has.
func TestLeftBehindAndAlone(t *testing.T) {
	c := newCluster(t, 3, func(o *view.Options) { o.Copies = 1 })
	c.node(3).down = true
	c.wait("its removal", func() bool { return !c.node(1).Config().Has(3) })
	c.node(3).down = false
	c.run(200 * time.Millisecond)
	c.node(1).down, c.node(2).down = true, true
	c.wait("the last one to go on", func() bool { return len(c.node(3).Config().Members) == 1 && c.leased(c.node(3)) })
}

func TestLeave(t *testing.T) {
	for _, id := range []topology.ID{1, 3} { // the coordinator, and another one
		c := newCluster(t, 3, nil)
		n := c.node(id)
		c.do(n, func(fx *view.Effects) { n.Leave(c.now, fx) })
		c.wait("the member to leave", func() bool { return n.Left(c.now) })
		n.down = true
		for _, other := range c.nodes {
			if other == n {
				continue
			}
			if other.Config().Has(id) {
				t.Errorf("member %d left and is still a member", id)
			}
			for i, p := range other.Config().Partitions {
				if p.Holds(id) || len(p.InSync) < 2 || (p.Lost != topology.Stamp{}) {
					t.Errorf("partition %d: %+v", i, p)
				}
			}
		}
		c.run(3 * time.Second)
		if !c.whole(2) {
			t.Errorf("after member %d has left the others do not go on", id)
		}
	}
}

// The last one need not wait for anybody to take over from it, nor need all if they
// leave at the same time.
func TestLeaveTogether(t *testing.T) {
	c := newCluster(t, 2, nil)
	for _, n := range c.nodes {
		c.do(n, func(fx *view.Effects) { n.Leave(c.now, fx) })
	}
	c.wait("both to leave", func() bool { return c.nodes[0].Left(c.now) && c.nodes[1].Left(c.now) })
}

// A backup that does not acknowledge is taken out of the partition, not of the cluster.
