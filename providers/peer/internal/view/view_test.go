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

// What is held begins empty when nobody is left who could bring it: when his process has
// ended, or another one has taken its place, or he was waited for long enough. Not
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
		{"patience", func(c *cluster) { c.run(c.options.Patience) }, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCluster(t, 3, func(o *view.Options) { o.Copies, o.Patience = 1, time.Minute })
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

// Who hears nobody, though he is heard, has no other members taken out for their silence:
// it is he who is cut off.
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
