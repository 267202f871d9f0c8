package part

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/rules"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// An offer gives everything to another cluster's primary.
type offer struct {
	transfer
	to     topology.ID
	common Version
	whole  bool
}

// Offer begins to give everything to the primary of another cluster, or of this one if
// the partition was lost, or is held. Common is the version up to which both sides knew every
// write; zero: they have nothing in common. Whole: nothing that was acknowledged before they
// parted is missing here. Another Offer starts over, perhaps with another
// member. Effects.Merged tells the end.
func (r *Replica) Offer(now Now, to topology.ID, common Version, whole bool, fx *Effects) {
	r.give = &offer{to: to, common: common, whole: whole, transfer: r.begin(now.Mono, r.o.Rules.On(rules.MergeTombstones))}
	r.offer(now, fx)
}

// CancelOffer ends an offer.
func (r *Replica) CancelOffer() { r.give = nil }

// offer sends what may be sent of the offer. If it has stalled for long it starts over,
// since there may be another primary on the other side, which knows nothing of it.
func (r *Replica) offer(now Now, fx *Effects) {
	g := r.give
	if g.stalled(now.Mono, int64(r.o.BackupTimeout)) {
		g.transfer = r.begin(now.Mono, r.o.Rules.On(rules.MergeTombstones))
	}
	g.rewind(now.Mono, int64(r.o.Resend))
	for g.open() {
		m := &Offer{Partition: r.o.Partition, ID: g.id, Common: g.common, Items: g.chunk(now.Mono, r.origin)}
		m.N, m.Last, m.Whole = g.sent, g.ended, g.whole
		if m.N == 1 {
			m.Done = r.done.list()
			m.Done = m.Done[max(0, len(m.Done)-maxOffered):]
		}
		fx.send(g.to, m)
	}
}

// offerAcknowledged takes the acknowledgement of what was offered.
func (r *Replica) offerAcknowledged(now Now, from topology.ID, m *OfferAck, fx *Effects) {
	g := r.give
	if g == nil || from != g.to || m.ID != g.id {
		return
	}
	if g.acknowledge(m.N, now.Mono) {
		r.give = nil
		fx.Merged = true
		return
	}
	r.offer(now, fx)
}

// maxOffered is how many operations of another cluster are remembered. They must not push
// out those of one's own.
const maxOffered = doneMax / 4

// An intake is what a primary knows of a member that offers it something.
type intake struct {
	from   topology.ID
	id     uint64
	chunks uint64 // that were taken
	acked  uint64 // that are committed
	// ends are the numbers of the last writes of the chunks after acked.
	ends []uint64
	// last is the number of the last chunk, once it is there, and whole says that all of
	// them are the whole partition.
	last  uint64
	whole bool
}

// recognise remembers operations of another member, so that they are not executed again. Those
// whose writes have lost to others did not happen, as far as callers here can see.
func (r *Replica) recognise(operations []Done, lost []Version) {
	for _, d := range operations {
		if _, ok := r.done.find(d.Op); !ok && (d.Version == 0 || !slices.Contains(lost, d.Version)) {
			r.done.note(d.Op, d.Version)
			r.lead.add(Item{Kind: ItemNote, Op: d.Op, Version: d.Version}, write{})
		}
	}
}

// stands reports whether an item of another member is what is here.
func (r *Replica) stands(it *Item) bool {
	sp, e := r.lookup(it.Cache, it.Key)
	if it.Kind == ItemClear {
		return sp != nil && sp.cleared == it.Version
	}
	return e != nil && e.version == it.Version
}

