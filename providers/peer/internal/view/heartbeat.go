package view

import (
	"math"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/rules"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// A peer is what a member knows of another process.
type peer struct {
	// alive is when it last showed itself within the cluster: when the latest
	// heartbeat was sent that it answered. Both ways work then. It counts from
	// when the peer was met, or from the end of a pause.
	alive   int64
	refused bool // it has ended, for all that is known
	// refusedAt is since when, and replaced says that another process is at its address,
	// which may be the same one in another life.
	refusedAt int64
	replaced  bool

	heard int64 // when its last message came
	rtt   int64 // how long an answer takes, the longest one of late
	// reached is when a fresh connection to it was made. Tried is when the latest attempt
	// began, and last when the one did after which it is not waited for any more.
	reached, tried, last int64

	leased int64 // until when its lease lasts
	gave   int64 // until when a lease that it was given may count, by clocks of any speed

	mark     Mark   // its configuration
	promised uint64 // the highest term it has promised
	winner   Mark   // what it knows of the winner of a merge

	outdated int64 // since when it has shown an older configuration
	told     Mark  // the configuration that was sent to it last
	toldAt   int64
	wonAt    int64 // when the winner's was sent to it last
	askedAt  int64 // when it was asked for its own last
}

// peer returns what is known of a process, from now on if nothing was.
func (m *Machine) peer(now int64, id topology.ID) *peer {
	p := m.peers[id]
	if p == nil {
		p = &peer{alive: now, heard: now, reached: never, tried: never, last: never, leased: never, gave: never, toldAt: never, wonAt: never, askedAt: never, outdated: never}
		m.peers[id] = p
	}
	return p
}

// grant notes that a process was given a lease, or may have been.
func (p *peer) grant(now, lease int64) { p.gave = max(p.gave, now+lease+lease/10) }

// released reports whether every lease that this member gave to another has run out.
func (m *Machine) released(now int64, id topology.ID) bool { return now > m.peer(now, id).gave }

// wanted is the lease that a member asks another one for: so long that it lasts for Lease when the
// answer comes.
func (m *Machine) wanted(p *peer) int64 {
	if !m.Rules.On(rules.DistantLease) {
		return int64(m.Lease)
	}
	return min(int64(m.Lease)+p.rtt, int64(m.Silence))
}

// noticePause finds out that this process did not run for a while. What it did not
// hear in that time says nothing about the others.
func (m *Machine) noticePause(now int64) {
	gap := now - m.ticked
	m.ticked = now
	if gap <= int64(m.Lease/2) || !m.Rules.On(rules.NoticePause) {
		return
	}
	for _, p := range m.peers {
		p.alive, p.leased = max(p.alive, now), never
	}
	m.claim = nil
}

// beat sends heartbeats, and whatever is to be said again and again.
func (m *Machine) beat(now int64, fx *Effects) {
	for i := range m.config.Members {
		if id := m.config.Members[i].ID; id != m.Self.ID {
			m.send(fx, id, m.sign(now, id))
		}
	}
	m.complain(now)
	m.report(now, fx)
	if m.leaving {
		m.askToLeave(now, fx)
	}
	if m.coordinates() {
		m.seek(now, fx)
		m.recall(now, fx)
	}
}

// sign returns a heartbeat for a member.
func (m *Machine) sign(now int64, to topology.ID) *Heartbeat {
	return &Heartbeat{Mark: mark(m.config), Promised: m.promised, Winner: mark(m.merge.target), Sent: now, Lease: m.wanted(m.peer(now, to))}
}

func (m *Machine) heartbeat(now int64, from topology.ID, hb *Heartbeat, fx *Effects) {
	if m.config == nil || m.behind != nil {
		return
	}
	p := m.peer(now, from)
	p.revive()
	p.mark, p.promised, p.winner = hb.Mark, hb.Promised, hb.Winner
	lease := int64(0)
	if hb.Mark.Lineage == m.config.Lineage && m.promised <= hb.Mark.Stamp.Term &&
		m.config.Has(from) && m.config.Has(m.Self.ID) && now-p.alive <= int64(m.Silence) {
		lease = min(max(0, hb.Lease), int64(m.Silence))
		p.grant(now, lease)
	}
	fx.Send = append(fx.Send, Envelope{To: from, Addr: m.addr(from), Msg: &HeartbeatAck{
		Mark: mark(m.config), Promised: m.promised, Winner: mark(m.merge.target), Sent: hb.Sent, Lease: lease}})
	m.update(now, from, fx)
}

func (m *Machine) acknowledged(now int64, from topology.ID, ack *HeartbeatAck, fx *Effects) {
	if m.config == nil || m.behind != nil {
		return
	}
	p := m.peer(now, from)
	p.mark, p.promised, p.winner = ack.Mark, ack.Promised, ack.Winner
	// Who lives in another cluster is dead to this one.
	if ack.Mark.Lineage == m.config.Lineage || ack.Mark.Lineage == m.ahead ||
		followed(ack.Mark, m.config) || !m.Rules.On(rules.Ancestry) {
		p.revive()
		p.alive = max(p.alive, ack.Sent)
		p.rtt = max(now-ack.Sent, p.rtt-p.rtt/8)
		if ack.Lease > 0 {
			p.leased = max(p.leased, ack.Sent+ack.Lease)
		}
	}
	if p.told == mark(m.config) && p.mark != p.told && ack.Sent >= p.toldAt {
		p.toldAt = never // it was lost: the heartbeat came after it
	}
	m.update(now, from, fx)
}

// update sends the present configuration to somebody who shows an older one, and asks
// for it whoever shows that of another lineage. Members get it from the coordinator,
// and from others only if that takes too long.
func (m *Machine) update(now int64, id topology.ID, fx *Effects) {
	p := m.peer(now, id)
	if p.mark == mark(m.config) || !followed(p.mark, m.config) {
		p.outdated = never
		if p.mark.Lineage != m.config.Lineage && now-p.askedAt > int64(m.Lease) {
			p.askedAt = now
			m.send(fx, id, &Probe{Mark: mark(m.config)})
		}
		return
	}
	if p.outdated == never {
		p.outdated = now
	}
	if m.coordinates() || !m.config.Has(id) || now-p.outdated > int64(m.Lease) {
		m.tell(now, id, fx)
	}
}

// tell sends the present configuration to somebody, but not twice before an answer can have come.
func (m *Machine) tell(now int64, id topology.ID, fx *Effects) {
	p := m.peer(now, id)
	again := p.told == mark(m.config)
	if again && now-p.toldAt <= m.wanted(p) {
		return
	}
	msg := &Publish{Config: m.config}
	if !again && followed(p.mark, m.config) {
		msg.Base = p.mark.Stamp
	}
	p.told, p.toldAt = mark(m.config), now
	m.send(fx, id, msg)
}

// leaseForever is the lease of who needs nobody else's.
const leaseForever = math.MaxInt64

// LeaseFor returns until when this member may serve a partition of which it is the
// primary: until then nobody can have replaced it. The time is over if it is not later
// than now, and math.MaxInt64 if nobody else has a say.
func (m *Machine) LeaseFor(part *topology.Partition) int64 {
	if m.config == nil || m.done || m.behind != nil {
		return never
	}
	if !m.Rules.On(rules.Lease) {
		return leaseForever
	}
	if m.promised > m.config.Stamp.Term || !m.config.Has(m.Self.ID) {
		return never
	}
	until := m.leasedBy(m.config.Coordinator())
	for _, id := range part.InSync {
		until = min(until, m.leasedBy(id))
	}
	if !m.free(m.config) {
		until = min(until, m.leasedByMost(part.Epoch))
	}
	return until
}

// leasedBy returns until when another member's lease lasts.
func (m *Machine) leasedBy(id topology.ID) int64 {
	if id == m.Self.ID {
		return leaseForever
	}
	if p := m.peers[id]; p != nil {
		return p.leased
	}
	return never
}
