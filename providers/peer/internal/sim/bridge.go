package sim

import "slices"

// Bridge separates two hosts that others reach both, for long. After a while every partition
// must be served by somebody, and go on being served.
func Bridge(w *world) {
	a := w.victim()
	b := w.victim()
	for a == b {
		b = w.victim()
	}
	w.sever(func(from, to *host) bool { return from == a && to == b || from == b && to == a }, w.between(2500*ms, 4000*ms))
	w.after(calmAfter, w.unserved)
}

// Deafen loses what one host is sent, for long. Likewise, the others must serve everything.
func Deafen(w *world) {
	h := w.victim()
	w.sever(func(from, to *host) bool { return to == h && from != h }, w.between(2500*ms, 4000*ms))
	w.after(calmAfter, w.unserved)
}

const (
	calmAfter = 1200 * ms // simulated failures take 400 ms to be noticed
	maxOutage = 400 * ms  // of a partition, after that, or of a write
)

// maxSteps is how many configurations there may be after that.
const maxSteps = 6

// unserved looks for partitions that nobody serves, as long as the network is cut. The cut may have
// come before most of two members knew of a third: then they cannot go on without the oldest.
func (w *world) unserved() {
	if slices.ContainsFunc(w.running(), func(m *member) bool { return m.view.Config() != nil && len(m.view.Config().Voters) > 0 }) {
		return
	}
	out, steps := make([]int64, w.scenario.Partitions), len(w.watch.order)
	const step = 10 * ms
	var look func()
	look = func() {
		if w.cut == nil {
			if n := len(w.watch.order) - steps; n > maxSteps {
				w.watch.fail("there are %d configurations while two members cannot reach each other", n)
			}
			return
		}
		for i := range out {
			served := false
			for _, m := range w.running() {
				served = served || m.atWork(i)
			}
			if served {
				out[i] = 0
				continue
			}
			if out[i] += step; out[i] == maxOutage {
				w.watch.fail("partition %d is out of reach for %d ms while two members cannot reach each other", i, maxOutage/ms)
			}
		}
		w.after(step, look)
	}
	look()
}

// atWork reports whether a member serves a partition, and no write waits for another one.
func (m *member) atWork(partition int) bool {
	if m.view.Config() == nil || !m.primary(partition) {
		return false
	}
	if m.world.scenario.Bare {
		return m.time(partition).Lease > m.mono()
	}
	return m.serves(partition) && m.parts[partition].Stats().Uncommitted == 0
}
