package sim

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
)

// A request is an operation on its way to a primary, and a response the way back.
type request struct {
	op      *op
	attempt int
	from    *member
	lineage uint64
	expires int64
}

type response struct {
	op      *op
	attempt int
	result  part.Result
}

// execute runs an operation at what its sender takes for the primary.
func (m *member) execute(msg *request) {
	w := m.world
	o := msg.op
	p := o.key
	r := &part.Request{Kind: o.kind, Cache: o.cache, Op: part.OpID{Client: uint64(o.client + 1), Seq: uint64(o.id)}}
	if o.kind != part.Clear {
		p, r.Key = w.partition(o.key), keyName(o.key)
	}
	if o.value != 0 {
		r.Record = w.padded(o.value)
	}
	if o.record != nil {
		r.Record = o.record
	}
	if o.kind == part.Process {
		r.Processor, r.Args, r.Record = replace, r.Record, nil
	}
	r.TTL = o.ttl
	if o.kind == part.Touch {
		r.TTL = time.Hour
	}
	r.Token, r.Lineage = o.demand.version, msg.lineage
	m.tag++
	r.Tag = m.tag
	r.Expires = m.mono() + o.deadline - w.now
	msg.expires = o.deadline
	m.requests[r.Tag] = msg
	if o.kind == part.Get {
		r.Op = part.OpID{}
		if found, status := m.parts[p].Get(m.time(p), r.Cache, r.Key); status == part.OK && m.parts[p].Shares(r.Lineage) {
			m.reply(&part.Reply{Tag: r.Tag, Result: part.Result{Present: found}})
			return
		}
	}
	m.step(p, func(now part.Now, q *part.Replica, fx *part.Effects) {
		q.Do(now, r, fx)
		q.Flush(now, fx)
	})
}

// replace is a processor that stores its argument, and returns what it replaces.
const replace = "replace"

func processor(name string) part.Processor {
	if name != replace {
		return nil
	}
	return func(present part.Found, args []byte) part.Decision {
		return part.Decision{Change: part.Store, Record: slices.Clone(args), Output: slices.Clone(present.Record)}
	}
}

// padded returns a value as a record. Where memory is scarce it may be long.
func (w *world) padded(value int) []byte {
	length := 0
	if w.scenario.Memory > 0 {
		length = w.IntN(200)
	}
	return fmt.Appendf(nil, "%0*d", length, value)
}

// unasked is the tag of requests that no client made.
const unasked = math.MaxUint64

// reply answers a request.
func (m *member) reply(r *part.Reply) {
	msg := m.requests[r.Tag]
	if r.Tag == unasked {
		return
	}
	if msg == nil {
		m.world.watch.fail("%v answers a request twice", m)
		return
	}
	delete(m.requests, r.Tag)
	back := &response{msg.op, msg.attempt, r.Result}
	if msg.from == m {
		m.world.clients.answered(back)
	} else {
		m.world.send(m, msg.from, back)
	}
}
