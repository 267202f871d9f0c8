package part

import (
	"sync/atomic"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// candidates are the entries of a space among which the one to evict is drawn. The one
// that was used least lately of a few is about as good as the least of all (Redis does
// so).
type candidates struct {
	list []*entry
	draw uint64
}

const draws = 8

// add takes an entry in, of a space with so many live entries.
func (c *candidates) add(e *entry, live int) {
	if e.is(sampled) {
		return
	}
	if len(c.list) >= 2*live+64 {
		c.sweep()
	}
	e.flags |= sampled
	c.list = append(c.list, e)
}

// sweep drops entries that are no candidates any more.
func (c *candidates) sweep() {
	kept := c.list[:0]
	for _, e := range c.list {
		if e.live() {
			kept = append(kept, e)
		} else {
			e.flags &^= sampled
		}
	}
	clear(c.list[len(kept):])
	c.list = kept
}

// pick returns an entry to evict that has no write under way, or nil if it found none.
func (c *candidates) pick() *entry {
	var best *entry
	for i := 0; i < draws && len(c.list) > 0; i++ {
		c.draw++
		at := int(topology.Mix(c.draw) % uint64(len(c.list)))
		switch e := c.list[at]; {
		case !e.live():
			e.flags &^= sampled
			last := len(c.list) - 1
			c.list[at], c.list[last] = c.list[last], nil
			c.list = c.list[:last]
		case e.busy == 0 && (best == nil || e.lastUsed() < best.lastUsed()):
			best = e
		}
	}
	return best
}

// use notes that the entry was read. Reads may be concurrent.
func (e *entry) use(now int64) { atomic.StoreUint32(&e.used, uint32(now/int64(time.Second))) }

func (e *entry) lastUsed() uint32 { return atomic.LoadUint32(&e.used) }
