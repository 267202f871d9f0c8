package view

import (
	"fmt"
	"slices"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/rules"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// A partition is held if all members that had all of it were removed because they did not answer:
// they may be alive. It serves nothing, since its primary does not know what there is, until one
// that had it has given it back, or all of them are known to have ended, or they have been waited
// for long enough.

// absence is what a coordinator knows of the absent members.
type absence struct {
	since    map[topology.ID]int64 // when this coordinator began to wait
	asked    int
	restored []Finding
}

// settled is for how many times Silence a port must refuse before the process has ended for
// certain, and those who are left are the whole cluster.
const settled = 3

// gone reports whether a member has ended for certain, and its data with it.
func (m *Machine) gone(id topology.ID) bool {
	return m.over(id, settled*m.Silence) || !m.Rules.On(rules.Hold)
}

// succeeded reports whether a process has the place of a member that is not the same process
// in another life.
func (m *Machine) succeeded(id topology.ID) bool {
	for _, list := range [][]topology.Member{m.config.Absent, m.config.Members} {
		for i := range list {
			if list[i].ID == id {
				successor := m.config.Successor(&list[i])
				return successor != nil && !successor.Reborn
			}
		}
	}
	return false
}

// dismiss waits no longer for absent members that have ended, or that do not come back in
// time, or that live on under another ID and are not needed.
func (m *Machine) dismiss(now int64, c *topology.Config, fx *Effects) *topology.Config {
	a := &m.absence
	if len(m.config.Absent) == 0 {
		a.since = nil
		return c
	}
	if a.since == nil {
		a.since = make(map[topology.ID]int64)
	}
	var gone []topology.ID
	for i := range m.config.Absent { // not those of this step, who vote on it
		one := &m.config.Absent[i]
		if _, ok := a.since[one.ID]; !ok {
			a.since[one.ID] = now
		}
		successor := c.Successor(one)
		switch {
		case slices.Contains(c.Voters, one.ID):
			continue // it counts as long as it is not certain that most know of its end
		case (one.Leaving || successor != nil && successor.Reborn) && !c.HeldFor(one.ID):
		case m.gone(one.ID):
			fx.Log = append(fx.Log, one.Addr+" has ended")
		case m.ForgetAfter > 0 && now-a.since[one.ID] > int64(m.ForgetAfter):
			fx.Log = append(fx.Log, one.Addr+" did not come back in time")
		default:
			continue
		}
		delete(a.since, one.ID)
		gone = append(gone, one.ID)
	}
	if len(gone) == 0 {
		return c
	}
	d := c.Forget(gone, m.gone)
	if n := c.Held() - d.Held(); n > 0 {
		fx.Log = append(fx.Log, fmt.Sprintf("%d partitions begin empty: everybody who had them is gone", n))
	}
	return d
}

// restore ends the hold of partitions that somebody who had them has given back.
func (m *Machine) restore(c *topology.Config, fx *Effects) *topology.Config {
	d := c
	for _, f := range m.absence.restored {
		if f.Partition < 0 || f.Partition >= len(d.Partitions) {
			continue
		}
		if p := &d.Partitions[f.Partition]; p.Epoch != f.Epoch || len(p.Held) == 0 {
			continue
		}
		if d == c {
			d = c.Clone()
			d.Stamp.Version++
		}
		p := &d.Partitions[f.Partition]
		p.Held, p.Epoch = nil, d.Stamp
	}
	m.absence.restored = nil
	if n := c.Held() - d.Held(); n > 0 {
		fx.Log = append(fx.Log, fmt.Sprintf("%d partitions are served again", n))
	}
	return d
}

// supersede takes note that a process which asks to join has the place of others at its
// address: these have ended. Unless it is the same process in another life, their data has, too.
func (m *Machine) supersede(now int64, joiner *topology.Member) {
	for _, list := range [][]topology.Member{m.config.Absent, m.config.Members} {
		for i := range list {
			if old := &list[i]; old.Addr == joiner.Addr && old.ID != joiner.ID && old.ID != m.Self.ID {
				if p := m.peer(now, old.ID); joiner.Reborn {
					p.end(now, true)
				} else {
					p.endForGood()
				}
			}
		}
	}
}

// recall probes the absent members in turn: one that is alive hears where the others are, and one
// whose port refuses has ended.
func (m *Machine) recall(now int64, fx *Effects) {
	if len(m.config.Absent) == 0 {
		return
	}
	m.absence.asked++
	gone := m.config.Absent[m.absence.asked%len(m.config.Absent)]
	if m.config.Successor(&gone) != nil {
		return // somebody else is there
	}
	if p := m.peer(now, gone.ID); now-p.heard >= int64(m.Silence)/2 && now-p.tried >= int64(m.Lease) {
		m.redial(now, gone.ID, p, fx)
	}
	fx.Send = append(fx.Send, Envelope{To: gone.ID, Addr: gone.Addr, Msg: &Probe{Mark: mark(m.config)}})
}