// offered takes a chunk of an offer. It is acknowledged when what came of it is
// committed, since the sender drops its data then.
func (r *Replica) offered(now Now, from topology.ID, m *Offer, fx *Effects) {
	l := r.lead
	if l == nil || !r.reigns(now) || r.frozen || l.full() {
		return // it will be sent again
	}
	i := slices.IndexFunc(l.takes, func(t *intake) bool { return t.from == from })
	if i < 0 {
		i = len(l.takes)
		l.takes = append(l.takes, &intake{from: from})
	}
	t := l.takes[i]
	if m.ID > t.id {
		*t = intake{from: from, id: m.ID}
	}
	switch {
	case m.ID != t.id || m.N > t.chunks+1:
		return
	case m.N == t.chunks+1:
		var lost []Version
		for i := range m.Items {
			if r.merge(now, &m.Items[i], m.Common); !r.stands(&m.Items[i]) {
				lost = append(lost, m.Items[i].Version)
			}
		}
		r.recognise(m.Done[max(0, len(m.Done)-maxOffered):], lost)
		t.chunks++
		if t.whole = m.Whole; m.Last {
			t.last = m.N
		}
		t.ends = append(t.ends, l.last())
		if !r.o.Rules.On(rules.KeepUntilMerged) {
			t.acked, t.ends = t.chunks, nil
		}
	}
	if t.acked > 0 && t.acked >= m.N {
		fx.send(from, &OfferAck{Partition: r.o.Partition, ID: t.id, N: t.acked})
	}
	r.advance(now, fx)
	r.acknowledgeOffers(fx)
}

// acknowledgeOffers confirms the chunks whose writes are committed.
func (r *Replica) acknowledgeOffers(fx *Effects) {
	l := r.lead
	for _, t := range l.takes {
		n := 0
		for n < len(t.ends) && t.ends[n] <= l.committed {
			n++
		}
		if n > 0 {
			t.ends = t.ends[n:]
			t.acked += uint64(n)
			fx.send(t.from, &OfferAck{Partition: r.o.Partition, ID: t.id, N: t.acked})
		}
		if r.held && t.whole && t.last > 0 && t.acked == t.last {
			l.restored = t.from
		}
	}
}

// merge decides between what is here and an item of another cluster. What comes of it is
// the same on whichever side it is decided, and when it is decided again.
//
//   - The other side's version that was known to both before they parted is no news: if
//     it is not here any more, it was deleted here.
//   - A record that expired or was evicted on one side is kept if it lives on the
//     other one.
//   - A clear takes away what is older than it.
//   - If both sides changed the key, the cache's merge function decides, or else the
//     later version stays.
//   - If the cache takes nothing from others, all that is news is left out.
func (r *Replica) merge(now Now, theirs *Item, common Version) {
	tombstones := r.o.Rules.On(rules.MergeTombstones)
	if theirs.Kind == ItemFilter {
		if tombstones {
			r.mergeFilter(now, theirs, common)
		}
		return
	}
	sp, e := r.lookup(theirs.Cache, theirs.Key)
	ours := r.known(sp, e, theirs, now.Mono)
	switch {
	case theirs.Version != ours.Version && r.discards(theirs.Cache):
		if theirs.Version > common {
			r.counters.Discarded++
		}
	case theirs.Kind == ItemTouch, theirs.Kind != ItemPut && !tombstones:
	case theirs.Kind == ItemClear:
		if sp == nil || theirs.Version > sp.cleared {
			r.adopt(now, theirs, theirs.Version)
		}
	case theirs.Kind == ItemDelete && theirs.Cause == ByExpiry:
	case theirs.Kind == ItemPut && ours.Kind == ItemDelete && ours.Cause == ByExpiry:
		version := theirs.Version
		if version <= ours.Version {
			version = r.stamp(now)
		}
		r.adopt(now, theirs, version)
	case theirs.Version == ours.Version:
		r.prolong(now, e, &ours, theirs.Left, theirs.Until)
	case tombstones && theirs.Version <= common:
	case sp != nil && theirs.Version <= sp.cleared:
	default:
		r.reconcile(now, e, &ours, theirs, common)
	}
}

// mergeFilter deletes what the other side has deleted and does not know by its keys any more.
// A deletion has the version after what it deletes, since what the other side wrote later
// comes as well. What was written here later is not told apart, if it is older than the last
// of the deletions.
func (r *Replica) mergeFilter(now Now, theirs *Item, common Version) {
	f := readFilter(theirs, now.Mono)
	if f == nil || f.upTo <= common {
		return
	}
	for _, sp := range r.list {
		var deleted []*entry
		for _, e := range sp.entries {
			if e.live() && e.version <= f.upTo && f.has(sp, e.key) {
				deleted = append(deleted, e)
			}
		}
		slices.SortFunc(deleted, func(a, b *entry) int { return strings.Compare(a.key, b.key) })
		for _, e := range deleted {
			r.merge(now, &Item{Kind: ItemDelete, Cache: sp.name, Key: e.key, Version: max(e.version, common) + 1}, common)
		}
	}
}

