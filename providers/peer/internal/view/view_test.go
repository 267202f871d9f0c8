package view_test

import (
	"slices"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/view"
)

func TestMembersJoin(t *testing.T) {
	c := newCluster(t, 3, nil)
	config := c.nodes[0].Config()
	for i, p := range config.Partitions {
		if len(p.InSync) != 2 {
			t.Errorf("partition %d is on %d members, want 2", i, len(p.InSync))
		}
	}
	if config.Coordinator() != 1 {
		t.Errorf("member %d coordinates, want the oldest", config.Coordinator())
	}
}

// Whoever asks any member is admitted by the coordinator, all who ask at once in one
// configuration.
func TestJoinIsPassedOn(t *testing.T) {
	c := newCluster(t, 2, nil)
	before := c.nodes[0].Config().Stamp.Version
	for range 5 {
		n := c.start(false)
		c.do(n, func(fx *view.Effects) { n.Join(c.now, 2, "addr2", fx) })
	}
	c.run(25 * time.Millisecond)
	config := c.nodes[0].Config()
	if len(config.Members) != 7 || config.Stamp.Version != before+1 {
		t.Errorf("%d members under version %d, want 7 under %d", len(config.Members), config.Stamp.Version, before+1)
	}
}

func TestLeaseEndsWithoutAnswers(t *testing.T) {
	c := newCluster(t, 2, nil)
	for _, n := range c.nodes {
		if !c.leased(n) {
			t.Errorf("member %d may not serve", n.id)
		}
	}
	c.split(1)
	c.run(400 * time.Millisecond)
	for _, n := range c.nodes {
		if c.leased(n) && n.Config().Partitions[0].Primary == n.id {
			t.Errorf("member %d may still serve", n.id)
		}
	}
}

// One direction is not enough: an answer that does not arrive extends nothing, and in
// the end both sides find that they do not reach each other.
func TestLeaseNeedsBothWays(t *testing.T) {
	c := newCluster(t, 2, nil)
	c.deaf = func(from, to topology.ID) bool { return from == 2 }
	c.run(400 * time.Millisecond)
	for _, n := range c.nodes {
		for i := range n.Config().Partitions {
			if p := &n.Config().Partitions[i]; n.LeaseFor(p) > c.now && len(p.InSync) > 1 {
				t.Errorf("member %d has a lease for partition %d", n.id, i)
			}
		}
	}
	c.run(3 * time.Second)
	for _, n := range c.nodes {
		if len(n.Config().Members) != 1 {
			t.Errorf("member %d still has %d members", n.id, len(n.Config().Members))
		}
	}
}

// A member whose port refuses is removed as soon as it cannot have a lease any more, and
// not before.
func TestRefusedMember(t *testing.T) {
	c := newCluster(t, 3, nil)
	c.node(3).down = true
	c.node(1).Refused(c.now, 3)
	c.run(275 * time.Millisecond) // the last heartbeat was up to 100 ms before
	if !c.node(1).Config().Has(3) {
		t.Fatal("it was removed while it may have had a lease")
	}
	c.run(200 * time.Millisecond)
	if c.node(1).Config().Has(3) {
		t.Fatal("it was not removed when its lease had run out")
	}
	for i, p := range c.node(1).Config().Partitions {
		if (p.Lost != topology.Stamp{}) || slices.Contains(p.InSync, 3) {
			t.Errorf("partition %d: %+v", i, p)
		}
	}
}

// A silent member is removed after Silence.
func TestSilentMember(t *testing.T) {
	c := newCluster(t, 3, nil)
	c.node(3).down = true
	c.run(1400 * time.Millisecond)
	if !c.node(1).Config().Has(3) {
		t.Fatal("it was removed before its time")
	}
	c.wait("its removal", func() bool { return !c.node(1).Config().Has(3) })
	c.wait("new copies", func() bool { return c.whole(2) })
}

// When the coordinator fails, the next one takes over in a new lineage that comes from
// the old one.
func TestClaim(t *testing.T) {
	c := newCluster(t, 3, nil)
	before := c.node(1).Config()
	c.node(1).down = true
	for _, n := range c.nodes[1:] {
		n.Refused(c.now, 1)
	}
	c.wait("the takeover", func() bool { return c.whole(2) })
	after := c.node(2).Config()
	if after.Coordinator() != 2 || after.Lineage == before.Lineage || !after.Follows(before) || !after.Newer(before) {
		t.Errorf("%+v does not follow %+v", after, before)
	}
	if c.node(3).promised != after.Stamp.Term {
		t.Errorf("member 3 has promised term %d, want %d", c.node(3).promised, after.Stamp.Term)
	}
}

// Whoever hears from somebody older promises nothing.
func TestClaimIsRefused(t *testing.T) {
	c := newCluster(t, 3, nil)
	before := c.node(1).Config()
	c.deaf = func(from, to topology.ID) bool { return from+to == 3 } // 1 and 2 do not hear each other
	c.node(2).Refused(c.now, 1)
	c.run(time.Second)
	if c.node(2).promised == before.Stamp.Term {
		t.Fatal("member 2 does not claim")
	}
	if c.node(3).promised != before.Stamp.Term {
		t.Error("member 3 has promised to follow another one, and hears the coordinator")
	}
	c.wait("the removal of one of the two", func() bool { return !c.node(1).Config().Has(2) })
	if !c.node(3).Config().Same(c.node(1).Config()) {
		t.Error("member 3 does not follow the coordinator")
	}
}

