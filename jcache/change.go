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
func (s *store) newRecord(codec byte, deadline int64) change {
	ch := change{kind: changeWrite, writeID: newWriteID(), deadline: deadline}
	const room = 46 // small values fit without growing: 64 bytes in all
	ch.record = appendHeader(make([]byte, 0, longHeader+room), ch.writeID, codec, deadline, s.features.Toucher == nil)
	return ch
}

// access asks the policy what a read does to the entry.
func (c *Cache[K, V]) access(key K, value V) change {
	if c.fixed != nil && c.fixed.access == Keep() {
		return change{}
	}
	return retime(c.policy.OnAccess(key, value))
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

// write is the change that gives a key a value. The policy may make it a change
// of another kind: what expires at once is not stored.
func (c *Cache[K, V]) write(key K, value V, seen observed) (change, error) {
	if seen.live {
		return c.writeWith(c.policy.OnUpdate(key, value), value, seen)
	}
	return c.writeWith(c.policy.OnCreate(key, value), value, seen)
}

// writeWith is write with the policy's answer.
func (c *Cache[K, V]) writeWith(expiry Expiry, value V, seen observed) (change, error) {
	deadline := int64(0)
	switch expiry.kind {
	case expiryKeep:
		if seen.live {
			deadline = seen.deadline
		}
	case expiryNow:
		if seen.live {
			return change{kind: changeRemove}, nil
		}
		return change{}, nil
	case expiryAfter:
		deadline = toMillis(time.Now().Add(expiry.d))
	}
	ch := c.newRecord(c.codec.ID(), deadline)
	var err error
	ch.record, err = c.codec.Append(ch.record, value)
	return ch, err
}
