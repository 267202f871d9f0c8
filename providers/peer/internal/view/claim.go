package view

import (
	"slices"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/rules"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// A claim is an attempt to become coordinator.
type claim struct {
	term    uint64
	best    *topology.Config // the newest configuration that anybody has
	without []topology.ID    // who will be removed
	answers map[topology.ID]int64
	asked   int64
}

// termShift makes room in a term for its claimant, so that two never claim the same.
const termShift = 24

// term returns this member's next term after another.
func (m *Machine) term(after uint64) uint64 {
	return (after>>termShift+1)<<termShift | uint64(m.Self.ID)&(1<<termShift-1)
}

// highest returns the highest term that anybody has promised, as far as is known.
func (m *Machine) highest(now int64, suspects bool) uint64 {
	term := m.promised
	for i := range m.config.Members {
		if id := m.config.Members[i].ID; suspects || !m.suspects(now, id) {
			term = max(term, m.peer(now, id).promised)
		}
	}
	return term
}

// tryClaim begins a claim if everybody older seems to have failed, and goes on with it.
// The coordinator claims too if somebody was promised to another, whose claim failed.
func (m *Machine) tryClaim(now int64, fx *Effects) {
	if !m.mayClaim(now) {
		m.claim = nil
		return
	}
	cl := m.claim
	if cl == nil || m.highest(now, false) > cl.term {
		cl = &claim{term: m.term(m.highest(now, true)), best: m.config, answers: map[topology.ID]int64{}, asked: never}
		m.claim = cl
		m.promise(now, cl.term, m.Self.ID, fx)
	}
	if m.pending(now) && now-cl.asked >= int64(m.Heartbeat) {
		cl.asked = now
		m.askAll(now, fx)
	}
	m.tryComplete(now, fx)
}

func (m *Machine) mayClaim(now int64) bool {
	if m.config == nil || !m.config.Has(m.Self.ID) || m.merge.disbanding {
		return false
	}
	if m.coordinates() {
		return m.highest(now, false) > m.config.Stamp.Term && m.Rules.On(rules.Reclaim)
	}
	return m.eldest(now, m.config)
}

// eldest reports whether everybody older than this member seems to have failed.
func (m *Machine) eldest(now int64, c *topology.Config) bool {
	for i := range c.Members {
		if c.Members[i].ID == m.Self.ID {
			return true
		}
		if !m.suspects(now, c.Members[i].ID) {
			return false
		}
	}
	return false
}

// pending reports whether somebody must still answer the claim. If other members seem
// to have failed than before, all must answer again.
func (m *Machine) pending(now int64) bool {
	cl := m.claim
	var without []topology.ID
	for i := range cl.best.Members {
		if id := cl.best.Members[i].ID; m.suspects(now, id) {
			without = append(without, id)
		}
	}
	if !slices.Equal(without, cl.without) {
		cl.without = without
		clear(cl.answers)
		cl.asked = never
	}
	return len(cl.answers) < len(cl.best.Members)-len(without)-1
}

func (m *Machine) askAll(now int64, fx *Effects) {
	cl := m.claim
	msg := &Claim{Term: cl.term, Mark: mark(m.config), Ancestors: m.config.Ancestors, Without: cl.without}
	for i := range cl.best.Members {
		id := cl.best.Members[i].ID
		if _, ok := cl.answers[id]; !ok && id != m.Self.ID && !m.suspects(now, id) {
			fx.Send = append(fx.Send, Envelope{To: id, Addr: cl.best.Members[i].Addr, Msg: msg})
		}
	}
}

// claimed answers a claim.
func (m *Machine) claimed(now int64, from topology.ID, msg *Claim, fx *Effects) {
	if m.config == nil || m.behind != nil {
		return
	}
	m.peer(now, from).mark = msg.Mark
	ahead := followed(msg.Mark, m.config)
	if !m.config.Has(from) {
		if ahead {
			m.tell(now, from, fx)
		}
		return
	}
	answer := &ClaimAnswer{Term: msg.Term, Mark: mark(m.config)}
	theirs := &topology.Config{Lineage: msg.Mark.Lineage, Stamp: msg.Mark.Stamp, Ancestors: msg.Ancestors}
	if (ahead || theirs.Follows(m.config)) && m.concedes(now, from) && (msg.Term > m.promised || msg.Term == m.promised && m.chosen == from) {
		if msg.Term > m.promised {
			p := m.peer(now, from)
			p.alive = now // for as long as its claim may take
			p.revive()
			m.promise(now, msg.Term, from, fx)
		}
		m.claim = nil
		answer.OK = true
		answer.Left = m.left(now, msg.Without)
		if ahead && msg.Mark != answer.Mark {
			answer.Config = m.config
		}
	}
	answer.Promised = m.promised
	m.send(fx, from, answer)
}

// concedes reports whether a claimant is the oldest member that seems to be alive.
func (m *Machine) concedes(now int64, claimant topology.ID) bool {
	if !m.Rules.On(rules.ClaimCheck) {
		return true
	}
	for i := range m.config.Members {
		switch id := m.config.Members[i].ID; {
		case id == claimant:
			return true
		case id == m.Self.ID || !m.suspects(now, id):
			return false
		}
	}
	return false
}

// left returns for how long leases that some members were given may still count.
func (m *Machine) left(now int64, ids []topology.ID) int64 {
	left := int64(0)
	for _, id := range ids {
		if p := m.peers[id]; p != nil {
			left = max(left, p.gave-now)
		}
	}
	return left
}

// answered takes in the answer to a claim.
func (m *Machine) answered(now int64, from topology.ID, msg *ClaimAnswer, fx *Effects) {
	if m.config == nil || m.behind != nil {
		return
	}
	p := m.peer(now, from)
	p.mark, p.promised = msg.Mark, max(p.promised, msg.Promised)
	m.update(now, from, fx)
	cl := m.claim
	if cl == nil || !msg.OK || msg.Term != cl.term || slices.Contains(cl.without, from) {
		return
	}
	c := msg.Config
	switch {
	case c == nil:
		if msg.Mark.Lineage != m.config.Lineage && !followed(msg.Mark, m.config) {
			return
		}
	case !c.Follows(m.config) || len(c.Partitions) != len(m.config.Partitions) || !c.Has(m.Self.ID):
		return
	case m.Rules.On(rules.CollectNewest) && c.Newer(cl.best) && c.Follows(cl.best):
		m.welcome(now, cl.best, c)
		cl.best = c
	}
	// When the leases have run out that it gave to those who are removed.
	cl.answers[from] = now + max(0, msg.Left)
	m.tryComplete(now, fx)
}

// tryComplete takes over when everybody has answered and nobody serves any more who
// will be removed.
func (m *Machine) tryComplete(now int64, fx *Effects) {
	cl := m.claim
	if m.pending(now) || !m.eldest(now, cl.best) {
		return
	}
	for _, free := range cl.answers {
		if now < free {
			return
		}
	}
	for _, id := range cl.without {
		if !m.released(now, id) {
			return
		}
	}
	here := func(id topology.ID) bool {
		_, ok := cl.answers[id]
		return ok || id == m.Self.ID
	}
	if !m.mayGoOn(m.config, here) || !m.mayGoOn(cl.best, here) {
		return
	}
	c := cl.best.Clone()
	m.fork(now, cl.best, c, cl.without)
	c.Stamp = topology.Stamp{Term: cl.term, Version: 1}
	c.Merging = 0
	if len(cl.without) > 0 {
		c = m.remove(c, cl.without)
	}
	fx.Log = append(fx.Log, "took over as coordinator")
	m.publish(now, cl.best, c, fx)
}

// fork begins a lineage with a configuration that was made from an old one without some members.
func (m *Machine) fork(now int64, old, c *topology.Config, without []topology.ID) {
	silent := int64(m.Silence)
	for _, id := range without {
		silent = max(silent, now-m.peer(now, id).alive)
	}
	c.Lineage = m.Draw()
	c.Ancestors = slices.Insert(c.Ancestors, 0, topology.Fork{
		Lineage: old.Lineage, Stamp: old.Stamp, Clock: m.Clock(time.Duration(silent) + MaxSkew), Shared: m.free(old)})
	c.Ancestors = c.Ancestors[:min(len(c.Ancestors), topology.MaxAncestors)]
}

// MaxSkew is by how much clocks may disagree without a fork's time being later than a
// write that only one side has.
const MaxSkew = 10 * time.Second
