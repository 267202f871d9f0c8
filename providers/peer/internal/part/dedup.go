package part

import "github.com/keepsake-cache/keepsake/providers/peer/internal/topology"

// done remembers the latest operations that were executed, so that one that is sent
// again is not executed again. Its number is bounded: a request must not be sent again
// after others have pushed it out. There is one for each partition of a member, and most
// are full, so that it has an index of its own, which is smaller than a map.
type done struct {
	ring []Done // the oldest is at next, once it is full
	next int
	// heads are the latest operations of each hash, and links, of each place in the
	// ring, the one before of the same hash. Both count places from one; zero is none.
	heads, links []uint16
}

const doneMax = 1024

func (op OpID) hash() uint64 { return topology.Mix(op.Client^topology.Mix(op.Seq)) % doneMax }

// note remembers an operation. Version zero: it changed nothing.
func (d *done) note(op OpID, version Version) {
	if op == (OpID{}) {
		return
	}
	if known := d.at(op); known != nil {
		known.Version = version
		return
	}
	if d.heads == nil {
		d.heads = make([]uint16, doneMax)
	}
	at := len(d.ring)
	if at < doneMax {
		d.grow()
	} else {
		at = d.next
		d.next = (d.next + 1) % doneMax
		d.forget(at)
	}
	d.ring[at] = Done{op, version}
	head := &d.heads[op.hash()]
	d.links[at], *head = *head, uint16(at)+1
}

// grow adds a place to the ring. The memory doubles up to that of a full one.
func (d *done) grow() {
	n := len(d.ring)
	if n == cap(d.ring) {
		most := min(max(2*n, 16), doneMax)
		d.ring = append(make([]Done, 0, most), d.ring...)
		d.links = append(make([]uint16, 0, most), d.links...)
	}
	d.ring, d.links = d.ring[:n+1], d.links[:n+1]
}

// forget takes the oldest operation, which is at this place, out of the index: it is the last
// of its hash.
func (d *done) forget(at int) {
	link := &d.heads[d.ring[at].Op.hash()]
	for *link != uint16(at)+1 {
		link = &d.links[*link-1]
	}
	*link = 0
}

// at returns what is remembered of an operation, or nil.
func (d *done) at(op OpID) *Done {
	if d.heads == nil {
		return nil
	}
	for place := d.heads[op.hash()]; place != 0; place = d.links[place-1] {
		if known := &d.ring[place-1]; known.Op == op {
			return known
		}
	}
	return nil
}

// find returns the version that an operation wrote, if it was executed.
func (d *done) find(op OpID) (Version, bool) {
	if known := d.at(op); known != nil {
		return known.Version, true
	}
	return 0, false
}

// list returns the operations, the oldest first.
func (d *done) list() []Done {
	return append(append([]Done(nil), d.ring[d.next:]...), d.ring[:d.next]...)
}
