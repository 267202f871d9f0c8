package part

import (
	"math"
	"time"
	"unsafe"
)

// An entry is what a replica holds of a key: a record, or the tombstone of one. There
// are millions of them, so it is packed into 64 bytes.
type entry struct {
	key      string
	data     *byte // of the record
	version  Version
	deadline int64  // monotonic nanoseconds, zero: never. Of a tombstone: when it was made
	size     uint32 // of the record
	ttl      span   // how far the deadline was away when it was set
	lag      span   // how far it has moved from what every replica knows
	used     uint32 // seconds of the monotonic clock, while records may be evicted
	busy     uint16 // writes that are not committed
	flags    flags
	slot     uint8 // where it stands in the wheel
}

// entryCost is what an entry counts beyond its key and record: the entry, its place in
// the map, and what allocation rounds up.
const entryCost = 160

// cost is what an entry counts beside its record.
func (e *entry) cost() int64 { return int64(len(e.key)) + entryCost }

// maxRecord is the longest record that an entry can hold.
const maxRecord = math.MaxUint32

type flags uint8

const (
	dead    flags = 1 << iota // a tombstone
	lapsed                    // a tombstone that no caller asked for: the record expired or was evicted
	queued                    // it stands in the wheel
	graced                    // the deadline includes the grace of a promotion
	sampled                   // it stands among the candidates for eviction
	gone                      // it is in no map any more
	touched                   // its deadline was moved, perhaps further than the replicas know
)

func (e *entry) is(f flags) bool { return e.flags&f != 0 }

// live reports whether e is there and is a record.
func (e *entry) live() bool { return e != nil && !e.is(dead|gone) }

func (e *entry) expired(now int64) bool { return e.deadline != 0 && e.deadline <= now }

// record returns the record, without copying it, or nil if e is a tombstone.
func (e *entry) record() []byte {
	if e.is(dead) {
		return nil
	}
	return unsafe.Slice(e.data, e.size)
}

// setRecord makes e hold a record, which is immutable from now on.
func (e *entry) setRecord(record []byte) {
	e.data, e.size = unsafe.SliceData(record), uint32(len(record))
}

// A span is a duration in units of about a millisecond. It ends at 52 days.
type span uint32

const (
	spanShift  = 20
	unknownLag = span(math.MaxUint32)
)

// spanOf returns a duration, rounded up.
func spanOf(d int64) span {
	return span(min((uint64(max(d, 0))+1<<spanShift-1)>>spanShift, math.MaxUint32))
}

func (s span) nanos() int64 { return int64(s) << spanShift }

// add returns the sum, or the longest span.
func (s span) add(o span) span {
	if s+o < s {
		return math.MaxUint32
	}
	return s + o
}

// grace is by how much a replica may know a deadline too early or too late.
func (s span) grace() span { return s / 8 }

// setDeadline moves the deadline to left from now; zero is never. Until is the same as a
// time of day, and origin the time of day of the monotonic zero. Where the clocks agree,
// the time of day counts, since it is not late by the time that messages take.
func (e *entry) setDeadline(now int64, left, ttl time.Duration, until, origin int64) {
	e.flags &^= graced
	e.deadline, e.ttl, e.lag = 0, 0, 0
	if left != 0 {
		e.deadline = deadline(now, left)
		e.ttl = spanOf(int64(max(left, ttl)))
		late := e.until(origin) - until
		if -maxSkew < late && late < maxSkew && until-origin <= math.MaxInt64/1000 {
			e.deadline = max(1, (until-origin)*1000)
		}
	}
}

// maxSkew is how far clocks may be apart to agree, in microseconds.
const maxSkew = 1_000_000

// until returns the deadline as a time of day, in microseconds since 1970, or zero.
func (e *entry) until(origin int64) int64 {
	if e.deadline == 0 {
		return 0
	}
	return origin + e.deadline/1000
}

// deadline returns the time that is left from now, at least 1.
func deadline(now int64, left time.Duration) int64 {
	if int64(left) > math.MaxInt64-now {
		return math.MaxInt64
	}
	return max(1, now+int64(left))
}

// left returns the time until the deadline as others get it: never zero if there is
// one, and without grace.
func (e *entry) left(now int64) time.Duration {
	if e.deadline == 0 {
		return 0
	}
	d := e.deadline - now
	if e.is(graced) {
		d -= e.ttl.grace().nanos()
	}
	return time.Duration(max(1, d))
}

// found returns the record as callers get it.
func (e *entry) found(now, origin int64) Found {
	f := Found{OK: true, Record: e.record(), Version: e.version, Until: e.until(origin)}
	if e.deadline != 0 {
		f.Left = time.Duration(max(1, e.deadline-now))
	}
	return f
}

// item returns the entry as other replicas get it.
func (e *entry) item(cache string, now, origin int64) Item {
	it := Item{Cache: cache, Key: e.key, Version: e.version}
	switch {
	case !e.is(dead):
		it.Record, it.Left, it.TTL, it.Until = e.record(), e.left(now), time.Duration(e.ttl.nanos()), e.until(origin)
		if it.Left == 0 {
			it.TTL = 0
		}
		it.Touched = e.is(touched)
	case e.is(lapsed):
		it.Kind, it.Cause = ItemDelete, ByExpiry
	default:
		it.Kind = ItemDelete
	}
	return it
}
