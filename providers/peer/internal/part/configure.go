package part

import (
	"slices"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/rules"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// Configure adopts a newer configuration. It must be called with every configuration
// that the member adopts, even those that do not change the partition. A member that
// does not hold the partition any more drops its data, and a new learner starts empty.
func (r *Replica) Configure(now Now, c *topology.Config, fx *Effects) {
	if c == nil || r.o.Partition >= len(c.Partitions) {
		return
	}
	p := &c.Partitions[r.o.Partition]
	if r.lead != nil && r.term != c.Stamp.Term {
		r.lead.rewind() // what was sent under the old term may have been refused
	}
	r.lineage, r.term = c.Lineage, c.Stamp.Term
	if r.lead != nil {
		r.dismiss(func(req *Request) bool { return !r.Shares(req.Lineage) }, fx)
	}
	r.promised = max(r.promised, r.term)
	r.frozen, r.lost, r.held = c.Merging != 0, p.Lost != topology.Stamp{}, len(p.Held) > 0
	r.partial = r.lost || len(c.Absent) > 0
	r.fences = slices.DeleteFunc(r.fences, func(f fence) bool { return !c.Stamp.Less(f.until) || !p.Holds(f.by) })
	r.noticeSurplus(c, p)
	if p.Epoch != r.epoch || p.Reign != r.reign || p.Primary != r.primary {
		newReign := p.Reign != r.reign || p.Primary != r.primary
		before := r.primary
		r.epoch, r.reign, r.primary = p.Epoch, p.Reign, p.Primary
		r.inSync, r.learner = slices.Clone(p.InSync), p.Learner
		r.assume(now, newReign, before, fx)
	}
	r.advance(now, fx)
}

// assume takes on the role that the configuration gives. Before is who was primary.
func (r *Replica) assume(now Now, newReign bool, before topology.ID, fx *Effects) {
	self := r.o.Self
	demoted := r.lead != nil && newReign
	if demoted {
		r.demote(fx)
	}
	if f := r.follow; f != nil && (r.primary == self || !slices.Contains(r.inSync, self)) {
		f.giveUp(r, fx)
	}
	switch {
	case r.primary == self && r.lead != nil:
		r.lead.admit(r)
		r.lead.rewind()
	case r.primary == self:
		r.promote(now, before)
	case slices.Contains(r.inSync, self):
		if r.follow == nil {
			r.follow = &follower{}
		}
		r.follow.learning = nil
		r.keepTombstones = false
		if newReign && !demoted {
			r.follow.reign()
		}
	case r.learner == self:
		if r.follow == nil || r.follow.learning == nil || newReign {
			r.empty()
			r.follow = &follower{learning: &learning{}}
		}
	default:
		r.empty()
		r.follow = nil
	}
}

// empty drops everything.
func (r *Replica) empty() {
	r.reset()
	r.done = done{}
	r.give = nil
	r.keepTombstones = false
}

// promote makes the replica primary: it collects what the others in sync have and it may
// lack, makes that the first writes of its reign, and serves when they are committed.
func (r *Replica) promote(now Now, before topology.ID) {
	l := &leader{before: before, blocked: make(map[*entry][]*Request)}
	if r.o.Rules.On(rules.RollForward) {
		for _, id := range r.inSync {
			if id != r.o.Self {
				l.pulling = append(l.pulling, id)
			}
		}
		if r.follow != nil {
			l.tails = append(r.follow.earlier, r.follow.tail...)
		}
	}
	r.lead, r.follow = l, nil
	r.keepTombstones = false
	if b := r.o.Memory; b != nil && b.Max > 0 && r.o.Evicts != nil {
		r.sample = &candidates{}
	}
	l.admit(r)
	l.since = now.Mono
}

// rule prepares a space for its primary: records that expire are watched, after some
// grace if the last touches may not have been heard of.
func (r *Replica) rule(sp *space, now int64, grace bool) {
	sp.wheel = &wheel{next: now >> slotShift}
	sp.evicts = r.sample != nil && r.o.Evicts(sp.name)
	for _, e := range sp.entries {
		e.flags &^= queued | sampled
		if !e.live() {
			continue
		}
		switch {
		case e.deadline == 0 || !e.is(touched) || e.is(graced):
		case grace:
			e.deadline = deadline(e.deadline, time.Duration(e.ttl.grace().nanos()))
			e.flags |= graced
		default:
			// Everybody knows the deadline, but each as it came there: the
			// next touch is for all.
			e.flags &^= touched
		}
		sp.wheel.push(e)
		if sp.evicts {
			r.sample.add(sp, e)
		}
	}
	if sp.evicts {
		r.sample.sort()
	}
}

// demote ends a reign. What is not committed becomes the tail, which the next primary
// asks for.
func (r *Replica) demote(fx *Effects) {
	l := r.lead
	f := &follower{earlier: slices.Concat(l.tails, l.unsettled()), exact: l.serving()}
	f.owe(l.writes)
	r.answerAll(fx)
	for _, sp := range r.list {
		sp.wheel, sp.evicts, sp.index, sp.busy = nil, false, nil, 0
	}
	for i := l.committed - l.base; i < uint64(len(l.writes)); i++ {
		if e := l.writes[i].entry; e != nil {
			e.busy = 0
		}
		r.dropTombstone(&l.items[i])
	}
	r.lead, r.follow, r.sample = nil, f, nil
}

// answerAll answers every request that is left: those that were executed are unknown, and
// the others were not applied.
func (r *Replica) answerAll(fx *Effects) {
	l := r.lead
	for i := range l.writes {
		if req := l.writes[i].req; req != nil {
			r.reply(fx, req, l.writes[i].result.unknown(r.epoch))
			l.writes[i].req = nil
		}
	}
	r.dismiss(func(*Request) bool { return true }, fx)
}

// GiveUp answers all requests, of a member that has left: whoever asked asks the one that has taken
// over, and knows from here what was there.
func (r *Replica) GiveUp(fx *Effects) {
	if r.lead != nil {
		r.answerAll(fx)
	}
	if r.follow != nil {
		r.follow.giveUp(r, fx)
	}
}

// dismiss answers requests that wait to be executed: they are for somebody else.
func (r *Replica) dismiss(which func(*Request) bool, fx *Effects) {
	for _, req := range r.lead.release(which) {
		r.reply(fx, req, Result{Status: NotPrimary, Epoch: r.epoch})
	}
}

// Close answers all requests and gives the memory back. The replica must not be used
// afterwards.
func (r *Replica) Close(fx *Effects) {
	if r.lead != nil {
		r.demote(fx)
	}
	if r.follow != nil {
		r.follow.giveUp(r, fx)
	}
	r.empty()
	r.follow, r.primary = nil, 0
}

// Promise makes the replica refuse replication of terms lower than this one.
func (r *Replica) Promise(term uint64) { r.promised = max(r.promised, term) }
