package part

import (
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// A store is the contents of a replica.
type store struct {
	spaces map[string]*space
	list   []*space // the same, in the order in which they came
	clock  Version  // the greatest version that was ever there
	sum    uint64   // of the live entries, whatever their order
	bytes  int64    // of records
	budget *Budget
	origin int64       // see Options.Origin
	sample *candidates // of the primary, if records may be evicted
	deletions
	// bare deletes without tombstones and stores whatever comes, for tests.
	bare bool
}

// A space is the entries of one cache.
type space struct {
	name       string
	seed       uint64 // of the name, for sums
	entries    map[string]*entry
	live       int // entries that are no tombstones
	cleared    Version
	busy       int         // clears that are not committed
	wheel      *wheel      // of the primary, when a record expires
	tombstones []tombstone // in the order in which they may be forgotten
	evicts     bool        // of the primary: records may be evicted
	index      *index      // of the primary, while the space is scanned
}

func (s *store) space(cache string) *space {
	sp := s.spaces[cache]
	if sp == nil {
		if s.spaces == nil {
			s.spaces = make(map[string]*space)
		}
		sp = &space{name: cache, seed: topology.Hash(cache), entries: make(map[string]*entry)}
		s.spaces[cache] = sp
		s.list = append(s.list, sp)
	}
	return sp
}

// lookup returns what is known of a key, either of which may be nil.
func (s *store) lookup(cache, key string) (*space, *entry) {
	sp := s.spaces[cache]
	if sp == nil {
		return nil, nil
	}
	return sp, sp.entries[key]
}

// apply stores an item, unless force is not set and what is there is newer. It returns
// the entry that was written, nil if nothing was, or if nothing is left of it, and what
// the entry held before.
func (s *store) apply(it *Item, now int64, force bool) (e *entry, old []byte) {
	switch it.Kind {
	case ItemNote:
		return nil, nil
	case ItemFilter:
		s.learn(it, now)
		return nil, nil
	}
	s.clock = max(s.clock, it.Version)
	sp := s.space(it.Cache)
	force = force || s.bare
	switch it.Kind {
	case ItemClear:
		s.clear(sp, it.Version)
		return nil, nil
	case ItemTouch:
		return s.touch(sp, it, now), nil
	}
	e = sp.entries[it.Key]
	switch {
	case force:
	case it.Version <= sp.cleared, e != nil && it.Version < e.version:
		return nil, nil
	case e != nil && it.Version == e.version:
		// The same write again: only its deadline can be news.
		if it.Kind == ItemPut && e.live() {
			e.setDeadline(now, it.Left, it.TTL, it.Until, s.origin)
			if it.Touched {
				e.flags |= touched
			}
			sp.schedule(e)
		}
		return e, nil
	}
	switch {
	case e == nil:
		e = &entry{key: it.Key, flags: dead | gone}
		sp.entries[it.Key] = e
	case e.live():
		old = e.record()
		s.dim(sp, e)
	default:
		s.accountTombstones(-e.cost())
	}
	e.version, e.used = it.Version, uint32(now/int64(time.Second))
	e.flags &^= dead | lapsed | gone | touched
	if it.Kind == ItemDelete {
		s.leaveTombstone(sp, e, it.Cause, now)
		s.shed(sp, now)
		return e, old
	}
	e.setRecord(it.Record)
	if it.Touched {
		e.flags |= touched
	}
	e.setDeadline(now, it.Left, it.TTL, it.Until, s.origin)
	s.sum += sp.digest(e)
	s.account(e.cost() + int64(e.size))
	sp.live++
	sp.schedule(e)
	if sp.evicts {
		s.sample.add(sp, e)
	}
	return e, old
}

// touch moves the deadline of the record that an item names.
func (s *store) touch(sp *space, it *Item, now int64) *entry {
	e := sp.entries[it.Key]
	if !e.live() || e.version != it.Version {
		return nil
	}
	e.setDeadline(now, it.Left, it.TTL, it.Until, s.origin)
	if e.flags &^= touched; it.Touched {
		e.flags |= touched
	}
	sp.schedule(e)
	return e
}

// schedule sees to it that the entry is found when its deadline has passed. Only a
// primary needs that.
func (sp *space) schedule(e *entry) {
	if sp.wheel != nil {
		sp.wheel.push(e)
	}
}

// clear deletes everything of a cache up to a version.
func (s *store) clear(sp *space, upTo Version) {
	if upTo <= sp.cleared && !s.bare {
		return
	}
	sp.cleared = max(sp.cleared, upTo)
	for _, e := range sp.entries {
		if e.version <= upTo || s.bare {
			s.remove(sp, e)
		}
	}
}

// remove drops an entry of any kind.
func (s *store) remove(sp *space, e *entry) {
	if e.live() {
		s.dim(sp, e)
		s.drop(sp, e)
	} else {
		s.forget(sp, e)
	}
}

// dim has a record count as nothing.
func (s *store) dim(sp *space, e *entry) {
	s.sum -= sp.digest(e)
	s.account(-e.cost() - int64(e.size))
	sp.live--
}

// drop takes an entry that counts as nothing out of its space.
func (s *store) drop(sp *space, e *entry) {
	delete(sp.entries, e.key)
	e.data, e.size = nil, 0
	e.flags = e.flags&^queued | dead | gone
}

// account counts the memory of records.
func (s *store) account(bytes int64) {
	s.bytes += bytes
	if s.budget != nil {
		s.budget.records.Add(bytes)
	}
}

// reset drops everything.
func (s *store) reset() {
	s.account(-s.bytes)
	s.accountTombstones(-s.tombstoneBytes)
	for _, sp := range s.list {
		for _, e := range sp.entries {
			e.flags |= dead | gone
		}
	}
	s.spaces, s.list, s.clock, s.sum, s.filters = nil, nil, 0, 0, nil
}

// digest is what an entry adds to the sum.
func (sp *space) digest(e *entry) uint64 {
	return topology.Mix(topology.Hash(e.key) ^ sp.seed ^ uint64(e.version)*0x9e3779b97f4a7c15)
}
