package view

import (
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/rules"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// end notes that a process has ended, for all that is known.
func (p *peer) end(now int64, replaced bool) {
	if !p.refused {
		p.refused, p.refusedAt = true, now
	}
	p.replaced = p.replaced || replaced && p.refusedAt != never
}

// revive notes a sign of life.
func (p *peer) revive() { p.refused, p.replaced = false, false }

// over reports whether a process has certainly ended, and its data with it: its port has
// refused for a while. A process that comes back under another ID closes its port, too, but
// not for long.
func (m *Machine) over(id topology.ID, while time.Duration) bool {
	p := m.peers[id]
	return p != nil && p.refused && !p.replaced && m.ticked-p.refusedAt > int64(while) || m.succeeded(id)
}

// suspects reports whether a process seems to have failed: it has not answered for Silence, and
// since then it could not be reached anew either. A connection that there is says little, since
// after a cut TCP waits for about as long again as the cut lasted.
func (m *Machine) suspects(now int64, id topology.ID) bool {
	if id == m.Self.ID {
		return false
	}
	p := m.peer(now, id)
	if p.refused || m.elsewhere(p) || !m.Rules.On(rules.FreshConnection) {
		return p.refused || now-p.alive > int64(m.Silence)
	}
	return p.last >= m.due(p) && now-p.last > m.grace(p)
}

// elsewhere reports whether a process has shown that it lives in another cluster: to reach it
// changes nothing.
func (m *Machine) elsewhere(p *peer) bool {
	in := p.mark.Lineage
	return m.config != nil && in != 0 && in != m.config.Lineage && in != m.ahead && !followed(p.mark, m.config)
}

// due is until when a silent process is waited for. Its last answer may be to a heartbeat two
// before the first that it did not hear. If it was reached anew meanwhile, it has half of Silence for an
// answer, but not for ever.
func (m *Machine) due(p *peer) int64 {
	since := max(p.alive, min(p.reached-int64(m.Silence)/2, p.alive+int64(m.Silence)))
	return since + int64(m.Silence+2*m.Heartbeat)
}

// grace is how long an attempt to reach a process may take: some times there and back.
func (m *Machine) grace(p *peer) int64 {
	return min(int64(m.Heartbeat)+4*p.rtt, int64(m.Silence)/2)
}

// redialSilent asks for fresh connections to silent members: from half of Silence on, once a lease, or
// later where an answer on the last one may be under way; and when the time is over, so that
// nobody is replaced who can be reached then.
func (m *Machine) redialSilent(now int64, fx *Effects) {
	half := int64(m.Silence) / 2
	for i := range m.config.Members {
		id := m.config.Members[i].ID
		p := m.peer(now, id)
		if id == m.Self.ID || m.elsewhere(p) {
			continue
		}
		due := m.due(p)
		switch {
		case now >= due && p.last < due:
			m.redial(now, id, p, fx)
		case now < due && now-p.alive >= half+min(p.rtt, half) && now-p.tried >= int64(m.Lease) && now-p.reached >= half+half/2:
			m.redial(now, id, p, fx)
		}
	}
}

func (m *Machine) redial(now int64, id topology.ID, p *peer, fx *Effects) {
	p.tried = now
	if due := m.due(p); now >= due && p.last < due {
		p.last = now
	}
	fx.Redial = append(fx.Redial, id)
}

// hear notes a message. The first one after a silence says that the way is open again: the
// connection the other way need not wait until TCP finds out.
func (m *Machine) hear(now int64, from topology.ID, fx *Effects) {
	p := m.peers[from]
	if p == nil || m.config == nil {
		return
	}
	silent := now - p.heard
	p.heard = now
	if silent >= int64(m.Silence)/2 && m.Rules.On(rules.FreshConnection) {
		p.last = never // an attempt that has failed was too early
		m.redial(now, from, p, fx)
	}
}

// Reached says that a fresh connection to a process was made.
func (m *Machine) Reached(now int64, id topology.ID, fx *Effects) {
	p := m.peers[id]
	if p == nil || m.config == nil || m.behind != nil || m.done {
		return
	}
	p.reached, p.toldAt = now, never // what was sent may be lost
	if m.config.Has(id) {
		m.send(fx, id, m.sign(now, id))
	} else if m.coordinates() {
		m.send(fx, id, &Probe{Mark: mark(m.config)})
	}
}
