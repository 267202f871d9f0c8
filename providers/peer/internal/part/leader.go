package part

import (
	"cmp"
	"slices"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// A leader is what a primary knows beyond its contents.
type leader struct {
	log
	peers []*peer

	// pulling are the replicas whose tails are missing, and tails what came of
	// the others and its own. Nothing is served until they are committed, which
	// is Rolled in the messages.
	pulling  []topology.ID
	pulledAt int64
	before   topology.ID // who was primary before
	exact    bool        // its tail has all deadlines
	tails    []Item
	ready    bool   // rolled is set, and the stream has begun
	rolled   uint64 // how many writes were carried over
	since    int64  // when the reign began

	// stalled requests wait for the lease or the like, and blocked ones for the
	// writes to an entry.
	stalled []*Request
	blocked map[*entry][]*Request

	acks     []uint64    // scratch memory
	takes    []*intake   // what other clusters offer
	restored topology.ID // who has given everything of a partition that is held
	digestAt int64
}

// serving reports whether everything of earlier reigns is committed.
func (l *leader) serving() bool { return l.ready && l.committed >= l.rolled }

// admit makes the peers those of the configuration. One that stays keeps its state.
func (l *leader) admit(r *Replica) {
	old := l.peers
	l.peers = nil
	find := func(id topology.ID) *peer {
		if i := slices.IndexFunc(old, func(p *peer) bool { return p.id == id }); i >= 0 {
			return old[i]
		}
		return nil
	}
	for _, id := range r.inSync {
		if id == r.o.Self {
			continue
		}
		p := find(id)
		if p == nil {
			p = &peer{id: id, acked: l.base, sent: l.base}
		}
		p.snapshot = nil
		l.peers = append(l.peers, p)
	}
	if id := r.learner; id != 0 {
		p := find(id)
		if p == nil || p.snapshot == nil {
			p = &peer{id: id, snapshot: &snapshot{}}
		}
		l.peers = append(l.peers, p)
	}
	l.pulling = slices.DeleteFunc(l.pulling, func(id topology.ID) bool { return !slices.Contains(r.inSync, id) })
}

// rewind has everything that is not acknowledged sent again, under the new epoch.
func (l *leader) rewind() {
	for _, p := range l.peers {
		p.sent, p.told = p.acked, 0
	}
}

func (l *leader) peer(id topology.ID) *peer {
	for _, p := range l.peers {
		if p.id == id {
			return p
		}
	}
	return nil
}

// advance does what has become possible: it begins the stream, commits, answers, runs
// waiting requests and sends.
func (r *Replica) advance(now Now, fx *Effects) {
	l := r.lead
	if l == nil {
		return
	}
	if !l.ready {
		r.pull(now, fx)
	}
	if !l.ready {
		return
	}
	r.commit(now, fx)
	if stalled := l.stalled; len(stalled) > 0 && r.serves(now) {
		l.stalled = nil
		for _, req := range stalled {
			r.run(now, req, fx)
		}
		r.commit(now, fx)
	}
	r.send(now, fx)
}

// pull asks for the tails that are missing, or begins the stream with all of them.
func (r *Replica) pull(now Now, fx *Effects) {
	l := r.lead
	if len(l.pulling) > 0 {
		if l.pulledAt == 0 || now.Mono-l.pulledAt >= r.o.retry() {
			l.pulledAt = now.Mono
			for _, id := range l.pulling {
				fx.send(id, &Pull{Partition: r.o.Partition, Term: r.term, Epoch: r.epoch, Reign: r.reign})
			}
		}
		return
	}
	for _, it := range distinct(l.tails) {
		it.age(now.Mono)
		it.arrive(now.Mono)
		r.apply(&it, now.Mono, false)
		r.done.note(it.Op, it.Version)
		l.add(it, write{})
	}
	for _, sp := range r.list {
		r.rule(sp, now.Mono, !l.exact)
	}
	l.tails = nil
	l.rolled, l.ready = l.last(), true
}

// distinct returns the items of several tails once each, ordered by version. None is left
// out for a later one, since each names an operation that was executed.
func distinct(items []Item) []Item {
	type identity struct {
		kind       ItemKind
		cache, key string
		version    Version
		op         OpID
	}
	seen := make(map[identity]bool, len(items))
	kept := make([]Item, 0, len(items))
	for i := range items {
		it := &items[i]
		id := identity{it.Kind, it.Cache, it.Key, it.Version, it.Op}
		if !seen[id] || it.Kind == ItemTouch && it.Op == (OpID{}) {
			seen[id] = true
			kept = append(kept, *it)
		}
	}
	slices.SortStableFunc(kept, func(a, b Item) int {
		return cmp.Or(cmp.Compare(a.Version, b.Version), cmp.Compare(a.Kind, b.Kind))
	})
	return kept
}

// commit finds which writes enough members have, and completes them, and runs the
// requests that waited for them, until no more come of it.
func (r *Replica) commit(now Now, fx *Effects) {
	l := r.lead
	if r.o.Leased && !r.leased(now) {
		return
	}
	before := l.settled
	for {
		to, settled := r.reach()
		l.settled = max(l.settled, settled)
		if to <= l.committed {
			break
		}
		var runnable []*Request
		for seq := l.committed + 1; seq <= to; seq++ {
			runnable = append(runnable, r.complete(seq, fx)...)
		}
		l.committed = to
		r.acknowledgeOffers(fx)
		l.trim(l.acknowledged())
		for _, req := range runnable {
			r.run(now, req, fx)
		}
	}
	if before < l.rolled && l.settled >= l.rolled {
		// Whoever was primary before owes the answers to what was carried over.
		for _, p := range l.peers {
			r.tell(now, p, fx)
		}
	}
}

// acknowledged returns the number up to which nobody needs the log any more.
func (l *leader) acknowledged() uint64 {
	upTo := l.settled
	for _, p := range l.peers {
		if p.listening() {
			upTo = min(upTo, p.acked)
		}
	}
	return max(upTo, l.base)
}

// complete does what follows the commit of a write, and returns the requests that waited
// for it.
func (r *Replica) complete(seq uint64, fx *Effects) (runnable []*Request) {
	l := r.lead
	it, w := l.at(seq)
	if e := w.entry; e != nil {
		if e.busy--; e.busy == 0 {
			if runnable = l.blocked[e]; runnable != nil {
				delete(l.blocked, e)
			}
		}
	}
	if w.space != nil {
		if w.space.busy--; w.space.busy == 0 {
			runnable = append(runnable, l.stalled...)
			l.stalled = nil
		}
	}
	r.dropTombstone(it)
	nothing := it.Kind == ItemDelete && w.old == nil
	if seq > l.rolled && it.Kind != ItemTouch && it.Kind != ItemNote && !nothing {
		fx.Events = append(fx.Events, Event{Kind: it.Kind, Cause: it.Cause, Cache: it.Cache, Key: it.Key,
			Record: it.Record, Old: w.old, Version: it.Version, Seq: seq})
	}
	if e := w.touched; e.live() && e.version == it.Version {
		e.lag = spanOf(max(e.deadline-w.deadline, w.deadline-e.deadline))
	}
	if w.req != nil {
		r.acknowledgeWrite(w, seq, fx)
	}
	*w = write{}
	return runnable
}

// maxBatch bounds the items of a message, in bytes.
const maxBatch = 256 << 10

// send sends every peer what it was not sent.
func (r *Replica) send(now Now, fx *Effects) {
	l := r.lead
	var shared *Replicate // by peers that are equally far
	for _, p := range l.peers {
		if p.snapshot != nil {
			r.feed(now, p, fx)
		}
		if !p.listening() {
			continue
		}
		for p.sent < l.last() {
			if p.behindSince == 0 {
				p.behindSince = now.Mono
			}
			if shared == nil || shared.First != p.sent+1 {
				shared = r.replicate(p.sent, now.Mono)
			}
			p.sent += uint64(len(shared.Items))
			p.told = shared.Settled
			fx.send(p.id, shared)
		}
	}
}

// replicate returns a message with the writes after a number.
func (r *Replica) replicate(after uint64, now int64) *Replicate {
	l := r.lead
	m := &Replicate{Partition: r.o.Partition, Term: r.term, Epoch: r.epoch, Reign: r.reign, First: after + 1,
		Settled: r.told(), Rolled: l.rolled}
	if after < l.last() {
		m.Items = aged(l.batch(after, maxBatch), now)
	}
	return m
}

// acknowledge takes a replica's acknowledgement.
func (r *Replica) acknowledge(now Now, from topology.ID, m *Acknowledge, fx *Effects) {
	l := r.lead
	if l == nil || m.Epoch != r.epoch || m.Reign != r.reign {
		return
	}
	p := l.peer(from)
	if p == nil {
		return
	}
	if p.full = m.Full; m.Seq <= p.acked || m.Seq > l.last() {
		return
	}
	p.acked, p.behindSince = m.Seq, now.Mono
	if p.sent = max(p.sent, p.acked); p.acked == l.last() {
		p.behindSince = 0
	}
	r.advance(now, fx)
	l.trim(l.acknowledged())
}

// A fence keeps a primary from serving until it has the configuration that a replica has
// or promised, or until that member is no replica any more.
type fence struct {
	by    topology.ID
	until topology.Stamp
}

// refused takes a replica's refusal: this member lacks a configuration.
func (r *Replica) refused(from topology.ID, m *Refuse) {
	if r.lead == nil || r.lead.peer(from) == nil {
		return
	}
	until := topology.Stamp{}
	if m.Term > r.term {
		until.Term = m.Term
	}
	if r.epoch.Less(m.Epoch) && until.Less(m.Epoch) {
		until = m.Epoch
	}
	if until.Term > 0 && !slices.Contains(r.fences, fence{from, until}) {
		r.fences = append(r.fences, fence{from, until})
	}
}

// tail takes a replica's tail.
func (r *Replica) tail(now Now, from topology.ID, m *Tail, fx *Effects) {
	l := r.lead
	if l == nil || m.Reign != r.reign || l.ready || !slices.Contains(l.pulling, from) {
		return
	}
	l.tails = append(l.tails, r.ownAll(m.Items, now.Mono)...)
	l.exact = l.exact || m.Exact && from == l.before
	l.pulling = slices.DeleteFunc(l.pulling, func(id topology.ID) bool { return id == from })
	r.advance(now, fx)
}
