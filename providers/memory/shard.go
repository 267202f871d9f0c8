package memory

import (
	"container/heap"
	"container/list"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// A shard is a part of a cache's entries and the queue of their deadlines.
type shard struct {
	mu      sync.RWMutex
	entries map[string]*entry
	queue   deadlines
}

// An entry is guarded by its shard's lock.
type entry struct {
	key      string
	record   []byte
	version  uint64
	deadline int64 // microseconds since 1970; 0: never
	queued   int64 // the deadline under which it stands in the queue; 0: it does not
	place    int   // in the queue
	turn     *list.Element
	read     atomic.Bool // since its last turn
}

func (e *entry) item() driver.Item {
	item := driver.Item{Key: e.key, Record: e.record, Token: driver.Token{N: e.version}}
	if e.deadline != 0 {
		item.Deadline = time.UnixMicro(e.deadline)
	}
	return item
}

func (e *entry) dead() bool {
	return e.deadline != 0 && e.deadline <= time.Now().UnixMicro()
}

// setDeadline moves an entry's deadline. An entry stands in the queue at its
// deadline or before, so a deadline that moves on costs nothing until the old one
// comes.
func (c *cache) setDeadline(s *shard, e *entry, deadline time.Time) {
	e.deadline = 0
	if deadline.IsZero() {
		return
	}
	// Microseconds, since nanoseconds overflow in the year 2262; rounded up, since
	// nothing may expire early.
	e.deadline = deadline.Add(time.Microsecond - 1).UnixMicro()
	switch {
	case e.queued == 0:
		e.queued = e.deadline
		heap.Push(&s.queue, e)
	case e.deadline < e.queued:
		e.queued = e.deadline
		heap.Fix(&s.queue, e.place)
	default:
		return
	}
	c.expect(e.deadline)
}

// items returns the live items.
func (s *shard) items() []driver.Item {
	s.mu.RLock()
	defer s.mu.RUnlock()
	items := make([]driver.Item, 0, len(s.entries))
	for _, e := range s.entries {
		if !e.dead() {
			items = append(items, e.item())
		}
	}
	return items
}
