package sim

import (
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/view"
)

// A Scenario is a cluster and what happens to it.
type Scenario struct {
	Name string
	// Hosts is how many members there are at rest.
	Hosts int
	// Partitions, Copies and Keys size the grid; Clients is how many callers there
	// are.
	Partitions, Copies, Keys, Clients int
	// Sync and MinCopies are the options of the partitions, and Split and ForgetAfter are those
	// of the view.
	Sync, MinCopies int
	Split           view.Split
	ForgetAfter     time.Duration
	// Memory is how many bytes each member may use; zero: any amount. Evicts: the clients'
	// records may be dropped for lack of it, so that histories are not linearizable.
	Memory int64
	Evicts bool
	// Tombstones is how many deletions of a cache are remembered by their keys. Zero: all.
	Tombstones int
	// Sets and Scans: there are contributors, and a scanner.
	Sets, Scans bool
	// Founders: every host begins a cluster of its own.
	Founders bool
	// Splits: both sides of a cut may accept writes, so that histories are not
	// linearizable, but the latest write of each key survives.
	Splits bool
	// Shy: nobody calls the first host, so that histories are linearizable although it is
	// free to go on alone.
	Shy bool
	// ShortBackupTimeout: a replica is silent before its member has failed.
	ShortBackupTimeout bool
	// Graceful: nobody fails, so that copies never get fewer.
	Graceful bool
	// Noise: connections break and come back all the time.
	Noise bool
	// Eager: the next fault comes at once when the cluster is whole and serves.
	Eager bool
	// Bare: partitions without contents, and no clients.
	Bare bool
	// Faults are drawn from. The next one comes when the cluster is whole again.
	Faults []Fault
}

// A Fault is something that happens to a cluster.
type Fault func(w *world)

// nemesis makes faults, one at a time.
func (w *world) nemesis() {
	if w.calm || len(w.scenario.Faults) == 0 {
		return
	}
	if w.scenario.Eager {
		w.after(w.between(ms, 10*ms), w.nemesis)
	} else {
		w.after(w.between(10*ms, 90*ms), w.nemesis)
	}
	if !w.settled() || w.cut != nil || w.busy || !w.quiet() {
		w.whole = never
		return
	}
	if w.whole == never {
		w.whole = w.now
	}
	if w.scenario.Eager || w.now-w.whole > 120*ms {
		w.whole = never
		w.scenario.Faults[w.IntN(len(w.scenario.Faults))](w)
	}
}

// quiet reports whether everything is served, and every write has been acknowledged by
// all.
func (w *world) quiet() bool {
	if !w.served() {
		return false
	}
	for _, m := range w.running() {
		for _, p := range m.parts {
			if p.Stats().Uncommitted > 0 {
				return false
			}
		}
	}
	return true
}

// noise breaks connections.
func (w *world) noise() {
	if w.calm || !w.scenario.Noise {
		return
	}
	w.after(w.between(10*ms, 100*ms), w.noise)
	if a, b := w.victim().member, w.victim().member; a != nil && b != nil && a != b {
		w.log("BREAK %v %v", a, b)
		w.reset(a, b)
	}
}

// while draws how long a fault lasts: often about as long as it takes the others to
// notice, when some have and some have not.
func (w *world) while(longest int64) int64 {
	if w.IntN(2) == 0 {
		return w.between(int64(silence)-80*ms, int64(silence)+200*ms)
	}
	return w.between(50*ms, longest)
}

func (w *world) victim() *host { return w.hosts[w.IntN(len(w.hosts))] }

// Crash ends a process at once. Another one starts later.
func Crash(w *world) {
	h := w.victim()
	w.crash(h)
	w.after(w.between(50*ms, 900*ms), func() { w.start(h, false) })
}

// Pause stops a process for a while. What arrived in the meantime waits for it.
func Pause(w *world) {
	h := w.victim()
	m := h.member
	h.pausedTil = w.now + w.while(1000*ms)
	w.log("PAUSE %v till %.3f", m, float64(h.pausedTil)/float64(ms))
	first := w.between(0, 30*ms) // whether timers or messages wake up first is open
	w.after(h.pausedTil-w.now, func() {
		w.log("WAKE %v", m)
		h.wokeAt = w.now
		inbox := m.inbox
		m.inbox = nil
		for i, d := range inbox {
			w.after(first+int64(i)*ms/8, func() {
				if m.alive() {
					m.receive(d.from, d.msg)
				}
			})
		}
	})
}

