package jcache

import "time"

// A change is what an operation decides to do to a key.
type change struct {
	kind     changeKind
	writeID  uint64 // of record
	record   []byte
	deadline int64
}

type changeKind uint8

const (
	changeNothing changeKind = iota
	changeWrite
	changeRemove
	changeDeadline // touch: only the deadline moves
)

// newRecord begins a record; the caller appends the encoded value.
func newRecord(codec byte, deadline int64, inRecord bool) change {
	ch := change{kind: changeWrite, writeID: newWriteID(), deadline: deadline}
	const room = 46 // small values fit without growing: 64 bytes in all
	ch.record = appendHeader(make([]byte, 0, longHeader+room), ch.writeID, codec, deadline, inRecord)
	return ch
}

// move makes a record of the one that was seen with the deadline of ch, for those who
// cannot touch.
func (ch change) move(seen observed) change {
	moved := newRecord(seen.codec, ch.deadline, true)
	moved.record = append(moved.record, seen.value...)
	return moved
}

// retime is the change that gives an entry a new expiry and no new value.
func retime(e Expiry) change {
	switch e.kind {
	case expiryNever:
		return change{kind: changeDeadline}
	case expiryAfter:
		return change{kind: changeDeadline, deadline: toMillis(time.Now().Add(e.d))}
	case expiryNow:
		return change{kind: changeRemove}
	}
	return change{}
}
