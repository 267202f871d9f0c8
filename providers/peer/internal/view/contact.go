package view

import (
	"slices"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// maxContacts bounds the strangers that a member remembers.
const maxContacts = 1024

// remember keeps a stranger, to join through or to ask for its cluster.
func (m *Machine) remember(now int64, id topology.ID, addr string) {
	if id == 0 || id == m.Self.ID {
		return
	}
	for i := range m.contacts {
		if m.contacts[i].id == id {
			m.contacts[i].addr, m.contacts[i].seen = addr, now
			return
		}
	}
	if len(m.contacts) < maxContacts {
		m.contacts = append(m.contacts, stranger{id, addr, now})
	}
}

func (m *Machine) forget(id topology.ID) {
	m.contacts = slices.DeleteFunc(m.contacts, func(s stranger) bool { return s.id == id })
}

// next returns the strangers in turn, and forgets those not seen for long.
func (m *Machine) next(now int64) (stranger, bool) {
	m.contacts = slices.DeleteFunc(m.contacts, func(s stranger) bool { return now-s.seen > 20*int64(m.Silence) })
	if len(m.contacts) == 0 {
		return stranger{}, false
	}
	m.probed++
	return m.contacts[m.probed%len(m.contacts)], true
}

// addr returns where somebody is who is not a member.
func (m *Machine) addr(id topology.ID) string {
	if m.config != nil && m.config.Has(id) {
		return ""
	}
	for i := range m.contacts {
		if m.contacts[i].id == id {
			return m.contacts[i].addr
		}
	}
	for _, c := range []*topology.Config{m.merge.target, m.other()} {
		if c == nil {
			continue
		}
		if member := c.Member(id); member != nil {
			return member.Addr
		}
	}
	return ""
}

// other returns the configuration of those who have gone on without this member.
func (m *Machine) other() *topology.Config {
	if m.behind == nil {
		return nil
	}
	return m.behind.target
}

// askToJoin asks one contact after the other.
func (m *Machine) askToJoin(now int64, fx *Effects) {
	if s, ok := m.next(now); ok {
		m.send(fx, s.id, &Join{m.Self, m.invited})
	}
}

// seek asks strangers for their cluster, and the winner of a merge for news.
func (m *Machine) seek(now int64, fx *Effects) {
	if g := &m.merge; m.config.Merging != 0 && g.target != nil {
		m.ask(g.target, &g.asked, fx)
		return
	}
	if s, ok := m.next(now); ok {
		m.send(fx, s.id, &Probe{Mark: mark(m.config)})
	}
}

// ask asks another cluster for news: its coordinator, and the others in turn in case
// that one is gone.
func (m *Machine) ask(c *topology.Config, asked *int, fx *Effects) {
	*asked++
	msg := &Probe{Mark: mark(m.config), Known: mark(c)}
	m.send(fx, c.Coordinator(), msg)
	if other := c.Members[*asked%len(c.Members)].ID; other != c.Coordinator() {
		m.send(fx, other, msg)
	}
}

// probe answers somebody of another cluster, or who was left behind.
func (m *Machine) probe(now int64, from topology.ID, msg *Probe, fx *Effects) {
	switch here := mark(m.config); {
	case m.config == nil || m.behind != nil || msg.Mark == here:
	case msg.Known == here:
		m.send(fx, from, &Here{here})
	default:
		p := m.peer(now, from)
		p.mark = msg.Mark
		if msg.Known.Lineage != 0 && followed(msg.Known, m.config) {
			m.send(fx, from, &Publish{Base: msg.Known.Stamp, Config: m.config})
			return
		}
		m.tell(now, from, fx)
	}
}

// here takes in that another cluster has nothing new.
func (m *Machine) here(now int64, mk Mark) {
	if b := m.behind; b != nil {
		if mk == mark(b.target) {
			b.heard = now
		}
		return
	}
	if mk == mark(m.merge.target) {
		m.merge.heard = now
	}
}
