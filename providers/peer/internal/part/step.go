package part

import (
	"slices"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/rules"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// Step takes a message from a member. It keeps no part of it, so that the buffer which it
// was parsed from may be used again. Flush need not follow.
func (r *Replica) Step(now Now, from topology.ID, m Message, fx *Effects) {
	if m.Of() != r.o.Partition {
		return
	}
	switch m := m.(type) {
	case *Replicate:
		r.replicated(now, from, m, fx)
	case *Acknowledge:
		r.acknowledge(now, from, m, fx)
	case *Refuse:
		r.refused(from, m)
	case *Pull:
		r.pulled(now, from, m, fx)
	case *Tail:
		r.tail(now, from, m, fx)
	case *SnapshotBegin:
		r.snapshotBegun(now, from, m, fx)
	case *SnapshotChunk:
		r.chunkArrived(now, from, m, fx)
	case *SnapshotAck:
		r.chunkAcknowledged(now, from, m, fx)
	case *Offer:
		r.offered(now, from, m, fx)
	case *OfferAck:
		r.offerAcknowledged(now, from, m, fx)
	case *Digest:
		r.compare(from, m, fx)
	case *Differ:
		r.differs(from, m)
	}
}

// The work that a tick does at most, so that a step stays short.
const (
	maxExpired   = 256 // records of all caches
	maxForgotten = 256 // tombstones of each cache
)

// Tick does what time demands. It is called about every 50 ms.
func (r *Replica) Tick(now Now, fx *Effects) {
	r.noticePause(now.Mono)
	if r.restless(now) {
		r.restlessAt = now.Mono
	}
	r.tidy(now.Mono, maxForgotten)
	if r.give != nil {
		r.offer(now, fx)
	}
	if f := r.follow; f != nil {
		f.timeOut(r, now, fx)
	}
	l := r.lead
	if l == nil {
		return
	}
	r.timeOut(now, fx)
	r.sweep(now)
	r.shrink(now)
	r.advance(now, fx)
	r.report(now, fx)
	if l.ready {
		r.repeatSend(now, fx)
		r.digest(now, fx)
	}
}

// noticePause begins to count the others' silence anew if the member itself was paused.
func (r *Replica) noticePause(now int64) {
	paused := now-r.tickedAt >= int64(r.o.Resend)
	r.tickedAt = now
	if !paused || !r.o.Rules.On(rules.NoticePause) {
		return
	}
	r.restlessAt = now
	if r.give != nil {
		r.give.at = now
	}
	if l := r.lead; l != nil {
		l.since = now
		for _, p := range l.peers {
			if p.behindSince != 0 {
				p.behindSince = now
			}
			if p.snapshot != nil {
				p.snapshot.at = now
			}
		}
	}
}

// restless reports whether a process may bring back a record that was deleted here: it is
// absent, or does not answer and may be absent soon, or this side gives what it has to its side.
func (r *Replica) restless(now Now) bool {
	return r.partial || r.held || r.frozen || !r.leased(now) || r.give != nil
}

// timeOut answers the requests whose time is over.
func (r *Replica) timeOut(now Now, fx *Effects) {
	l := r.lead
	for i := l.committed - l.base; i < uint64(len(l.writes)); i++ {
		if req := l.writes[i].req; req != nil && now.Mono >= req.Expires {
			l.writes[i].req = nil
			r.reply(fx, req, Result{Status: Unknown})
		}
	}
	for _, req := range l.release(func(req *Request) bool { return now.Mono >= req.Expires }) {
		r.reply(fx, req, Result{Status: Timeout})
	}
}

// timeOut answers the requests that are owed and whose time is over.
func (f *follower) timeOut(r *Replica, now Now, fx *Effects) {
	f.owed = slices.DeleteFunc(f.owed, func(o owed) bool {
		if now.Mono < o.req.Expires {
			return false
		}
		r.reply(fx, o.req, Result{Status: Unknown, Epoch: r.epoch})
		return true
	})
}

// sweep removes records whose deadlines have passed, and indexes that nobody reads.
func (r *Replica) sweep(now Now) {
	for _, sp := range r.list {
		sp.dropIndex(now.Mono)
	}
	if !r.serves(now) {
		return
	}
	n := 0
	for _, sp := range r.list {
		if sp.wheel == nil {
			continue
		}
		sp.wheel.turn(now.Mono, func(e *entry) bool {
			if n++; n > maxExpired || r.lead.full() {
				return false
			}
			r.expire(now, sp, e)
			return true
		})
	}
}

// report says which members hold the primary up, whether the learner is done, and whether
// a copy may be dropped.
func (r *Replica) report(now Now, fx *Effects) {
	l := r.lead
	for _, p := range l.peers {
		if p.snapshot != nil && p.snapshot.synced {
			fx.Synced = p.id
		}
		held := p.behindSince != 0 && now.Mono-p.behindSince >= int64(r.o.BackupTimeout)
		if p.differs || held && (p.snapshot == nil || p.snapshot.synced) {
			fx.Silent = append(fx.Silent, p.id)
		}
	}
	if r.droppable() {
		fx.Synced = r.o.Self
	}
	if r.held {
		fx.Restored = l.restored
	}
	if now.Mono-l.since >= int64(r.o.BackupTimeout) {
		fx.Silent = append(fx.Silent, l.pulling...)
	}
}

// repeatSend sends again what was not acknowledged for a while, and tells what is
// settled to those who did not hear it with a write.
func (r *Replica) repeatSend(now Now, fx *Effects) {
	l := r.lead
	for _, p := range l.peers {
		resend := int64(r.o.Resend)
		if p.listening() && p.behindSince != 0 && now.Mono-p.behindSince >= resend && now.Mono-p.resentAt >= resend {
			p.sent, p.resentAt = p.acked, now.Mono
		}
		r.tell(now, p, fx)
	}
	r.send(now, fx)
}

// tell says what is settled to a replica that has everything and did not hear it with a write.
func (r *Replica) tell(now Now, p *peer, fx *Effects) {
	if p.listening() && p.sent == r.lead.last() && p.acked == r.lead.last() && p.told < r.told() {
		p.told = r.told()
		fx.send(p.id, r.replicate(p.sent, now.Mono))
	}
}

// digest has the replicas compare their contents, while there are no writes.
func (r *Replica) digest(now Now, fx *Effects) {
	l := r.lead
	if now.Mono-l.digestAt < int64(r.o.DigestEvery) || l.settled < l.last() || !l.serving() {
		return
	}
	l.digestAt = now.Mono
	for _, p := range l.peers {
		if p.snapshot == nil && p.acked == l.last() {
			fx.send(p.id, &Digest{Partition: r.o.Partition, Epoch: r.epoch, Reign: r.reign, Seq: l.last(), Sum: r.sum})
		}
	}
}

// compare answers a digest that differs.
func (r *Replica) compare(from topology.ID, m *Digest, fx *Effects) {
	f := r.follow
	if f == nil || f.learning != nil || !r.current(m.Epoch, m.Reign) || f.recv != m.Seq || r.sum == m.Sum {
		return
	}
	fx.send(from, &Differ{Partition: r.o.Partition, Epoch: m.Epoch, Reign: m.Reign, Seq: m.Seq})
}

// differs notes that a replica has something else. It is reported until it is not in sync
// any more, and comes back as a learner.
func (r *Replica) differs(from topology.ID, m *Differ) {
	if l := r.lead; l != nil && m.Epoch == r.epoch && m.Reign == r.reign && m.Seq == l.last() {
		if p := l.peer(from); p != nil && p.snapshot == nil {
			p.differs = true
		}
	}
}
