package part

import (
	"slices"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/rules"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// noticeSurplus finds out whether a copy may be dropped next, so that all must have every
// write. That holds until the epoch ends, since it may have been reported.
func (r *Replica) noticeSurplus(c *topology.Config, p *topology.Partition) {
	if p.Epoch != r.epoch {
		r.surplus = false
	}
	if r.o.Sync != 0 && len(p.InSync) > min(r.o.Copies, c.Staying()) && r.o.Rules.On(rules.SettleFirst) {
		r.surplus = true
	}
}

// reach returns up to which number the writes are on as many members as is waited for,
// and up to which on all in sync. A learner that was sent everything must have both.
func (r *Replica) reach() (committed, settled uint64) {
	l := r.lead
	taught, settled := l.last(), l.last()
	l.acks = l.acks[:0]
	for _, p := range l.peers {
		switch {
		case !p.required():
		case p.snapshot != nil:
			taught = min(taught, p.acked)
		case r.o.Rules.On(rules.WaitAll):
			settled = min(settled, p.acked)
			l.acks = append(l.acks, p.acked)
		}
	}
	settled = min(settled, taught)
	n := r.o.Sync
	switch {
	case n == 0 || r.surplus || n >= len(l.acks):
		return settled, settled
	case n < 0:
		return taught, settled
	}
	slices.Sort(l.acks)
	return min(taught, l.acks[len(l.acks)-n]), settled
}

// told returns up to which number the replicas forget what they keep for a new primary.
func (r *Replica) told() uint64 {
	if !r.o.Rules.On(rules.KeepTail) {
		return r.lead.committed
	}
	return r.lead.settled
}

// droppable reports whether a copy may be dropped: every write of this epoch that is
// acknowledged is on all of them, and so will be those to come.
func (r *Replica) droppable() bool {
	l := r.lead
	return r.surplus && r.learner == 0 && l.serving() && l.settled >= l.committed
}

// Exposed reports whether acknowledged writes of this primary are on fewer members than
// others waited for, since one of those has failed lately.
func (r *Replica) Exposed() bool {
	if r.lead == nil || r.o.Sync == 0 {
		return false
	}
	committed, _ := r.reach()
	return committed < r.lead.committed
}

// scarce reports whether too few members are in sync for requests to write.
func (r *Replica) scarce() bool { return len(r.inSync) < r.o.MinCopies }

// acknowledgeWrite answers the request of a write that is committed. If that is so because
// members were taken out of the set, so that too few are left, nothing is promised.
func (r *Replica) acknowledgeWrite(w *write, seq uint64, fx *Effects) {
	if r.scarce() {
		r.reply(fx, w.req, w.result.unknown(r.epoch))
		return
	}
	w.result.Copies = 1
	for _, p := range r.lead.peers {
		if p.snapshot == nil && p.acked >= seq {
			w.result.Copies++
		}
	}
	r.reply(fx, w.req, w.result)
}
