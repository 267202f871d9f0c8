package part

import (
	"cmp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// Records are evicted from all caches of a member alike. A put makes as much room as it
// takes, among the records of its partition; if there are too few of them it waits for the
// tick, in which each primary of the member drops its part of what is too much. Room is made
// before it is needed: what others' primaries have stored here as a copy cannot be refused.

// candidates are the records of a primary among which the one to evict is drawn. The one
// that was used least lately of a few is about as good as the least of all (Redis does
// so).
type candidates struct {
	list    []candidate
	sweepAt int // how many of them are enough to look for those that are none any more
	draw    uint64
}

type candidate struct {
	space *space
	entry *entry
}

const draws = 8

// add takes an entry in.
func (c *candidates) add(sp *space, e *entry) {
	if e.is(sampled) {
		return
	}
	if len(c.list) >= c.sweepAt {
		c.sweep()
		c.sweepAt = 2*len(c.list) + 64
	}
	e.flags |= sampled
	c.list = append(c.list, candidate{sp, e})
}

// sweep drops entries that are no candidates any more.
func (c *candidates) sweep() {
	c.list = slices.DeleteFunc(c.list, func(one candidate) bool {
		if !one.entry.live() {
			one.entry.flags &^= sampled
		}
		return !one.entry.live()
	})
}

// sort puts the candidates in an order that is the same in every run.
func (c *candidates) sort() {
	slices.SortFunc(c.list, func(a, b candidate) int {
		return cmp.Or(strings.Compare(a.space.name, b.space.name), strings.Compare(a.entry.key, b.entry.key))
	})
}

// pick returns a record to evict that has no write under way, or none if it found none.
func (c *candidates) pick() (best candidate) {
	for i := 0; i < draws && len(c.list) > 0; i++ {
		c.draw++
		at := int(topology.Mix(c.draw) % uint64(len(c.list)))
		switch one := c.list[at]; {
		case !one.entry.live():
			one.entry.flags &^= sampled
			last := len(c.list) - 1
			c.list[at], c.list[last] = c.list[last], candidate{}
			c.list = c.list[:last]
		case one.entry.busy == 0 && (best.entry == nil || one.entry.lastUsed() < best.entry.lastUsed()):
			best = one
		}
	}
	return best
}

// use notes that the entry was read. Reads may be concurrent.
func (e *entry) use(now int64) { atomic.StoreUint32(&e.used, uint32(now/int64(time.Second))) }

func (e *entry) lastUsed() uint32 { return atomic.LoadUint32(&e.used) }

const (
	// maxEvicted is how many records a step of a primary evicts at most.
	maxEvicted = 256
	// roomWait is how long a put waits for room that others make, in nanoseconds.
	roomWait = int64(500 * time.Millisecond)
)

// evict drops records of about so many bytes, but not that of keep.
func (r *Replica) evict(now Now, bytes int64, keep *entry) {
	for range maxEvicted {
		if bytes <= 0 || r.lead.full() {
			return
		}
		victim := r.sample.pick()
		if victim.entry == nil {
			return
		}
		if victim.entry == keep {
			continue
		}
		bytes -= victim.entry.cost() + int64(victim.entry.size)
		it := Item{Kind: ItemDelete, Cause: ByLack, Cache: victim.space.name, Key: victim.entry.key, Version: r.stamp(now)}
		r.counters.Evicted++
		r.write(now, it, nil, Result{})
	}
}

// makeRoom reports whether there is memory for a record, after evicting others if need be
// and if they may be. If there is none, it answers the request, or has it wait while the
// member's other primaries make room.
func (r *Replica) makeRoom(now Now, req *Request, e *entry, size int, fx *Effects) bool {
	more := int64(size)
	if e.live() {
		more -= int64(e.size)
	} else {
		more += int64(len(req.Key)) + entryCost
	}
	b := r.o.Memory
	if r.sample != nil && more > 0 && b.excess(more) > 0 {
		r.evict(now, more, e)
	}
	switch {
	case uint64(size) <= maxRecord && b.fits(more):
		return true
	case uint64(size) <= maxRecord && r.sample != nil && more <= b.forRecords() && now.Mono-req.arrived < roomWait:
		b.want(more, now.Mono)
		r.lead.stalled = append(r.lead.stalled, req)
	default:
		r.reply(fx, req, Result{Status: NoSpace})
	}
	return false
}

// shrink evicts this primary's part of what is too much on its member, or some of what is
// too much on a replica's.
func (r *Replica) shrink(now Now) {
	if r.sample == nil || r.frozen || !r.serves(now) {
		return
	}
	part := int64(0)
	if over := r.o.Memory.excess(r.o.Memory.wants(now.Mono)); over > 0 {
		part = 1 + int64(float64(over)*float64(r.bytes)/float64(r.o.Memory.Max))
	}
	if slices.ContainsFunc(r.lead.peers, func(p *peer) bool { return p.full }) {
		part = max(part, 1+r.bytes/128)
	}
	r.evict(now, part, nil)
}

// short reports whether others should evict records of which this member has a copy.
func (r *Replica) short() bool { return r.o.Evicts != nil && r.o.Memory.excess(0) > 0 }

// cramped reports whether this member has no memory for a chunk of a snapshot until records
// have been evicted.
func (r *Replica) cramped(items []Item) bool {
	if r.o.Evicts == nil || r.o.Memory == nil {
		return false
	}
	bytes := int64(0)
	for i := range items {
		bytes += int64(len(items[i].Key)+len(items[i].Record)) + entryCost
	}
	return !r.o.Memory.fits(min(bytes, r.o.Memory.spare()))
}