// discards reports whether a cache takes nothing from another cluster. What this one lost
// it takes from whoever has it.
func (r *Replica) discards(cache string) bool {
	return !r.lost && r.o.Discards != nil && r.o.Discards(cache)
}

// known returns what is here of a key, as an item. A key of which nothing is known has
// version zero.
func (r *Replica) known(sp *space, e *entry, theirs *Item, now int64) Item {
	switch {
	case e != nil && e.live() && e.expired(now):
		return Item{Kind: ItemDelete, Cause: ByExpiry, Cache: theirs.Cache, Key: theirs.Key, Version: e.version}
	case e != nil:
		return e.item(sp.name, now, r.origin)
	}
	it := Item{Kind: ItemDelete, Cache: theirs.Cache, Key: theirs.Key}
	if r.o.Rules.On(rules.MergeTombstones) {
		it.Version = r.deletedUpTo(theirs.Cache, theirs.Key)
	}
	if sp != nil {
		it.Version = max(it.Version, sp.cleared)
	}
	return it
}

// reconcile decides between two versions of a key.
func (r *Replica) reconcile(now Now, e *entry, ours, theirs *Item, common Version) {
	var f MergeFunc
	changed := e != nil || r.deletedUpTo(ours.Cache, ours.Key) > common // not only by a clear
	if r.o.Merge != nil && changed && ours.Version > common && (ours.Kind == ItemPut || theirs.Kind == ItemPut) {
		f = r.o.Merge(theirs.Cache)
	}
	conflict := ours.Version > common && theirs.Version > common
	if conflict {
		r.counters.Conflicts++
	}
	if f == nil {
		if conflict {
			r.counters.Discarded++
		}
		if theirs.Version > ours.Version {
			r.adopt(now, theirs, theirs.Version)
		}
		return
	}
	record, left := f(ours, theirs)
	if conflict && (bytes.Equal(record, ours.Record) || bytes.Equal(record, theirs.Record)) {
		r.counters.Discarded++
	}
	switch {
	case record == nil && ours.Kind == ItemDelete:
	case theirs.Version > ours.Version && bytes.Equal(record, theirs.Record) && left == theirs.Left:
		r.adopt(now, theirs, theirs.Version)
	case record == nil:
		r.adopt(now, &Item{Kind: ItemDelete, Cache: ours.Cache, Key: ours.Key}, r.stamp(now))
	case ours.Kind == ItemPut && bytes.Equal(record, ours.Record):
		r.prolong(now, e, ours, left, 0)
	default:
		ttl := max(left, theirs.TTL, ours.TTL)
		if left == 0 {
			ttl = 0
		}
		r.adopt(now, &Item{Cache: ours.Cache, Key: ours.Key, Record: record, Left: left, TTL: ttl}, r.stamp(now))
	}
}

// adopt writes an item of the other side under a version.
func (r *Replica) adopt(now Now, it *Item, version Version) {
	own := r.own(it)
	own.Cause, own.Version, own.Op = ByMerge, version, OpID{}
	r.counters.Merged++
	r.write(now, own, nil, Result{})
}

// prolong gives a record the later one of two deadlines, if they differ by more than
// touches do.
func (r *Replica) prolong(now Now, e *entry, ours *Item, left time.Duration, until int64) {
	if !e.live() || e.deadline == 0 || left != 0 && left-ours.Left <= time.Duration(e.ttl.grace().nanos()) {
		return
	}
	ttl := max(left, ours.TTL)
	if left == 0 {
		ttl = 0
	}
	r.write(now, Item{Kind: ItemTouch, Cause: ByMerge, Cache: ours.Cache, Key: ours.Key, Version: ours.Version,
		Left: left, TTL: ttl, Until: until, Touched: true}, nil, Result{})
}
