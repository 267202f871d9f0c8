package view_test

import (
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/view"
)

// A coordinator that goes on without members that may go on as well begins a lineage, so that the
// sides are told apart. It does not for one that has ended.
func TestForkOfACoordinator(t *testing.T) {
	c := newCluster(t, 4, nil)
	before := c.node(1).Config()
	c.node(4).down = true
	c.node(1).Refused(c.now, 4)
	c.wait("the end of one", func() bool { return c.whole(3) })
	if now := c.node(1).Config(); now.Lineage != before.Lineage {
		t.Error("a member that has ended left a lineage behind")
	}
	before = c.node(1).Config()
	c.split(1)
	c.wait("two sides", func() bool {
		return len(c.node(1).Config().Members) == 1 && len(c.node(2).Config().Members) == 2 && c.node(3).Config().Same(c.node(2).Config())
	})
	one, other := c.node(1).Config(), c.node(2).Config()
	if one.Lineage == before.Lineage || other.Lineage == before.Lineage || one.Lineage == other.Lineage {
		t.Errorf("of lineage %x came %x and %x", before.Lineage, one.Lineage, other.Lineage)
	}
	if !one.Follows(before) || !other.Follows(before) || one.Follows(other) || other.Follows(one) || !topology.Shared(one, other) {
		t.Errorf("%+v and %+v are not the sides of a split", one.Ancestors, other.Ancestors)
	}
}

// Two members do not give themselves up for a coordinator that was cut off from both, even if
// they hear of it before they have taken over. They do for more than they are.
func TestMoreMembersDoNotFollowFewer(t *testing.T) {
	c := newCluster(t, 3, nil)
	c.split(1)
	c.loses = func(l letter) bool { _, claims := l.msg.(*view.Claim); return claims }
	c.wait("the coordinator to go on alone", func() bool { return len(c.node(1).Config().Members) == 1 })
	c.deaf = nil
	c.run(time.Second)
	for _, n := range c.nodes[1:] {
		if n.rejoin || n.Behind() {
			t.Errorf("member %d gave itself up", n.id)
		}
	}
	c.loses = nil
	c.wait("the others to go on", func() bool { return len(c.node(2).Config().Members) == 2 && len(c.node(3).Config().Members) == 2 })
	c.meet()
	c.wait("the coordinator to come back", func() bool { c.accept(); return c.node(1).rejoin })
	if c.node(2).rejoin || c.node(3).rejoin {
		t.Error("the larger side came back")
	}

	c = newCluster(t, 3, nil)
	c.split(3)
	c.loses = func(l letter) bool { _, claims := l.msg.(*view.Claim); return claims || l.to == 3 }
	c.wait("two to go on", func() bool { return len(c.node(1).Config().Members) == 2 })
	publish := &view.Publish{Config: c.node(1).Config()}
	c.do(c.node(3), func(fx *view.Effects) { c.node(3).Step(c.now, 1, publish, fx) })
	if len(c.node(3).Config().Members) == 3 && !c.node(3).rejoin {
		t.Error("one member does not follow two")
	}
}
