package view

import (
	"slices"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/rules"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// merge is the end of a split, at the side that loses. Its coordinator publishes a
// configuration that says so, under which nothing is written any more; its primaries
// offer what they have to the winner's; and when all of that is acknowledged, its
// members come back empty.
type merge struct {
	target     *topology.Config // the winner's newest configuration
	heard      int64            // when the winner last answered the coordinator
	asked      int
	offers     map[int]offer
	merged     map[int]Finding // at the coordinator
	disbanding bool
	since      int64
}

// An offer is a partition that is being given to another cluster.
type offer struct {
	to    topology.ID
	reign topology.Stamp
	done  bool
}

// offer gives a partition to its primary in another cluster, from the beginning if
// that has changed, and reports whether it has it all.
func (m *Machine) offer(partition int, target *topology.Config, offers map[int]offer, fx *Effects) bool {
	p := &target.Partitions[partition]
	if o, ok := offers[partition]; ok && o.to == p.Primary && o.reign == p.Reign {
		return o.done
	}
	offers[partition] = offer{to: p.Primary, reign: p.Reign}
	o := Offer{Partition: partition, To: p.Primary, Lineage: target.Lineage}
	if (p.Lost == topology.Stamp{}) && len(p.Held) == 0 {
		o.Common = topology.CommonClock(m.config, target) // else it began empty
	}
	o.Whole = m.whole(partition, target)
	if member := target.Member(p.Primary); member != nil {
		o.Addr = member.Addr
	}
	fx.Offers = append(fx.Offers, o)
	return false
}

// whole reports whether this member has everything of a partition that was acknowledged before
// its cluster and another one parted.
func (m *Machine) whole(partition int, other *topology.Config) bool {
	common := topology.CommonStamp(m.config, other)
	p := &m.config.Partitions[partition]
	return (common != topology.Stamp{}) && len(p.Held) == 0 && !common.Less(p.Lost)
}

// Merged says that everything of an offer to somebody was acknowledged.
func (m *Machine) Merged(_ int64, partition int, to topology.ID) {
	offers := m.merge.offers
	if m.behind != nil {
		offers = m.behind.offers
	}
	o, ok := offers[partition]
	if !ok || o.to != to || o.done {
		return
	}
	o.done = true
	offers[partition] = o
	if m.behind == nil {
		m.note(&m.found.Merged, Finding{partition, o.reign, to})
	}
}

// meetCluster takes in the configuration of another cluster. The coordinators decide
// between them who loses: the side with fewer members, or else the younger lineage.
func (m *Machine) meetCluster(now int64, c *topology.Config, from topology.ID, fx *Effects) {
	if m.config.Merging != 0 {
		m.meetWinner(now, c, fx)
		return
	}
	if m.Split != All && topology.CommonClock(m.config, c) != 0 && !topology.Shared(m.config, c) {
		// Only one side went on: the one with the higher term. What the other one
		// has acknowledged since is of partitions that were lost there.
		if c.Stamp.Term > m.config.Stamp.Term {
			m.leftBehind(now, c, fx)
		} else {
			m.tell(now, from, fx)
		}
		return
	}
	if m.stranded(m.config, c.Lineage) {
		m.strand(now, c, fx)
		return
	}
	if !m.coordinates() || c.Merging != 0 || m.leaving {
		return
	}
	for i := range c.Members {
		m.remember(now, c.Members[i].ID, c.Members[i].Addr)
	}
	if wins(m.config, c) || m.stranded(c, m.config.Lineage) {
		m.tell(now, c.Coordinator(), fx)
		return
	}
	if m.claim != nil || !m.mayChange(now) || m.claimsOurs(c) {
		return
	}
	d := m.config.Clone()
	d.Stamp.Version++
	d.Merging = c.Lineage
	m.publish(now, m.config, d, fx)
	m.merge = merge{target: c, heard: now}
	fx.Log = append(fx.Log, "merging into another cluster")
}

// meetWinner takes in the configuration of another cluster during a merge. If the winner has
// gone on under another lineage, the merge does so, too: what was given is there.
func (m *Machine) meetWinner(now int64, c *topology.Config, fx *Effects) {
	g := &m.merge
	switch t := g.target; {
	case c.Lineage == m.config.Merging:
		if t == nil || !t.Newer(c) {
			g.target, g.heard = c, now
		}
	case t == nil || !c.Follows(t) || c.Merging != 0 || g.disbanding:
	case m.coordinates() && m.claim == nil && m.mayChange(now):
		d := m.config.Clone()
		d.Stamp.Version++
		d.Merging = c.Lineage
		g.target, g.heard = c, now
		m.publish(now, m.config, d, fx)
	}
}

// stranded reports whether a cluster cannot go on any more because too many of its members
// live in one of another lineage, from which they do not come back.
func (m *Machine) stranded(c *topology.Config, lineage uint64) bool {
	return !m.mayGoOn(c, func(id topology.ID) bool {
		if id == m.Self.ID {
			return m.config.Lineage != lineage
		}
		p := m.peers[id]
		return p == nil || p.mark.Lineage != lineage
	})
}

// claimsOurs reports whether another cluster counts on members that live in this one. It will
// soon be without them; what is given to it before could be given to ourselves.
func (m *Machine) claimsOurs(c *topology.Config) bool {
	return slices.ContainsFunc(c.Members, func(other topology.Member) bool {
		p := m.peers[other.ID]
		return other.ID == m.Self.ID || m.config.Has(other.ID) && p != nil && p.mark.Lineage == m.config.Lineage
	})
}

// strand ends the membership in a cluster that cannot go on: this member gives what it has to
// the one in which the others live.
func (m *Machine) strand(now int64, c *topology.Config, fx *Effects) {
	b := &behind{target: c, heard: now, offers: map[int]offer{}}
	for i := range m.config.Partitions {
		if slices.Contains(m.config.Partitions[i].InSync, m.Self.ID) {
			b.lost = append(b.lost, i)
		}
	}
	fx.Log = append(fx.Log, "most members live in another cluster: giving it what this one has")
	m.claim, m.behind = nil, b
	m.catchUp(now, true, fx)
}

// wins reports whether a, rather than b, goes on after a split.
func wins(a, b *topology.Config) bool {
	if len(a.Members) != len(b.Members) {
		return len(a.Members) > len(b.Members)
	}
	return a.Lineage < b.Lineage
}

// learnWinner takes in what the coordinator knows of the winner.
func (m *Machine) learnWinner(now int64, c *topology.Config) {
	if m.config == nil || m.coordinates() || c.Lineage != m.config.Merging || len(c.Partitions) != len(m.config.Partitions) {
		return
	}
	if t := m.merge.target; t == nil || c.Newer(t) {
		m.merge.target, m.merge.heard = c, now
	}
}

// settle forgets a merge that a new configuration does not go on with.
func (m *Machine) settle() {
	if t := m.merge.target; t != nil && t.Lineage != m.config.Merging {
		m.merge = merge{offers: m.merge.offers}
	}
}

// give offers the partitions that this member is primary of to the winner.
func (m *Machine) give(now int64, fx *Effects) {
	g := &m.merge
	if m.config.Merging == 0 || g.target == nil {
		for i := range m.config.Partitions {
			if _, ok := g.offers[i]; ok {
				fx.Offers = append(fx.Offers, Offer{Partition: i})
				delete(g.offers, i)
			}
		}
		return
	}
	if g.offers == nil {
		g.offers = make(map[int]offer)
	}
	for i := range m.config.Partitions {
		if m.config.Partitions[i].Primary == m.Self.ID {
			m.offer(i, g.target, g.offers, fx)
		} else {
			delete(g.offers, i)
		}
	}
	if !m.coordinates() {
		return
	}
	for i := range m.config.Members {
		id := m.config.Members[i].ID
		p := m.peer(now, id)
		if id != m.Self.ID && p.winner != mark(g.target) && now-p.wonAt > int64(m.Lease) {
			p.wonAt = now
			m.send(fx, id, &Publish{Config: g.target, Winner: true})
		}
	}
}

// conclude ends a merge: all is given, or the winner is gone.
func (m *Machine) conclude(now int64, c *topology.Config, fx *Effects) *topology.Config {
	g := &m.merge
	if c.Merging == 0 {
		return c
	}
	if g.target == nil || g.target.Merging != 0 || now-g.heard > int64(m.Silence) {
		if c == m.config {
			c = c.Clone()
			c.Stamp.Version++
		}
		c.Merging = 0
		fx.Log = append(fx.Log, "not merging: the other cluster is gone")
		return c
	}
	if c == m.config && m.given(now) {
		g.disbanding, g.since = true, now
		m.disband(now, fx)
	}
	return c
}

// given reports whether the winner has everything.
func (m *Machine) given(now int64) bool {
	g := &m.merge
	if !m.Rules.On(rules.KeepUntilMerged) {
		for i := range m.config.Members {
			if id := m.config.Members[i].ID; id != m.Self.ID && m.peer(now, id).winner != mark(g.target) {
				return false
			}
		}
		return len(g.offers) > 0 || m.config.Partitions[0].Primary != m.Self.ID
	}
	for i := range g.target.Partitions {
		p := &g.target.Partitions[i]
		if f, ok := g.merged[i]; !ok || f.Epoch != p.Reign || len(p.Held) > 0 && m.whole(i, g.target) {
			return false
		}
	}
	return true
}

// disband sends everybody away, a few times, and goes.
func (m *Machine) disband(now int64, fx *Effects) {
	if now-m.merge.since > int64(m.Lease) {
		m.rejoin(fx, "merged into another cluster")
		return
	}
	msg := &Disband{mark(m.config)}
	for i := range m.config.Members {
		if id := m.config.Members[i].ID; id != m.Self.ID {
			m.send(fx, id, msg)
		}
	}
}
