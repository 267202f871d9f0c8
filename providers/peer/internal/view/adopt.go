package view

import (
	"slices"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/rules"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// published takes in a configuration that somebody sent.
func (m *Machine) published(now int64, from topology.ID, msg *Publish, fx *Effects) {
	c := msg.Config
	if c == nil || len(c.Members) == 0 || len(c.Partitions) == 0 {
		return
	}
	if c = m.complete(msg); c == nil {
		return
	}
	switch {
	case m.behind != nil:
		m.behind.learn(now, c)
	case msg.Winner:
		m.learnWinner(now, c)
	default:
		m.see(now, c, from, fx)
	}
}

// complete fills in what a message left out because this member has it. It returns nil
// if it does not: the message comes again, with everything.
func (m *Machine) complete(msg *Publish) *topology.Config {
	if (msg.Base == topology.Stamp{}) {
		return msg.Config
	}
	for _, base := range []*topology.Config{m.config, m.merge.target, m.other()} {
		if base == nil || base.Stamp.Less(msg.Base) || !msg.Config.Follows(base) ||
			len(base.Partitions) != len(msg.Config.Partitions) {
			continue
		}
		var c *topology.Config
		for i := range msg.Config.Partitions {
			if (msg.Config.Partitions[i].Epoch != topology.Stamp{}) {
				continue
			}
			if c == nil {
				c = msg.Config.Clone()
			}
			c.Partitions[i] = base.Partitions[i]
		}
		if c == nil {
			return msg.Config
		}
		return c
	}
	return nil
}

// see takes in a configuration of this cluster or another.
func (m *Machine) see(now int64, c *topology.Config, from topology.ID, fx *Effects) {
	mine := m.config
	if mine == nil {
		if c.Has(m.Self.ID) {
			m.adopt(now, c, fx)
			m.confirm(now, fx)
		} else if first := c.Members[0]; m.joining {
			m.remember(now, first.ID, first.Addr)
			if from == first.ID && m.invited != c.Lineage {
				m.invited = c.Lineage
				m.send(fx, from, &Join{m.Self, m.invited})
			}
		}
		return
	}
	if c.Same(mine) || len(c.Partitions) != len(mine.Partitions) {
		return
	}
	follows := c.Follows(mine)
	if !m.Rules.On(rules.Ancestry) {
		follows = c.Newer(mine) && (c.Lineage == mine.Lineage || mine.Has(from))
	}
	switch {
	case follows && c.Newer(mine) && !c.Has(m.Self.ID) && m.outnumber(now, c):
		// They are the ones that were cut off. They hear it when the others have taken over.
	case follows && c.Newer(mine) && !c.Has(m.Self.ID) && !m.engaged(now, c):
		m.leftBehind(now, c, fx)
	case follows && c.Newer(mine):
		if c.Stamp.Term >= m.promised && c.Has(m.Self.ID) {
			m.adopt(now, c, fx)
			m.confirm(now, fx)
		} else {
			m.ahead = c.Lineage // a higher term was promised to somebody else
		}
	case mine.Follows(c):
		m.peer(now, from).mark = mark(c)
		m.tell(now, from, fx)
	default:
		m.meetCluster(now, c, from, fx)
	}
}

// outnumber reports whether there are more members here, whom those of c have left behind, than
// there are there, so that these need not give themselves up for them.
func (m *Machine) outnumber(now int64, c *topology.Config) bool {
	if !m.free(m.config) || !m.Rules.On(rules.Outnumber) {
		return false
	}
	n := 0
	for i := range m.config.Members {
		if id := m.config.Members[i].ID; !c.Has(id) && !m.suspects(now, id) {
			n++
		}
	}
	return n > len(c.Members)
}

// engaged reports whether this member has promised a higher term to somebody who counts on
// it, and may not go with c yet.
func (m *Machine) engaged(now int64, c *topology.Config) bool {
	return m.chosen != m.Self.ID && c.Stamp.Term < m.promised && now-m.chosenAt <= 2*int64(m.Silence)
}

// adopt makes a configuration the present one.
func (m *Machine) adopt(now int64, c *topology.Config, fx *Effects) {
	old := m.config
	m.config = c
	m.joining = false
	m.claim = nil
	m.ahead = 0
	m.idle = false
	if c.Stamp.Term > m.promised {
		m.promise(now, c.Stamp.Term, c.Coordinator(), fx)
	}
	m.welcome(now, old, c)
	for i := range c.Members {
		p := m.peer(now, c.Members[i].ID)
		if old != nil && c.Coordinator() == m.Self.ID && old.Coordinator() != m.Self.ID {
			p.grant(now, int64(m.Silence)) // the old coordinator's leases are unknown
		}
		m.forget(c.Members[i].ID)
	}
	for id, p := range m.peers {
		if !c.Has(id) && now-p.alive > 10*int64(m.Silence) {
			delete(m.peers, id)
		}
	}
	m.settle()
	fx.Config = c
	if old != nil {
		m.precede(now, old.Stamp, fx)
	}
}

// confirm shows the coordinator at once that its configuration is here: the next one
// waits for that.
func (m *Machine) confirm(now int64, fx *Effects) {
	m.send(fx, m.config.Coordinator(), m.sign(now, m.config.Coordinator()))
}

// precede sends the configuration to the holders of partitions that have changed since
// a stamp and of which this member is the primary, so that it is there before the first
// message about the partition.
func (m *Machine) precede(now int64, since topology.Stamp, fx *Effects) {
	for i := range m.config.Partitions {
		p := &m.config.Partitions[i]
		if p.Primary != m.Self.ID || !since.Less(p.Epoch) {
			continue
		}
		for _, id := range p.InSync {
			m.inform(now, id, fx)
		}
		if p.Learner != 0 {
			m.inform(now, p.Learner, fx)
		}
	}
}

// inform sends the configuration to a member unless it has shown that it has it.
func (m *Machine) inform(now int64, id topology.ID, fx *Effects) {
	if id != m.Self.ID && m.peer(now, id).mark != mark(m.config) {
		m.tell(now, id, fx)
	}
}

// welcome begins to count for how long members are silent that are new in a
// configuration.
func (m *Machine) welcome(now int64, old, c *topology.Config) {
	for i := range c.Members {
		if old == nil || !old.Has(c.Members[i].ID) {
			p := m.peer(now, c.Members[i].ID)
			p.alive = now
			p.revive()
		}
	}
}

// promise refuses lower terms than one from now on.
func (m *Machine) promise(now int64, term uint64, to topology.ID, fx *Effects) {
	m.promised, m.chosen, m.chosenAt = term, to, now
	fx.Promised = term
}

// publish adopts a configuration that this member, as coordinator, has made from an old
// one, and sends it to everybody in either.
func (m *Machine) publish(now int64, old, c *topology.Config, fx *Effects) {
	m.vote(old, c)
	m.adopt(now, c, fx)
	for i := range c.Members {
		if id := c.Members[i].ID; id != m.Self.ID {
			m.tell(now, id, fx)
		}
	}
	for i := range old.Members {
		if id := old.Members[i].ID; id != m.Self.ID && !c.Has(id) && !m.suspects(now, id) {
			m.tell(now, id, fx)
		}
	}
}

// leftBehind ends the membership: the cluster has gone on without this member. What it
// holds is known there, unless it is of partitions that are held for it, or were lost.
func (m *Machine) leftBehind(now int64, c *topology.Config, fx *Effects) {
	if m.leaving {
		// Nobody need wait for the consent of who has left.
		bye := &Heartbeat{Mark: mark(c), Promised: c.Stamp.Term, Sent: now}
		for i := range c.Members {
			fx.Send = append(fx.Send, Envelope{To: c.Members[i].ID, Addr: c.Members[i].Addr, Msg: bye})
		}
		m.done = true
		fx.Log = append(fx.Log, "left the cluster")
		return
	}
	b := &behind{target: c, heard: now, offers: map[int]offer{}}
	for i := range c.Partitions {
		p := &c.Partitions[i]
		lost := slices.Contains(m.config.Partitions[i].InSync, m.Self.ID) && m.config.Stamp.Less(p.Lost)
		if lost || slices.Contains(p.Held, m.Self.ID) {
			b.lost = append(b.lost, i)
		}
	}
	if len(b.lost) == 0 || !m.Rules.On(rules.KeepLost) {
		m.rejoin(fx, "the cluster has gone on without this member")
		return
	}
	fx.Log = append(fx.Log, "the cluster has gone on without this member, and lacks partitions that it has")
	// What is given must be all that was acknowledged: nothing is taken any more from those
	// who have not gone on.
	if m.Rules.On(rules.Seal) {
		m.promise(now, max(m.promised, c.Stamp.Term), c.Coordinator(), fx)
	}
	m.claim = nil
	m.behind = b
	m.catchUp(now, true, fx)
}

// behind is what a member does that was left behind with data that the others lack.
type behind struct {
	lost   []int
	target *topology.Config // theirs
	heard  int64            // when they last answered
	offers map[int]offer
	asked  int
}

// learn takes in a configuration of the others.
func (b *behind) learn(now int64, c *topology.Config) {
	if c.Follows(b.target) && len(c.Partitions) == len(b.target.Partitions) {
		b.heard = now
		if c.Newer(b.target) {
			b.target = c
		}
	}
}

// catchUp offers the lost partitions, and comes back when the others have them.
func (m *Machine) catchUp(now int64, beat bool, fx *Effects) {
	b := m.behind
	if now-b.heard > 2*int64(m.Silence) {
		// Nobody is there. What this member has may be all there is.
		for _, i := range b.lost {
			fx.Offers = append(fx.Offers, Offer{Partition: i})
		}
		m.behind = nil
		fx.Log = append(fx.Log, "going on alone: those who had gone on have vanished")
		return
	}
	if beat {
		m.ask(b.target, &b.asked, fx)
	}
	left := 0
	for _, i := range b.lost {
		given := m.offer(i, b.target, b.offers, fx)
		if !given || slices.Contains(b.target.Partitions[i].Held, m.Self.ID) {
			left++
		}
	}
	if left == 0 {
		m.rejoin(fx, "gave what was lost to the others")
	}
}
