package sim

import (
	"slices"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// What may happen to a cluster whose writes are acknowledged before all copies have them:
// some members are late, and another one fails or leaves before they have caught up.

// Lag delays the writes that a host gets, and crashes another one meanwhile.
func Lag(w *world) {
	h := w.victim()
	w.log("LATE %v", h.member)
	h.late = true
	w.busy = true
	w.after(w.between(20*ms, 300*ms), func() {
		if other := w.victim(); other != h && other.member != nil {
			w.crash(other)
			w.after(w.between(50*ms, 900*ms), func() { w.start(other, false) })
		}
		w.after(w.between(0, 300*ms), func() {
			h.late = false
			w.busy = false
		})
	})
}

// RestartLate is Restart while the writes that a host gets are delayed.
func RestartLate(w *world) {
	h := w.victim()
	w.log("LATE %v", h.member)
	h.late = true
	w.after(w.between(20*ms, 600*ms), func() { h.late = false })
	Restart(w)
}

// Shift lets a member join and leave again while all hosts but one are late, and crashes
// the primary of the first partition one of whose copies is dropped.
func Shift(w *world) {
	w.busy = true
	guest := w.newHost()
	w.start(guest, false)
	punctual := w.replaced(guest.member)
	for _, h := range w.hosts {
		h.late = h.member != punctual
	}
	w.log("LATE all but %v", punctual)
	w.watch.dropped = func(p *topology.Partition) {
		w.watch.dropped = nil
		w.after(w.between(0, 30*ms), func() {
			m := w.members[p.Primary]
			if !m.alive() {
				return
			}
			w.crash(m.host)
			if m.host != guest {
				w.after(w.between(50*ms, 900*ms), func() { w.start(m.host, false) })
			}
		})
	}
	w.after(w.between(300*ms, 1500*ms), func() {
		w.watch.dropped = nil
		for _, h := range w.hosts {
			h.late = false
		}
		w.bye([]*host{guest})
	})
}

// replaced returns a member whose copy of a partition a guest will take over.
func (w *world) replaced(guest *member) *member {
	c := w.running()[0].view.Config()
	members := append(slices.Clone(c.Members), topology.Member{ID: guest.id})
	for i, target := range topology.Target(members, len(c.Partitions), w.scenario.Copies) {
		for _, id := range c.Partitions[i].InSync {
			if !slices.Contains(target, id) {
				return w.members[id]
			}
		}
	}
	return w.victim().member
}
