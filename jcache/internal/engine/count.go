package engine

import (
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// Counts is what the operations on a store have done, as JSR-107 counts it.
type Counts struct {
	Hits, Misses, Puts, Removals int64
	// GetTimes, PutTimes and RemovalTimes are the times of those operations whose time was taken.
	GetTimes, PutTimes, RemovalTimes Times
}

// Times is how long a number of operations took in all.
type Times struct {
	N     int64
	Total time.Duration
}

const (
	countShards = 8
	// sampleEvery is of how many operations the time of one is taken, after the first ones: to ask for
	// the time costs more than all else of counting.
	sampleEvery  = 32
	sampledFirst = 16
)

// counters are counted by many processors at once, so that each has several places.
type counters struct {
	on     atomic.Bool
	shards [countShards]struct {
		hits, misses, puts, removals atomic.Int64
		_                            [96]byte // the next one is on other cache lines
	}
	gets, puts, removals timer
}

// A timer sums up the times of samples.
type timer struct{ n, ns atomic.Int64 }

func (t *timer) add(began time.Time) {
	t.n.Add(1)
	t.ns.Add(int64(time.Since(began)))
}

func (t *timer) times() Times { return Times{N: t.n.Load(), Total: time.Duration(t.ns.Load())} }

// Count says whether operations are counted from now on. What was counted stays.
func (s *Store) Count(on bool) { s.counters.on.Store(on) }

// Counting reports whether operations are counted.
func (s *Store) Counting() bool { return s.counters.on.Load() }

// Counts returns what was counted. Each number is right; that an operation is in one and not
// yet in another is possible.
func (s *Store) Counts() Counts {
	c := &s.counters
	n := Counts{GetTimes: c.gets.times(), PutTimes: c.puts.times(), RemovalTimes: c.removals.times()}
	for i := range c.shards {
		shard := &c.shards[i]
		n.Hits += shard.hits.Load()
		n.Misses += shard.misses.Load()
		n.Puts += shard.puts.Load()
		n.Removals += shard.removals.Load()
	}
	return n
}

// ResetCounts begins to count from zero.
func (s *Store) ResetCounts() {
	c := &s.counters
	for i := range c.shards {
		shard := &c.shards[i]
		for _, n := range []*atomic.Int64{&shard.hits, &shard.misses, &shard.puts, &shard.removals} {
			n.Store(0)
		}
	}
	for _, t := range []*timer{&c.gets, &c.puts, &c.removals} {
		t.n.Store(0)
		t.ns.Store(0)
	}
}

// A count is one operation that is counted, if it goes well. The zero count counts nothing.
type count struct {
	counters *counters
	shard    uint32
	began    time.Time // zero: its time is not taken
}

// count begins one, which most likely will be one of those that the timer is for.
func (c *counters) count(t *timer) count {
	if !c.on.Load() {
		return count{}
	}
	draw := rand.Uint32()
	n := count{counters: c, shard: draw % countShards}
	if draw/countShards%sampleEvery == 0 || t.n.Load() < sampledFirst {
		n.began = time.Now()
	}
	return n
}

// looked counts a hit or a miss.
func (n *count) looked(hit bool) {
	switch {
	case n.counters == nil:
	case hit:
		n.counters.shards[n.shard].hits.Add(1)
	default:
		n.counters.shards[n.shard].misses.Add(1)
	}
}

// got counts a get.
func (n *count) got(hit bool) {
	if n.looked(hit); n.counters != nil && !n.began.IsZero() {
		n.counters.gets.add(n.began)
	}
}

// missed counts keys of a batch that were not found.
func (n *count) missed(keys int) {
	if n.counters != nil {
		n.counters.shards[n.shard].misses.Add(int64(keys))
	}
}

// put counts records of a batch that were stored.
func (n *count) put(keys int) {
	if n.counters != nil {
		n.counters.shards[n.shard].puts.Add(int64(keys))
	}
}

// did counts what an operation was to an entry.
func (n *count) did(kind Kind) {
	if n.counters == nil {
		return
	}
	shard, times := &n.counters.shards[n.shard], (*timer)(nil)
	switch kind {
	case Created, Updated, Stored:
		shard.puts.Add(1)
		times = &n.counters.puts
	case Removed:
		shard.removals.Add(1)
		times = &n.counters.removals
	default:
		return
	}
	if !n.began.IsZero() {
		times.add(n.began)
	}
}
