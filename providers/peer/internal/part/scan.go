package part

import (
	"cmp"
	"slices"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// Scan returns about limit records of a cache, in the order of their keys' hashes, and
// the cursor of the rest, or zero if there is none. It begins with cursor zero. A cursor
// is good for every replica of the partition, so that a key which is present throughout
// is returned once, even if another member becomes primary in between. Writes that are
// not committed are seen. The status is that of Get.
func (r *Replica) Scan(now Now, cache string, cursor uint64, limit int) (items []Item, next uint64, status Status) {
	if status = r.answers(now); status != OK {
		return nil, 0, status
	}
	sp := r.spaces[cache]
	if sp == nil {
		return nil, 0, OK
	}
	places := sp.places(cursor, now.Mono)
	limit = max(limit, 1)
	items = make([]Item, 0, min(limit, len(places)))
	for i, p := range places {
		if i >= limit && p.hash != places[i-1].hash {
			return items, p.hash, OK // keys of equal hashes stay together
		}
		if p.entry.live() && !p.entry.expired(now.Mono) {
			items = append(items, p.entry.item(cache, now.Mono, r.origin))
		}
	}
	return items, 0, OK
}

// Size returns how many records of a cache there are, those included that have expired
// and were not removed yet. The status is that of Get.
func (r *Replica) Size(now Now, cache string) (int, Status) {
	status := r.answers(now)
	if sp := r.spaces[cache]; sp != nil && status == OK {
		return sp.live, OK
	}
	return 0, status
}

// answers returns the status of what reads the whole partition.
func (r *Replica) answers(now Now) Status {
	switch {
	case r.lead == nil:
		return NotPrimary
	case !r.serves(now):
		return Wait
	}
	return OK
}

// An index is the entries of a space in the order of their keys' hashes, as they were
// when a scan began. The later pages of the scan are read from it: they show each record
// as it is then, without those that came since.
type index struct {
	places []place
	usedAt int64
}

type place struct {
	hash  uint64
	entry *entry
}

// indexKept is for how long an index waits for the next page.
const indexKept = int64(time.Second)

// places returns the entries from a hash on, in order. A scan that begins makes the index
// anew, since it must not miss what is there already.
func (sp *space) places(from uint64, now int64) []place {
	if sp.index == nil || from == 0 {
		list := make([]place, 0, sp.live)
		for _, e := range sp.entries {
			if e.live() {
				list = append(list, place{topology.Hash(e.key), e})
			}
		}
		slices.SortFunc(list, func(a, b place) int { return cmp.Compare(a.hash, b.hash) })
		sp.index = &index{places: list}
	}
	sp.index.usedAt = now
	list := sp.index.places
	at, _ := slices.BinarySearchFunc(list, from, func(p place, from uint64) int { return cmp.Compare(p.hash, from) })
	return list[at:]
}

// dropIndex gives the memory of an index back that nobody uses any more.
func (sp *space) dropIndex(now int64) {
	if sp.index != nil && now-sp.index.usedAt > indexKept {
		sp.index = nil
	}
}

// Stats describes a replica.
type Stats struct {
	Counters
	Entries, Tombstones int
	// Bytes is what keys, records and their administration use, about.
	Bytes int64
	// Uncommitted is the number of writes that not everybody in sync has.
	Uncommitted int
	// Waiting is the number of requests that are not executed yet.
	Waiting int
	// Learning: a learner is being taught.
	Learning bool
	// Handing is how many records and deletions a learner, or another cluster, has not
	// confirmed of what it is given.
	Handing int
	// Lag is how many writes each of the other replicas lacks, at the primary.
	Lag map[topology.ID]uint64
	// Digest is equal for equal contents: the keys and versions of the records.
	Digest uint64
}

// Stats describes the replica as it is now.
func (r *Replica) Stats() Stats {
	s := Stats{Counters: r.counters, Bytes: r.bytes + r.tombstoneBytes, Digest: r.sum}
	for _, sp := range r.list {
		s.Entries += sp.live
		s.Tombstones += len(sp.entries) - sp.live
	}
	if l := r.lead; l != nil {
		s.Uncommitted = int(l.last() - l.settled)
		s.Waiting = len(l.waiting())
		s.Lag = make(map[topology.ID]uint64, len(l.peers))
		for _, p := range l.peers {
			s.Lag[p.id] = l.last() - p.acked
			if p.snapshot != nil {
				s.Learning = true
				s.Handing += p.snapshot.left()
			}
		}
	}
	if r.give != nil {
		s.Handing += r.give.left()
	}
	return s
}
