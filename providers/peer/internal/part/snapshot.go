package part

import (
	"cmp"
	"slices"
	"strings"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/rules"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// A transfer reads a replica's contents chunk by chunk. What is written after its
// beginning is not a part of it, but records are read when their chunk is made. A chunk
// that is made again has the same keys.
type transfer struct {
	id       uint64
	clears   []Item // in the first chunk, and filters
	entries  []source
	base     int    // the first entry that is not acknowledged
	next     int    // the entry that comes next
	ends     []int  // of the chunks that are not acknowledged
	sent     uint64 // chunks
	acked    uint64
	ended    bool  // the last chunk was sent
	at       int64 // when the transfer began or was acknowledged last
	resentAt int64
}

type source struct {
	cache string
	entry *entry
}

const (
	chunkBytes  = 32 << 10
	chunkWindow = 1 // chunks that are not acknowledged: many partitions are copied at once
)

// begin returns a transfer of everything.
func (r *Replica) begin(now int64, tombstones bool) transfer {
	r.transfers++
	t := transfer{id: r.transfers, at: now}
	for _, sp := range r.list {
		if sp.cleared > 0 && tombstones {
			t.clears = append(t.clears, Item{Kind: ItemClear, Cache: sp.name, Version: sp.cleared})
		}
		for _, e := range sp.entries {
			if tombstones || e.live() {
				t.entries = append(t.entries, source{sp.name, e})
			}
		}
	}
	slices.SortFunc(t.clears, func(a, b Item) int { return strings.Compare(a.Cache, b.Cache) })
	if tombstones {
		for _, f := range r.filters {
			t.clears = append(t.clears, f.item())
		}
	}
	slices.SortFunc(t.entries, func(a, b source) int {
		return cmp.Or(strings.Compare(a.cache, b.cache), strings.Compare(a.entry.key, b.entry.key))
	})
	return t
}

// left returns how many entries are not acknowledged.
func (t *transfer) left() int { return len(t.entries) - t.base }

// open reports whether another chunk may be sent.
func (t *transfer) open() bool { return !t.ended && t.sent-t.acked < chunkWindow }

// chunk returns the items of the next chunk.
func (t *transfer) chunk(now, origin int64) []Item {
	var items []Item
	if t.sent == 0 {
		items = slices.Clone(t.clears)
	}
	end, bytes := -1, 0
	if i := t.sent - t.acked; i < uint64(len(t.ends)) {
		end = t.ends[i]
	}
	for ; t.next != end && t.next < len(t.entries) && (end >= 0 || bytes < chunkBytes); t.next++ {
		s := &t.entries[t.next]
		if s.entry.is(gone) {
			continue
		}
		it := s.entry.item(s.cache, now, origin)
		bytes += it.size()
		items = append(items, it)
	}
	if end < 0 {
		t.ends = append(t.ends, t.next)
	}
	t.sent++
	t.ended = t.next == len(t.entries)
	return items
}

// acknowledge reports whether everything is acknowledged.
func (t *transfer) acknowledge(n uint64, now int64) (finished bool) {
	if n > t.acked && n <= t.sent {
		t.base = t.ends[n-t.acked-1]
		t.ends = t.ends[n-t.acked:]
		t.acked, t.at = n, now
	}
	return t.ended && t.acked == t.sent
}

// stalled reports whether nothing was acknowledged for so long.
func (t *transfer) stalled(now, limit int64) bool { return t.acked < t.sent && now-t.at >= limit }

// rewind has the chunks that are not acknowledged made again, if that has not happened
// for a while.
func (t *transfer) rewind(now, limit int64) bool {
	if !t.stalled(now, limit) || now-t.resentAt < limit {
		return false
	}
	t.next, t.sent, t.ended, t.resentAt = t.base, t.acked, false, now
	return true
}

// A snapshot is what the primary knows of its learner.
type snapshot struct {
	transfer
	begun   bool
	first   *SnapshotBegin // until the learner has it
	firstAt int64          // when it was sent last
	// required: the learner was sent everything, so commits wait for it. Nothing is sent
	// to one that does not answer, so that it holds nobody up.
	required bool
	synced   bool
}

// feed sends the learner what may be sent of the snapshot. One that has stalled, or whose
// learner lags too far behind the live writes, begins again.
func (r *Replica) feed(now Now, p *peer, fx *Effects) {
	s, l := p.snapshot, r.lead
	if s.begun && !s.synced {
		behind := !s.required && l.full() && p.acked < l.settled
		if behind || s.stalled(now.Mono, int64(r.o.BackupTimeout)) {
			*s = snapshot{}
			l.trim(l.acknowledged())
		}
	}
	switch {
	case !s.begun:
		*s = snapshot{transfer: r.begin(now.Mono, r.o.Rules.On(rules.Versioned)), begun: true, firstAt: now.Mono}
		p.acked, p.sent, p.told = l.last(), l.last(), r.told()
		p.behindSince = 0
		s.first = &SnapshotBegin{Partition: r.o.Partition, Term: r.term, Epoch: r.epoch, Reign: r.reign, ID: s.id,
			Seq: l.last(), Clock: r.clock, Tail: slices.Clone(aged(l.unsettled(), now.Mono)), Done: r.done.list()}
		fx.send(p.id, s.first)
	case s.first == nil:
		s.rewind(now.Mono, int64(r.o.Resend))
	case now.Mono-s.firstAt >= r.o.retry():
		// The learner may not have known the epoch yet.
		again := *s.first
		again.Term, again.Epoch, again.Tail = r.term, r.epoch, aged(again.Tail, now.Mono)
		s.firstAt = now.Mono
		fx.send(p.id, &again)
	}
	for (s.first == nil || !r.o.Rules.On(rules.GreetLearner)) && s.open() {
		m := &SnapshotChunk{Partition: r.o.Partition, Reign: r.reign, ID: s.id, Items: s.chunk(now.Mono, r.origin)}
		m.N, m.Last, m.Seq = s.sent, s.ended, l.last()
		s.required = s.ended && r.o.Rules.On(rules.LearnerAck)
		fx.send(p.id, m)
	}
}

// chunkAcknowledged takes a learner's acknowledgement.
func (r *Replica) chunkAcknowledged(now Now, from topology.ID, m *SnapshotAck, fx *Effects) {
	if r.lead == nil || m.Reign != r.reign {
		return
	}
	p := r.lead.peer(from)
	if p == nil || p.snapshot == nil || !p.snapshot.begun || p.snapshot.id != m.ID {
		return
	}
	if p.full = m.Full; m.Full {
		p.snapshot.at = now.Mono // it may wait for room
	}
	if p.snapshot.first != nil {
		// Only now does the learner take live writes: those that came before are sent again.
		p.snapshot.first, p.sent = nil, p.acked
	}
	if p.snapshot.acknowledge(m.N, now.Mono) {
		p.snapshot.synced = true
		fx.Synced = from
	}
	r.advance(now, fx)
}

// learning is what a learner knows of its snapshot.
type learning struct {
	id      uint64 // zero: it has not begun
	chunks  uint64 // that it has, without a gap
	last    uint64 // the number of the last chunk, once it is there
	lastSeq uint64 // the write that it must have then
	// touches are those that came before the last chunk. A chunk may be older, so
	// they are applied again in the end.
	touches []Item
}

// hear remembers a touch until the last chunk is there.
func (g *learning) hear(it Item) {
	if it.Kind == ItemTouch && g.last == 0 {
		g.touches = append(g.touches, it)
	}
}

// retouch applies the touches again.
func (r *Replica) retouch(g *learning, now int64) {
	for _, it := range g.touches {
		it.age(now)
		r.apply(&it, now, false)
	}
	g.touches = nil
}

// snapshotBegun takes the beginning of a snapshot: the learner drops what it has, and says
// that it is there.
func (r *Replica) snapshotBegun(now Now, from topology.ID, m *SnapshotBegin, fx *Effects) {
	if r.stale(from, m.Term, m.Epoch, fx) || !r.current(m.Epoch, m.Reign) {
		return
	}
	f := r.follow
	if f == nil || f.learning == nil || m.ID < f.learning.id {
		return
	}
	fx.send(from, &SnapshotAck{Partition: r.o.Partition, Reign: r.reign, ID: m.ID})
	if m.ID == f.learning.id {
		return
	}
	r.empty()
	r.keepTombstones = true
	r.clock = m.Clock
	r.follow = &follower{recv: m.Seq, settled: m.Seq - min(m.Seq, uint64(len(m.Tail))), tail: r.ownAll(m.Tail, now.Mono),
		learning: &learning{id: m.ID}}
	for _, d := range m.Done {
		r.done.note(d.Op, d.Version)
	}
}

// chunkArrived takes a chunk of a snapshot, if there is room for it.
func (r *Replica) chunkArrived(now Now, from topology.ID, m *SnapshotChunk, fx *Effects) {
	f := r.follow
	if f == nil || f.learning == nil || m.Reign != r.reign || m.ID != f.learning.id || m.ID == 0 {
		return
	}
	g := f.learning
	if m.N > g.chunks+1 {
		return // one before it was lost
	}
	if r.cramped(m.Items) {
		fx.send(from, &SnapshotAck{Partition: r.o.Partition, Reign: r.reign, ID: g.id, Full: true})
		return
	}
	if m.N == g.chunks+1 {
		for i := range m.Items {
			r.take(&m.Items[i], now)
		}
		g.chunks++
		if m.Last {
			g.last, g.lastSeq = m.N, m.Seq
			r.retouch(g, now.Mono)
		}
	}
	r.confirm(from, fx)
}

// confirm acknowledges the chunks that are there. The last one is acknowledged when the
// live writes that were sent before it are there as well.
func (r *Replica) confirm(to topology.ID, fx *Effects) {
	g := r.follow.learning
	n := g.chunks
	if g.last == n && r.follow.recv < g.lastSeq && r.o.Rules.On(rules.NumberedStream) {
		n--
	}
	if n > 0 {
		fx.send(to, &SnapshotAck{Partition: r.o.Partition, Reign: r.reign, ID: g.id, N: n, Full: r.short()})
	}
}
