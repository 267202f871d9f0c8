package view

import (
	"slices"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/rules"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// coordinate does the coordinator's work: a change that cannot wait, or else the next
// step of the plan.
func (m *Machine) coordinate(now int64, fx *Effects) {
	if !m.coordinates() || m.claim != nil {
		return
	}
	if m.merge.disbanding {
		m.disband(now, fx)
		return
	}
	if !m.mayChange(now) {
		return
	}
	c := m.exclude(now, m.config)
	c = m.dismiss(now, c, fx)
	c = m.restore(c, fx)
	c = m.withdraw(c)
	if c.Merging == 0 {
		c = m.admit(c)
		c = m.drain(c)
	}
	c = m.conclude(now, c, fx)
	if c == m.config {
		c = m.agree(c)
	}
	if c == m.config && c.Merging == 0 && m.confirmed(now) {
		c = m.plan(c)
	}
	if c != m.config {
		m.publish(now, m.config, c, fx)
	}
}

// mayChange reports whether the coordinator may change the configuration. Whoever has
// been cut off, or paused, has no fresh leases, and cannot know what the others do.
func (m *Machine) mayChange(now int64) bool {
	here := func(id topology.ID) bool { return m.config.Has(id) && !m.suspects(now, id) || m.hasLeft(id) }
	if m.highest(now, false) > m.config.Stamp.Term || !m.mayGoOn(m.config, here) {
		return false
	}
	if !m.Rules.On(rules.CoordinatorFresh) {
		return true
	}
	for i := range m.config.Members {
		id := m.config.Members[i].ID
		if id != m.Self.ID && !m.suspects(now, id) && m.peer(now, id).leased <= now {
			return false
		}
	}
	return true
}

// exclude removes the members that have failed, once they cannot serve any more.
func (m *Machine) exclude(now int64, c *topology.Config) *topology.Config {
	var gone []topology.ID
	for _, member := range m.config.Members {
		if !m.suspects(now, member.ID) || !m.released(now, member.ID) {
			continue
		}
		gone = append(gone, member.ID)
	}
	if len(gone) == 0 {
		return c
	}
	d := m.remove(c, gone)
	silent := func(id topology.ID) bool { return !m.peer(now, id).refused }
	if m.free(m.config) && slices.ContainsFunc(gone, silent) && m.Rules.On(rules.ForkAlone) {
		m.fork(now, m.config, d, gone)
	}
	return d
}

// remove takes members out of a configuration.
func (m *Machine) remove(c *topology.Config, gone []topology.ID) *topology.Config {
	d := c.Without(gone, m.gone, m.Self.ID)
	if m.Rules.On(rules.PromoteInSync) {
		return d
	}
	for i := range d.Partitions {
		if p := &d.Partitions[i]; p.Reign == d.Stamp {
			p.Primary = d.Members[m.Draw()%uint64(len(d.Members))].ID
			if !slices.Contains(p.InSync, p.Primary) {
				p.InSync = append(p.InSync, p.Primary)
			}
		}
	}
	return d
}

// withdraw takes members that do not acknowledge out of the partitions concerned.
func (m *Machine) withdraw(c *topology.Config) *topology.Config {
	d := c
	for _, f := range m.silent {
		if f.Partition < 0 || f.Partition >= len(d.Partitions) {
			continue
		}
		p := d.Partitions[f.Partition]
		if p.Epoch != f.Epoch || p.Primary == f.Member || !p.Holds(f.Member) {
			continue
		}
		if d == c {
			d = c.Clone()
			d.Stamp.Version++
		}
		q := &d.Partitions[f.Partition]
		q.Epoch = d.Stamp
		q.InSync = slices.DeleteFunc(q.InSync, func(id topology.ID) bool { return id == f.Member })
		if q.Learner == f.Member {
			q.Learner = 0
		}
	}
	m.silent = m.silent[:0]
	return d
}

// admit takes in those who asked.
func (m *Machine) admit(c *topology.Config) *topology.Config {
	d := c
	for _, j := range m.joiners {
		if d.Has(j.ID) {
			continue
		}
		if d == c {
			d = c.Clone()
			d.Stamp.Version++
		}
		d.Members = append(d.Members, j)
	}
	m.joiners = m.joiners[:0]
	return d
}

// drain marks the members that want to leave.
func (m *Machine) drain(c *topology.Config) *topology.Config {
	d := c
	for _, id := range m.leavers {
		if member := d.Member(id); member == nil || member.Leaving {
			continue
		}
		if d == c {
			d = c.Clone()
			d.Stamp.Version++
		}
		d.Member(id).Leaving = true
	}
	m.leavers = m.leavers[:0]
	return d
}

// confirmed reports whether every member has the present configuration.
func (m *Machine) confirmed(now int64) bool {
	for i := range m.config.Members {
		id := m.config.Members[i].ID
		if id == m.Self.ID {
			continue
		}
		if m.suspects(now, id) || m.Rules.On(rules.ConfirmConfig) && m.peer(now, id).mark != mark(m.config) {
			return false
		}
	}
	return true
}

// plan takes the next planned step.
func (m *Machine) plan(c *topology.Config) *topology.Config {
	if m.idle {
		return c
	}
	synced := func(partition int, member topology.ID) bool {
		f, ok := m.synced[partition]
		return ok && f.Member == member && f.Epoch == c.Partitions[partition].Epoch
	}
	goal := topology.Goal{Copies: m.Copies, HandOffs: m.HandOffs, Synced: synced}
	if m.Async && m.Rules.On(rules.SettleFirst) {
		goal.Settled = func(partition int) bool { return synced(partition, c.Partitions[partition].Primary) }
	}
	next := topology.Plan(c, goal)
	if next == nil {
		m.idle = true
		return c
	}
	if !m.Rules.On(rules.CopyThenDrop) {
		m.dropFirst(c, next)
	}
	clear(m.synced)
	return next
}

// dropFirst makes room for each new learner at once, as the rule CopyThenDrop forbids.
func (m *Machine) dropFirst(c, next *topology.Config) {
	for i := range next.Partitions {
		p := &next.Partitions[i]
		if p.Learner == 0 || p.Learner == c.Partitions[i].Learner || len(p.InSync) < m.Copies {
			continue
		}
		last := len(p.InSync) - 1
		if p.InSync[last] == p.Primary && last > 0 {
			p.InSync[0], p.InSync[last] = p.InSync[last], p.InSync[0]
		}
		if last > 0 {
			p.InSync = p.InSync[:last]
		}
	}
}

// complain finds members in sync that this member, as the primary, does not hear, though the
// coordinator may: without their leases it cannot serve.
func (m *Machine) complain(now int64) {
	if m.coordinates() || !m.Rules.On(rules.ReportUnheard) {
		return // the coordinator removes them
	}
	for i := range m.config.Partitions {
		p := &m.config.Partitions[i]
		if p.Primary != m.Self.ID {
			continue
		}
		for _, id := range p.InSync {
			if id != m.Self.ID && now-m.peer(now, id).alive > int64(m.Silence+m.Lease) {
				m.note(&m.found.Silent, Finding{i, p.Epoch, id})
			}
		}
	}
}

// report passes on what this member has found as a primary. Who hears nobody, and not the
// coordinator either, must not have others taken out for their silence: it may be the one
// that is cut off, in one direction.
func (m *Machine) report(now int64, fx *Effects) {
	f := &m.found
	m.news = false
	current := func(f Finding) bool {
		if f.Partition < 0 || f.Partition >= len(m.config.Partitions) {
			return false
		}
		p := &m.config.Partitions[f.Partition]
		return p.Epoch == f.Epoch && p.Primary == m.Self.ID
	}
	f.Synced = slices.DeleteFunc(f.Synced, func(f Finding) bool { return !current(f) })
	f.Restored = slices.DeleteFunc(f.Restored, func(f Finding) bool { return !current(f) })
	deaf := m.leasedBy(m.config.Coordinator()) <= now && m.Rules.On(rules.DeafIsSilent)
	f.Silent = slices.DeleteFunc(f.Silent, func(f Finding) bool { return deaf || !current(f) })
	if m.config.Merging == 0 {
		f.Merged = f.Merged[:0]
	}
	if len(f.Synced)+len(f.Silent)+len(f.Merged)+len(f.Restored) == 0 {
		return
	}
	msg := &Report{Mark: mark(m.config), Synced: slices.Clone(f.Synced), Silent: slices.Clone(f.Silent),
		Merged: slices.Clone(f.Merged), Restored: slices.Clone(f.Restored)}
	f.Silent = f.Silent[:0] // it may not be true any more
	if m.coordinates() {
		m.reported(msg)
		return
	}
	m.send(fx, m.config.Coordinator(), msg)
}

// reported takes in what a primary has found.
func (m *Machine) reported(msg *Report) {
	if m.config == nil || !m.coordinates() || msg.Mark.Lineage != m.config.Lineage {
		return
	}
	for _, f := range msg.Synced {
		m.synced[f.Partition] = f
		m.idle = false
	}
	for _, f := range msg.Silent {
		if !slices.Contains(m.silent, f) {
			m.silent = append(m.silent, f)
		}
	}
	m.absence.restored = append(m.absence.restored, msg.Restored...)
	for _, f := range msg.Merged {
		if m.merge.merged == nil {
			m.merge.merged = make(map[int]Finding)
		}
		m.merge.merged[f.Partition] = f
	}
}

// join takes in a request for admission. Only a member that the coordinator reaches, and that
// reaches it, is let in: others would have to be removed again, and so on.
func (m *Machine) join(now int64, from topology.ID, msg *Join, fx *Effects) {
	if m.config != nil && from == msg.Member.ID {
		m.supersede(now, &msg.Member)
	}
	switch {
	case m.config == nil || m.behind != nil || msg.Member.ID == 0 || msg.Member.ID == m.Self.ID:
	case !m.coordinates():
		m.send(fx, m.config.Coordinator(), msg)
	case m.config.Has(msg.Member.ID):
		m.tell(now, msg.Member.ID, fx)
	case (from != msg.Member.ID || msg.Invited != m.config.Lineage) && m.Rules.On(rules.JoinBothWays):
		m.remember(now, msg.Member.ID, msg.Member.Addr)
		m.tell(now, msg.Member.ID, fx)
	case !slices.ContainsFunc(m.joiners, func(j topology.Member) bool { return j.ID == msg.Member.ID }):
		m.joiners = append(m.joiners, msg.Member)
	}
}

// leave takes in a request to be drained.
func (m *Machine) leave(msg *Leave, fx *Effects) {
	switch {
	case m.config == nil || m.behind != nil:
	case !m.coordinates():
		if m.config.Coordinator() != msg.ID {
			m.send(fx, m.config.Coordinator(), msg)
		}
	case !slices.Contains(m.leavers, msg.ID):
		m.leavers = append(m.leavers, msg.ID)
	}
}

// askToLeave asks the coordinator, until it has obeyed.
func (m *Machine) askToLeave(_ int64, fx *Effects) {
	if m.config == nil {
		m.done = true
		return
	}
	if self := m.config.Member(m.Self.ID); self != nil && !self.Leaving {
		msg := &Leave{m.Self.ID}
		if m.coordinates() {
			m.leave(msg, fx)
		} else {
			m.send(fx, m.config.Coordinator(), msg)
		}
	}
}
