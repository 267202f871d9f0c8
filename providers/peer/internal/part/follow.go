package part

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/rules"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// A follower is what a backup or a learner knows beyond its contents.
type follower struct {
	// recv is the number of the last write of the reign that it has, of which
	// there is none missing before.
	recv    uint64
	settled uint64 // the last one that everybody in sync has, for all it knows
	// tail are the writes after settled, up to recv.
	tail []Item
	// earlier are the tails of earlier reigns, until everybody in sync has what was
	// carried over.
	earlier []Item
	// owed are requests that this member executed when it was primary. They are
	// answered when everybody in sync has what the new primary carries over.
	owed []owed
	// exact: it was the primary of the reign before, and knows all deadlines.
	exact bool
	// learning is nil in sync.
	learning *learning
}

type owed struct {
	req    *Request
	result Result
}

// owe takes over the requests of a primary that can be recognised in the next reign.
func (f *follower) owe(writes []write) {
	for i := range writes {
		if w := &writes[i]; w.req != nil && w.req.Op != (OpID{}) {
			f.owed = append(f.owed, owed{w.req, w.result})
			w.req = nil
		}
	}
}

// pay answers the request that an item comes from.
func (f *follower) pay(r *Replica, it *Item, fx *Effects) {
	f.owed = slices.DeleteFunc(f.owed, func(o owed) bool {
		if o.req.Op != it.Op {
			return false
		}
		o.result.Copies = len(r.inSync)
		r.reply(fx, o.req, o.result)
		return true
	})
}

// giveUp answers the requests that are owed: what became of them is not known.
func (f *follower) giveUp(r *Replica, fx *Effects) {
	for _, o := range f.owed {
		r.reply(fx, o.req, o.result.unknown(r.epoch))
	}
	f.owed = nil
}

// reign begins a new numbering.
func (f *follower) reign() {
	f.earlier = distinct(slices.Concat(f.earlier, f.tail))
	f.tail, f.recv, f.settled = nil, 0, 0
	f.exact = false
}

// stale reports whether a message of the primary comes from before what this replica
// knows, and says so to the sender. A message of an epoch that is not known yet is stale
// in no way; it is ignored, since the configuration is on its way.
func (r *Replica) stale(from topology.ID, term uint64, epoch topology.Stamp, fx *Effects) bool {
	if !r.o.Rules.On(rules.Fence) || term >= r.promised && !epoch.Less(r.epoch) {
		return false
	}
	fx.send(from, &Refuse{Partition: r.o.Partition, Term: r.promised, Epoch: r.epoch})
	return true
}

// current reports whether a message belongs to the present epoch.
func (r *Replica) current(epoch, reign topology.Stamp) bool {
	return reign == r.reign && (epoch == r.epoch || !r.o.Rules.On(rules.Fence) && epoch.Less(r.epoch))
}

// replicated takes writes from the primary.
func (r *Replica) replicated(now Now, from topology.ID, m *Replicate, fx *Effects) {
	if r.stale(from, m.Term, m.Epoch, fx) || !r.current(m.Epoch, m.Reign) {
		return
	}
	f := r.follow
	if f == nil || f.learning != nil && f.learning.id == 0 {
		return
	}
	for i := range m.Items {
		seq := m.First + uint64(i)
		if seq <= f.recv {
			continue
		}
		if seq > f.recv+1 && (f.learning == nil || r.o.Rules.On(rules.NumberedStream)) {
			break // one before it is missing
		}
		f.recv = seq
		it := r.take(&m.Items[i], now)
		f.tail = append(f.tail, it)
		if f.learning != nil {
			f.learning.hear(it)
		}
	}
	f.settle(r, min(m.Settled, f.recv), m.Rolled, fx)
	fx.send(from, &Acknowledge{Partition: r.o.Partition, Epoch: m.Epoch, Reign: m.Reign, Seq: f.recv, Full: r.short()})
	if g := f.learning; g != nil && g.last > 0 {
		r.confirm(from, fx)
	}
}

// take applies an item of a message and returns what to keep of it.
func (r *Replica) take(m *Item, now Now) Item {
	it := r.own(m)
	it.arrive(now.Mono)
	r.apply(&it, now.Mono, false)
	r.dropTombstone(&it)
	r.done.note(it.Op, it.Version)
	return it
}

// settle forgets the tail up to what everybody in sync has.
func (f *follower) settle(r *Replica, settled, rolled uint64, fx *Effects) {
	if settled > f.settled {
		n := min(settled-f.settled, uint64(len(f.tail)))
		for i := uint64(0); i < n && len(f.owed) > 0; i++ {
			f.pay(r, &f.tail[i], fx)
		}
		clear(f.tail[:n])
		if f.tail = f.tail[n:]; len(f.tail) == 0 {
			f.tail = nil
		}
		f.settled = settled
	}
	if f.settled >= rolled {
		f.earlier = nil
		f.giveUp(r, fx)
	}
}

// pulled gives a new primary the tail.
func (r *Replica) pulled(now Now, from topology.ID, m *Pull, fx *Effects) {
	if r.stale(from, m.Term, m.Epoch, fx) || !r.current(m.Epoch, m.Reign) {
		return
	}
	if f := r.follow; f != nil && f.learning == nil {
		items := aged(slices.Concat(f.earlier, f.tail), now.Mono)
		if f.exact {
			items = append(items, r.touches(now.Mono)...)
		}
		fx.send(from, &Tail{Partition: r.o.Partition, Reign: r.reign, Items: items, Exact: f.exact})
	}
}

// touches returns the deadlines that the other replicas do not know exactly.
func (r *Replica) touches(now int64) []Item {
	var items []Item
	for _, sp := range r.list {
		begin := len(items)
		for _, e := range sp.entries {
			if e.live() && e.deadline != 0 && (e.lag > 0 || e.is(graced)) {
				it := e.item(sp.name, now, r.origin)
				it.Kind, it.Record = ItemTouch, nil
				it.Left = time.Duration(max(1, e.deadline-now))
				it.Touched = !e.is(graced) // grace is not given twice
				items = append(items, it)
			}
		}
		slices.SortFunc(items[begin:], func(a, b Item) int { return strings.Compare(a.Key, b.Key) })
	}
	return items
}

// own returns an item that is no part of a message's buffer.
func (r *Replica) own(m *Item) Item {
	it := *m
	it.Record = bytes.Clone(it.Record)
	sp, e := r.lookup(it.Cache, it.Key)
	if sp != nil {
		it.Cache = sp.name
	} else {
		it.Cache = strings.Clone(it.Cache)
	}
	if e != nil {
		it.Key = e.key
	} else {
		it.Key = strings.Clone(it.Key)
	}
	return it
}

// ownAll is own for a list that has just come.
func (r *Replica) ownAll(items []Item, now int64) []Item {
	list := make([]Item, len(items))
	for i := range items {
		list[i] = r.own(&items[i])
		list[i].arrive(now)
	}
	return list
}
