package part

import (
	"sync/atomic"
	"time"
)

// A Budget bounds the memory of all replicas of a member. It may be shared by
// goroutines.
type Budget struct {
	// Max is how many bytes keys, records and their administration may use; zero: any
	// amount. Only primaries keep to it: a backup stores what its primary has accepted.
	Max        int64
	records    atomic.Int64
	tombstones atomic.Int64
	// wanted is the largest of the writes that wait for room, and wantedAt when it was
	// there last, by the monotonic clock.
	wanted, wantedAt atomic.Int64
}

// tombstoneShare is which part of Max is for deletions that are remembered, and not for records:
// half of it for tombstones and the rest for filters.
const tombstoneShare = 32

// spareShare is which part of Max is kept free by evicting records before it is full.
const spareShare = 32

// freeTombstones is what deletions may use if there is no bound on records, in bytes.
const freeTombstones = 64 << 20

// Used returns how many bytes are in use.
func (b *Budget) Used() int64 { return b.records.Load() + b.tombstones.Load() }

// fits reports whether so many more bytes may be used for records.
func (b *Budget) fits(more int64) bool {
	return b == nil || b.Max == 0 || more <= 0 || b.records.Load()+more <= b.forRecords()
}

// forRecords is how much records may use, if there is a bound.
func (b *Budget) forRecords() int64 { return b.Max - b.Max/tombstoneShare }

// spare is how much of that is kept free where records may be evicted.
func (b *Budget) spare() int64 { return b.Max / spareShare }

// excess returns by how much the records, and so many bytes more, exceed what leaves some room
// for copies.
func (b *Budget) excess(more int64) int64 {
	if b == nil || b.Max == 0 {
		return 0
	}
	return b.records.Load() + more - (b.forRecords() - b.spare())
}

// want notes that a write waits for so many bytes.
func (b *Budget) want(bytes, now int64) {
	if now-b.wantedAt.Swap(now) > wantedFor {
		b.wanted.Store(0)
	}
	b.wanted.Store(max(bytes, b.wanted.Load()))
}

// wants returns how much a write waits for.
func (b *Budget) wants(now int64) int64 {
	if b == nil || now-b.wantedAt.Load() > wantedFor {
		return 0
	}
	return b.wanted.Load()
}

// wantedFor is how long a write waits that has not said so again, in nanoseconds.
const wantedFor = int64(100 * time.Millisecond)

// forTombstones is how much deletions may use.
func (b *Budget) forTombstones() int64 {
	if b.Max == 0 {
		return freeTombstones
	}
	return b.Max / tombstoneShare
}

// tombstonesFull reports whether tombstones have to be coalesced.
func (b *Budget) tombstonesFull() bool { return b != nil && b.tombstones.Load() > b.forTombstones()/2 }

// filtersFull reports whether there should be no more filters.
func (b *Budget) filtersFull() bool { return b != nil && b.tombstones.Load() > b.forTombstones() }
