package engine

import (
	"time"
)

// An Act is what a change does to a key.
type Act uint8

// The acts.
const (
	Keep   Act = iota // nothing
	Put               // store Record
	Remove            // remove the record, if there is a live one
	Retime            // give the record another Deadline
)

// A Change is what an operation decides to do to a key, with the record in hand.
type Change struct {
	Act Act

	// Means says what a removal is to others, if it is not Removed: an entry may be
	// updated with a value that expires at once, or expire because it was read.
	Means Kind

	WriteID  uint64 // of Record
	Record   []byte
	Deadline int64 // milliseconds since 1970; 0: never
}

// A Kind is what an operation was to an entry.
type Kind uint8

// The kinds of effects.
const (
	None    Kind = iota
	Created      // there was no entry
	Updated
	Removed
	Expired
	Stored // Created or Updated: nobody looked
)

// An Effect is what a decision has done. An operation may decide several times; only
// the decision that took place has an effect.
type Effect struct {
	Kind Kind
	// Hit reports whether the operation found a live entry.
	Hit bool
	// Old is what the decision saw, New the record that it stored.
	Old Record
	New []byte
}

// kind is what the change does to an entry that is there, or not.
func (ch *Change) kind(live bool) Kind {
	switch {
	case ch.Act == Put && live:
		return Updated
	case ch.Act == Put:
		return Created
	case ch.Act != Remove || !live:
		return None
	case ch.Means != None:
		return ch.Means
	}
	return Removed
}

// NewRecord begins a record; the caller appends the encoded value. A write id of zero
// stands for a new one.
func NewRecord(writeID uint64, codec byte, deadline int64, inRecord bool) Change {
	if writeID == 0 {
		writeID = NewWriteID()
	}
	ch := Change{Act: Put, WriteID: writeID, Deadline: deadline}
	const room = 46 // small values fit without growing: 64 bytes in all
	ch.Record = AppendHeader(make([]byte, 0, longHeader+room), ch.WriteID, codec, deadline, inRecord)
	return ch
}

// Moved is a record of its own with the deadline of ch and the value of the record that
// was seen, for those who cannot touch.
func (ch *Change) Moved(seen *Record) Change {
	moved := NewRecord(ch.WriteID, seen.Codec, ch.Deadline, true)
	moved.Record = append(moved.Record, seen.Value...)
	return moved
}

// Deadline is the deadline of what lives d from now.
func Deadline(d time.Duration) int64 { return Millis(time.Now().Add(d)) }
