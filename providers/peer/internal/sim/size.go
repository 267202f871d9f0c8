package sim

import (
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/view"
)

// Sizes is what a cluster of some size costs. The times are simulated, with the
// simulation's heartbeats, leases and hand-overs of 5 to 100 ms.
type Sizes struct {
	Members int
	// Config is the size in bytes of the whole configuration, Change of what one
	// step of a plan sends to each member, on average.
	Config, Change int
	// Join is the time from the start of one more member until all is where it
	// should be, Copies how many partitions were copied, and Steps how many
	// configurations it took.
	Join          time.Duration
	Copies, Steps int
	// Crash is the time from a coordinator's crash until all partitions have
	// primaries again, and Repair until they have all their copies.
	Crash, Repair time.Duration
	// Messages is how many a member sends in a second at rest.
	Messages int
}

// Size measures clusters of partitions without contents.
func Size(members, partitions int) Sizes {
	w := newWorld(1, Scenario{Hosts: members, Partitions: partitions, Copies: 2, Bare: true}, 0, nil)
	w.begin()
	w.rest()
	out := Sizes{Members: members}
	config := w.running()[0].view.Config()
	out.Config = len(view.Append(nil, &view.Publish{Config: config}))

	began := w.now
	w.start(w.newHost(), false)
	out.Join = w.rest() - time.Duration(began)
	var base topology.Stamp
	for _, c := range w.watch.order {
		if !config.Newer(c) && c != config {
			out.Steps++
			out.Change += len(view.Append(nil, &view.Publish{Base: base, Config: c}))
			for i := range c.Partitions {
				if p := &c.Partitions[i]; p.Learner != 0 && p.Epoch == c.Stamp {
					out.Copies++
				}
			}
		}
		base = c.Stamp
	}
	out.Change /= max(1, out.Steps)

	sent := w.queue.n
	w.run(w.now + 1000*ms)
	out.Messages = int(w.queue.n-sent) / len(w.hosts)

	first := w.running()[0].view.Config().Coordinator()
	gone := w.members[first]
	began = w.now
	gone.host.wanted = false
	w.crash(gone.host)
	for w.now < began+60000*ms && (w.running()[0].view.Config().Has(first) || w.running()[1].view.Config().Has(first)) {
		w.run(w.now + 5*ms)
	}
	out.Crash = time.Duration(w.now - began)
	out.Repair = w.rest() - time.Duration(began)
	return out
}

// rest waits until the cluster is whole and nothing changes any more, and returns when
// that began.
func (w *world) rest() time.Duration {
	since, seen := w.now, 0
	for w.now < since+1000*ms {
		w.run(w.now + 10*ms)
		if n := len(w.watch.order); n != seen || !w.settled() {
			since, seen = w.now, n
		}
	}
	return time.Duration(since)
}
