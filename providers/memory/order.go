package memory

import (
	"container/list"
	"sync"
)

// An order is the order in which a bounded cache evicts: first in, first out, with a second
// chance for what was read or written again since its last turn. What comes in is fresh. At its
// turn, a fresh entry that was asked for is moved to the used ones, and any other one goes. So
// entries that nobody asks for again displace each other and nothing else. The two are the
// small and the main queue of the algorithm S3-FIFO.
type order struct {
	mu          sync.Mutex // taken while a shard is locked, never the other way round
	fresh, used list.List  // of *entry, the next one in front
}

// freshShare says how many may be fresh before they have their turns: one of so many.
const freshShare = 10

func (o *order) add(e *entry) {
	o.mu.Lock()
	defer o.mu.Unlock()
	e.turn = o.fresh.PushBack(e)
}

func (o *order) remove(e *entry) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fresh.Remove(e.turn) // the list that it is not in ignores it
	o.used.Remove(e.turn)
}

// victim returns the entry to evict, or nil if there is none but that of the key spare.
func (o *order) victim(spare string) *entry {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.fresh.Len()+o.used.Len() < 2 {
		return nil
	}
	for {
		from := &o.used
		if o.freshTurn(spare) {
			from = &o.fresh
		}
		front := from.Front()
		e := front.Value.(*entry)
		if !e.read.Swap(false) && e.key != spare {
			return e
		}
		from.Remove(front)
		e.turn = o.used.PushBack(e)
	}
}

// freshTurn reports whether the next turn is a fresh entry's.
func (o *order) freshTurn(spare string) bool {
	switch fresh, used := o.fresh.Len(), o.used.Len(); used {
	case 0:
		return true
	case 1:
		return fresh > 1 || o.used.Front().Value.(*entry).key == spare
	default:
		return fresh > max(1, (fresh+used)/freshShare)
	}
}
