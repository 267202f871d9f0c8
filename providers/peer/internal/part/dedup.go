package part

// done remembers the latest operations that were executed, so that one that is sent
// again is not executed again. Its number is bounded: a request must not be sent again
// after others have pushed it out.
type done struct {
	ring  []Done // the oldest is at next, once it is full
	next  int
	index map[OpID]int32
}

const doneMax = 1024

// note remembers an operation. Version zero: it changed nothing.
func (d *done) note(op OpID, version Version) {
	if op == (OpID{}) {
		return
	}
	if at, ok := d.index[op]; ok {
		d.ring[at].Version = version
		return
	}
	if d.index == nil {
		d.index = make(map[OpID]int32)
	}
	at := len(d.ring)
	if at < doneMax {
		d.ring = append(d.ring, Done{op, version})
	} else {
		at = d.next
		d.next = (d.next + 1) % doneMax
		delete(d.index, d.ring[at].Op)
		d.ring[at] = Done{op, version}
	}
	d.index[op] = int32(at)
}

// find returns the version that an operation wrote, if it was executed.
func (d *done) find(op OpID) (Version, bool) {
	at, ok := d.index[op]
	if !ok || op == (OpID{}) {
		return 0, false
	}
	return d.ring[at].Version, true
}

// list returns the operations, the oldest first.
func (d *done) list() []Done {
	return append(append([]Done(nil), d.ring[d.next:]...), d.ring[:d.next]...)
}
