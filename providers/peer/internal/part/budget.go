package part

import "sync/atomic"

// A Budget bounds the memory of all replicas of a member. It may be shared by
// goroutines.
type Budget struct {
	// Max is how many bytes keys, records and their administration may use. Only
	// primaries keep to it: a backup stores what its primary has accepted.
	Max     int64
	records atomic.Int64
	graves  atomic.Int64
}

// graveShare is which part of Max is for deletions that are remembered, and not for records:
// half of it for tombstones and the rest for filters.
const graveShare = 32

// freeGraves is what deletions may use if there is no bound on records, in bytes.
const freeGraves = 64 << 20

// Used returns how many bytes are in use.
func (b *Budget) Used() int64 { return b.records.Load() + b.graves.Load() }

// fits reports whether so many more bytes may be used for records.
func (b *Budget) fits(more int64) bool {
	return b == nil || b.Max == 0 || more <= 0 || b.records.Load()+more <= b.Max-b.Max/graveShare
}

// forGraves is how much deletions may use.
func (b *Budget) forGraves() int64 {
	if b.Max == 0 {
		return freeGraves
	}
	return b.Max / graveShare
}

// gravesFull reports whether tombstones have to be coalesced.
func (b *Budget) gravesFull() bool { return b != nil && b.graves.Load() > b.forGraves()/2 }

// filtersFull reports whether there should be no more filters.
func (b *Budget) filtersFull() bool { return b != nil && b.graves.Load() > b.forGraves() }