// A takeover starts from the newest configuration that anybody has.
func TestClaimCollectsTheNewest(t *testing.T) {
	c := newCluster(t, 3, nil)
	c.loses = func(l letter) bool { _, lost := l.msg.(*view.Publish); return lost && l.to == 2 }
	c.start(false)
	c.wait("a newer configuration", func() bool { return c.node(3).Config().Has(4) })
	if c.node(2).Config().Has(4) {
		t.Fatal("member 2 has it, too")
	}
	c.node(1).down = true
	c.wait("the takeover", func() bool { return c.node(2).Config().Coordinator() == 2 })
	if !c.node(2).Config().Has(4) {
		t.Error("the new member was forgotten")
	}
}

// A promise to somebody whose claim came to nothing is overtaken by the coordinator.
func TestReclaim(t *testing.T) {
	c := newCluster(t, 3, nil)
	before := c.node(1).Config()
	c.node(1).down = true // paused
	c.loses = func(l letter) bool { _, answer := l.msg.(*view.ClaimAnswer); return answer }
	c.wait("a promise", func() bool { return c.node(3).promised > before.Stamp.Term })
	c.node(1).down = false
	c.run(200 * time.Millisecond)
	c.loses = nil
	c.wait("agreement", func() bool { return c.whole(3) && c.leased(c.node(1)) && c.leased(c.node(2)) && c.leased(c.node(3)) })
	if after := c.node(1).Config(); after.Coordinator() != 1 || after.Stamp.Term <= before.Stamp.Term {
		t.Errorf("coordinator %d, term %d after %d", after.Coordinator(), after.Stamp.Term, before.Stamp.Term)
	}
}

// A process that was paused does not take the others for failed, and has no lease.
func TestPause(t *testing.T) {
	c := newCluster(t, 3, nil)
	before := c.node(1).Config()
	c.now += 10e9
	for _, n := range c.nodes {
		for i := range before.Partitions {
			if p := &before.Partitions[i]; p.Primary == n.id && n.LeaseFor(p) > c.now {
				t.Errorf("member %d woke up with a lease", n.id)
			}
		}
	}
	c.run(3 * time.Second)
	if !c.whole(3) || !c.node(1).Config().Same(before) {
		t.Error("the pause has changed the configuration")
	}
}

// A member without which the cluster went on comes back empty.
func TestSilentBackup(t *testing.T) {
	c := newCluster(t, 3, nil)
	c.loses = func(l letter) bool { _, report := l.msg.(*view.Report); return report }
	c.slow = true
	config := c.node(1).Config()
	i := slices.IndexFunc(config.Partitions, func(p topology.Partition) bool { return p.Primary != 1 })
	p := config.Partitions[i]
	backup := p.InSync[0] + p.InSync[1] - p.Primary
	c.node(p.Primary).Silent(c.now, i, p.Epoch, backup)
	c.run(time.Second)
	if !c.node(1).Config().Same(config) {
		t.Fatal("the coordinator cannot know")
	}
	c.loses = nil
	c.run(time.Second)
	if !c.node(1).Config().Same(config) {
		t.Fatal("it may not be true any more")
	}
	c.wait("the backup's removal", func() bool {
		c.node(p.Primary).Silent(c.now, i, p.Epoch, backup)
		return !slices.Contains(c.node(p.Primary).Config().Partitions[i].InSync, backup)
	})
	if !c.node(1).Config().Has(backup) {
		t.Error("it is no member any more")
	}
}

// A member that hears nobody, though it is heard, has no others taken out for their silence:
// it is the one that is cut off.
func TestDeafPrimary(t *testing.T) {
	c := newCluster(t, 3, func(o *view.Options) { o.Silence = 4 * time.Second })
	config := c.node(1).Config()
	i := slices.IndexFunc(config.Partitions, func(p topology.Partition) bool { return p.Primary == 3 })
	p := config.Partitions[i]
	backup := p.InSync[0] + p.InSync[1] - p.Primary
	c.deaf = func(_, to topology.ID) bool { return to == 3 }
	c.run(time.Second)
	for range 40 { // two seconds
		c.node(3).Silent(c.now, i, p.Epoch, backup)
		c.run(50 * time.Millisecond)
	}
	if !slices.Contains(c.node(1).Config().Partitions[i].InSync, backup) {
		t.Fatal("a healthy backup was taken out on the word of a member that hears nobody")
	}
	c.wait("the deaf member's removal", func() bool { return !c.node(1).Config().Has(3) })
	if got := c.node(1).Config().Partitions[i]; got.Primary != backup || got.Lost != (topology.Stamp{}) {
		t.Errorf("the partition is %+v, should go on with its backup", got)
	}
}

// A configuration that was lost on the way is sent again.
func TestLostConfiguration(t *testing.T) {
	c := newCluster(t, 3, nil)
	n := 0
	c.loses = func(l letter) bool { _, lost := l.msg.(*view.Publish); n++; return lost && n%3 != 0 }
	c.start(false)
	c.wait("the new member", func() bool { return c.whole(4) })
}
