package sim

import "github.com/keepsake-cache/keepsake/providers/peer/internal/part"

// residents are records that are written once, before anything happens, and read by callers
// of every member from then on. Whoever says that one is absent says what is not true,
// whatever has happened to the network.
type residents struct {
	clients *clients
	client  int // the first of the clients, one for each key
}

const residentCache = "residents"

// residents is how many there are: none where memory is scarce, and records are refused.
func (s *Scenario) residents() int {
	if s.Memory > 0 || s.Clients == 0 {
		return 0
	}
	return 2 * s.Partitions
}

// firstResident is the first of their keys.
func (w *world) firstResident() int { return w.scenario.Keys + 2 }

// write stores the records, and calls ready.
func (r *residents) write(ready func()) {
	w := r.clients.world
	left := w.scenario.residents()
	for i := range left {
		var try func()
		try = func() {
			o := r.clients.newOp(r.client+i, w.firstResident()+i)
			if o == nil {
				w.after(10*ms, try)
				return
			}
			o.kind, o.cache, o.value = part.Put, residentCache, w.firstResident()+i
			o.done = func(o *op) {
				switch left--; {
				case o.outcome != done:
					left++
					w.after(10*ms, try)
				case left == 0:
					ready()
				}
			}
			r.clients.open(o)
		}
		try()
	}
}

// read reads one after the other, at any member.
func (r *residents) read(i int) {
	w := r.clients.world
	if w.calm {
		return
	}
	key := w.firstResident() + i
	o := r.clients.newOp(r.client+i, key)
	if o == nil {
		w.after(20*ms, func() { r.read(i) })
		return
	}
	o.cache = residentCache
	o.done = func(o *op) {
		if o.outcome == done && number(o.result.Present.Record) != key {
			w.watch.fail("false: %v, which was never removed", o)
		}
		w.after(w.between(0, 60*ms), func() { r.read(i) })
	}
	r.clients.open(o)
}

// check looks for all of them at rest.
func (r *residents) check() {
	w := r.clients.world
	for i := range w.scenario.residents() {
		key := w.firstResident() + i
		if found, ok := w.finally(residentCache, key); !ok || number(found.Record) != key {
			w.watch.fail("%s, which was never removed, is lost", keyName(key))
		}
	}
}
