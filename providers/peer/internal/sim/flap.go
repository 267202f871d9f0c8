package sim

import "slices"

// What happens to a network that is neither whole nor cut for good. Most of these faults are
// about as short as it takes the members to notice them.

// ShortCuts separates the hosts in two, again and again.
func ShortCuts(w *world) {
	w.flapping(w.between(2, 8), func() func(from, to *host) bool {
		side := w.sides()
		return func(from, to *host) bool { return side[from.n] != side[to.n] }
	})
}

// Flap cuts one host off from the others, again and again.
func Flap(w *world) {
	w.flapAround(w.victim())
}

// FlapFirst is Flap of the first host.
func FlapFirst(w *world) { w.flapAround(w.hosts[0]) }

func (w *world) flapAround(h *host) {
	w.flapping(w.between(2, 8), func() func(from, to *host) bool { return around(h) })
}

// Seclude cuts one host off from the others and from its callers, once. A cut that is shorter than
// Silence replaces nobody, and the callers come back at once; after a longer one they do when
// the members have met.
func Seclude(w *world) {
	h := w.victim()
	d, lineages := w.while(1500*ms), len(w.watch.lineages)
	w.stalls = w.IntN(3) > 0
	h.secluded = true
	w.clients.seclude(h)
	w.sever(around(h), d, func() {
		short := d < int64(silence)
		h.secluded = !short
		w.hold(reunion, func() {
			h.secluded = false
			if short && len(w.watch.lineages) > lineages {
				w.watch.fail("somebody was replaced for a cut of %d ms", d/ms)
			}
		})
	})
}

// reunion is how long after a cut members that went on alone are one grid again, or about to be: one
// and a half times Silence.
const reunion = 600 * ms

// FlapLink cuts what one host sends to another one, or both ways, again and again.
func FlapLink(w *world) {
	a, b := w.victim(), w.victim()
	w.flapping(w.between(2, 8), func() func(from, to *host) bool {
		oneWay := w.IntN(2) == 0
		return func(from, to *host) bool { return from == a && to == b || !oneWay && from == b && to == a }
	})
}

// Lossy loses a quarter of the packets from and to one host.
func Lossy(w *world) {
	w.lossy = w.victim()
	w.log("LOSSY %v", w.lossy.member)
	w.hold(w.between(300*ms, 2500*ms), func() { w.lossy = nil })
}

// DelayLink has what one host sends to another one take half of the time after which it would have
// failed.
func DelayLink(w *world) {
	a, b := w.victim(), w.victim()
	w.log("DELAY from %v to %v", a.member, b.member)
	w.far = func(from, to *host) bool { return from == a && to == b && a != b }
	w.hold(w.between(300*ms, 2500*ms), func() { w.far = nil })
}

// Repeat has what one host sends to another one arrive again now and then, later than what was
// sent after it.
func Repeat(w *world) {
	a, b := w.victim(), w.victim()
	w.log("REPEAT from %v to %v", a.member, b.member)
	w.repeated = func(from, to *host) bool { return from == a && to == b && a != b }
	w.hold(w.between(300*ms, 2500*ms), func() { w.repeated = nil })
}

// Far lets what a host sends, or is sent, take half of the time after which it would have failed.
// Nobody is replaced for that, and as long as the configuration stays everything is served, but for a
// moment.
func Far(w *world) {
	h, out, lineages, steps := w.victim(), w.IntN(2) == 0, len(w.watch.lineages), len(w.watch.order)
	w.log("FAR %v, what it sends: %v", h.member, out)
	w.far = func(from, to *host) bool { return from != to && (out && from == h || !out && to == h) }
	end := func() {
		if i := w.unleased(); i >= 0 && len(w.watch.order) == steps {
			w.watch.fail("partition %d is not served while %v is far away", i, h.member)
		}
		w.far = nil
		if len(w.watch.lineages) > lineages {
			w.watch.fail("somebody was replaced since %v is far away", h.member)
		}
	}
	w.hold(w.between(1000*ms, 3000*ms), func() {
		if w.unleased() < 0 {
			end()
			return
		}
		w.hold(100*ms, end)
	})
}

// unleased returns a partition that nobody may serve now, -1 if there is none.
func (w *world) unleased() int {
	for i := range w.scenario.Partitions {
		leased := func(m *member) bool { return m.primary(i) && m.time(i).Lease > m.mono() }
		if !slices.ContainsFunc(w.running(), leased) {
			return i
		}
	}
	return -1
}

// around cuts a host off.
func around(h *host) func(from, to *host) bool {
	return func(from, to *host) bool { return (from == h) != (to == h) }
}

// flapping makes so many cuts in a row, all of which lose what is under way or let it wait.
func (w *world) flapping(n int64, cut func() func(from, to *host) bool) {
	w.stalls = w.IntN(3) > 0
	var next func()
	next = func() {
		n--
		w.sever(cut(), w.while(900*ms), func() {
			if n > 0 {
				w.busy = true
				w.after(w.between(10*ms, 400*ms), next)
			}
		})
	}
	next()
}