// Slow delays what a host sends and gets.
func Slow(w *world) {
	h := w.victim()
	w.log("SLOW %v", h.member)
	h.slow = true
	w.hold(w.between(100*ms, 600*ms), func() { h.slow = false })
}

// Reset breaks the connections between two members.
func Reset(w *world) {
	a, b := w.victim(), w.victim()
	if a != b {
		w.log("RESET %v %v", a.member, b.member)
		w.reset(a.member, b.member)
	}
}

// SetClock sets a wall clock, by up to maxSkew from the right time.
func SetClock(w *world) {
	h := w.victim()
	h.skew = newSkew(w)
	w.log("CLOCK of %v: %v", h.member, h.skew)
}

// Cut separates two groups of hosts for a while.
func Cut(w *world) {
	side := w.sides()
	w.sever(func(from, to *host) bool { return side[from.n] != side[to.n] }, w.while(2000*ms))
}

// CutOneWay loses what one group of hosts sends to the other, but not the other way.
func CutOneWay(w *world) {
	side := w.sides()
	w.sever(func(from, to *host) bool { return side[from.n] && !side[to.n] }, w.while(2000*ms))
}

// CutPair separates two hosts, that others reach both.
func CutPair(w *world) {
	a, b := w.victim(), w.victim()
	w.sever(func(from, to *host) bool { return from == a && to == b || from == b && to == a }, w.while(2000*ms))
}

// sides divides the hosts in two.
func (w *world) sides() []bool {
	side := make([]bool, len(w.hosts))
	for {
		n := 0
		for i := range side {
			if side[i] = w.IntN(2) == 0; side[i] {
				n++
			}
		}
		if n > 0 && n < len(side) {
			return side
		}
	}
}

// sever cuts connections for a while. What is to follow does so when they are whole again.
func (w *world) sever(cut func(from, to *host) bool, d int64, follow ...func()) {
	w.log("CUT")
	for _, a := range w.hosts {
		for _, b := range w.hosts {
			if cut(a, b) {
				w.log("  %v cannot reach %v", a.member, b.member)
			}
		}
	}
	w.cut = cut
	w.hold(d, func() {
		w.log("HEAL")
		w.cut, w.stalls = nil, false
		for _, do := range follow {
			do()
		}
	})
}

// hold keeps other faults away until something is over.
func (w *world) hold(d int64, over func()) {
	w.busy = true
	w.after(d, func() {
		w.busy = false
		over()
	})
}

// Restart lets a member leave, and starts another one on its host when it has.
func Restart(w *world) {
	h := w.victim()
	m := h.member
	w.log("LEAVE %v", m)
	w.busy = true
	h.wanted = false
	m.do(func(now int64, fx *view.Effects) { m.view.Leave(now, fx) })
	var wait func()
	wait = func() {
		if m.alive() && !m.view.Left(m.mono()) {
			w.after(20*ms, wait)
			return
		}
		w.log("LEFT %v", m)
		if m.alive() {
			h.member = nil
			w.clients.crashed(m)
		}
		w.after(w.between(10*ms, 600*ms), func() {
			w.busy = false
			w.start(h, false)
		})
	}
	wait()
}

// Storm lets many members join at once, and leave again later.
func Storm(w *world) {
	w.busy = true
	var guests []*host
	for range 1 + w.IntN(4) {
		h := w.newHost()
		guests = append(guests, h)
		w.after(w.between(0, 50*ms), func() { w.start(h, false) })
	}
	w.after(w.between(300*ms, 900*ms), func() { w.bye(guests) })
}

// bye lets guests leave, and ends the fault that brought them.
func (w *world) bye(guests []*host) {
	for _, h := range guests {
		m := h.member
		h.wanted = false
		w.log("LEAVE %v", m)
		if m == nil {
			continue
		}
		m.do(func(now int64, fx *view.Effects) { m.view.Leave(now, fx) })
	}
	var wait func()
	wait = func() {
		for _, h := range guests {
			if m := h.member; m != nil {
				if !m.view.Left(m.mono()) {
					w.after(20*ms, wait)
					return
				}
				w.log("LEFT %v", m)
				h.member = nil
				w.clients.crashed(m)
			}
		}
		w.hosts = w.hosts[:w.scenario.Hosts]
		w.busy = false
	}
	wait()
}

// newSkew draws how far a wall clock is from the right time.
func newSkew(w *world) time.Duration {
	return time.Duration(w.between(-int64(maxSkew), int64(maxSkew)))
}

// maxSkew is how far. Since members compare deadlines by their clocks, a record may
// expire that much, twice, before its time.
const maxSkew = 200 * time.Millisecond
