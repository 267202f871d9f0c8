package part

import (
	"encoding/binary"
	"slices"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// A filter is many tombstones in little memory: a Bloom filter (Bloom, 1970) of the keys, and
// the version up to which they were deleted. Of other keys that somebody else wrote before,
// it takes one in a hundred for deleted while it holds no more than filterKeys; it never
// misses one that was.
type filter struct {
	bits [filterWords]uint64
	keys int
	upTo Version
	// begun and at are when the first and the last key were added.
	begun, at int64
}

const (
	filterWords  = 32
	filterBits   = filterWords * 64
	filterHashes = 7
	filterKeys   = filterBits / 10
	filterCost   = filterBits/8 + 64
	// minFilters is how many filters a replica has before they must share a bound: one
	// takes keys in while the one before grows old.
	minFilters = 2
)

// places calls yield for the bits of a key.
func places(sp *space, key string, yield func(word int, bit uint64) bool) {
	h := topology.Mix(topology.Hash(key) ^ sp.seed)
	step := h>>32 | 1
	for range filterHashes {
		at := h % filterBits
		if !yield(int(at/64), 1<<(at%64)) {
			return
		}
		h += step
	}
}

func (f *filter) add(sp *space, key string) {
	places(sp, key, func(word int, bit uint64) bool { f.bits[word] |= bit; return true })
	f.keys++
}

func (f *filter) has(sp *space, key string) bool {
	has := true
	places(sp, key, func(word int, bit uint64) bool { has = f.bits[word]&bit != 0; return has })
	return has
}

// item returns the filter as other replicas get it.
func (f *filter) item() Item {
	record := make([]byte, 0, filterBits/8)
	for _, word := range f.bits {
		record = binary.BigEndian.AppendUint64(record, word)
	}
	return Item{Kind: ItemFilter, Version: f.upTo, Record: record}
}

// readFilter returns the filter of an item, full, or nil if it is none.
func readFilter(it *Item, now int64) *filter {
	if len(it.Record) != filterBits/8 {
		return nil
	}
	f := &filter{keys: filterKeys, upTo: it.Version, begun: now, at: now}
	for i := range f.bits {
		f.bits[i] = binary.BigEndian.Uint64(it.Record[8*i:])
	}
	return f
}

// coalesce adds a tombstone to the latest filter, or to a new one if that is full or has been
// filled for half of the time that it is kept.
func (s *store) coalesce(sp *space, e *entry, now int64) {
	var f *filter
	if n := len(s.filters); n > 0 {
		f = s.filters[n-1]
		full := f.keys >= filterKeys && (n < minFilters || !s.budget.filtersFull())
		if full || now-f.begun > s.kept(now)/2 {
			f = nil
		}
	}
	if f == nil {
		f = &filter{begun: now}
		s.keepFilter(f)
	}
	f.add(sp, e.key)
	f.upTo, f.at = max(f.upTo, e.version), now
}

// clearedSince reports whether everything was cleared later.
func (s *store) clearedSince(v Version) bool {
	return !slices.ContainsFunc(s.list, func(sp *space) bool { return sp.cleared < v })
}

func (s *store) keepFilter(f *filter) {
	s.filters = append(s.filters, f)
	s.accountTombstones(filterCost)
}

// expireFilters forgets the filters that hold nothing any more that must be remembered.
func (s *store) expireFilters(now int64) {
	n := 0
	for n < len(s.filters) && (!s.remembers(s.filters[n].at, now) || s.clearedSince(s.filters[n].upTo)) {
		n++
	}
	if n > 0 {
		s.filters = append([]*filter(nil), s.filters[n:]...)
		s.accountTombstones(-int64(n) * filterCost)
	}
}

// learn takes a filter over from another replica of the partition.
func (s *store) learn(it *Item, now int64) {
	if f := readFilter(it, now); f != nil && !s.bare {
		s.keepFilter(f)
	}
}

// deletedUpTo returns the version up to which a key that is not there counts as deleted, since
// its tombstone was coalesced. Zero: it does not.
func (s *store) deletedUpTo(cache, key string) (upTo Version) {
	if len(s.filters) == 0 {
		return 0
	}
	sp := s.spaces[cache]
	if sp == nil {
		return 0 // nothing was ever there
	}
	for _, f := range s.filters {
		if f.upTo > upTo && f.has(sp, key) {
			upTo = f.upTo
		}
	}
	return upTo
}
