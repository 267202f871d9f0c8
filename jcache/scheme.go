package jcache

import (
	"fmt"
	"time"
)

// A scheme says how values become records, and when these expire: all that a processor
// must know of a cache.
type scheme[K comparable, V any] struct {
	codec    Codec[V]
	policy   ExpiryPolicy[K, V]
	fixed    *fixedExpiry // of policy, or nil
	inRecord bool         // deadlines stand in the records
}

func (c *scheme[K, V]) setPolicy(policy ExpiryPolicy[K, V]) {
	if policy == nil {
		policy = Eternal[K, V]()
	}
	c.policy, c.fixed = policy, nil
	if p, ok := policy.(interface{ fixed() *fixedExpiry }); ok {
		c.fixed = p.fixed()
	}
}

func (c *scheme[K, V]) decode(seen observed) (V, error) {
	if seen.codec != c.codec.ID() {
		var zero V
		return zero, fmt.Errorf("%w: it was written with codec %d, this cache reads codec %d", ErrUndecodable, seen.codec, c.codec.ID())
	}
	return c.codec.Decode(seen.value)
}

// access asks the policy what a read does to the entry.
func (c *scheme[K, V]) access(key K, value V) change {
	if c.fixed != nil && c.fixed.access == Keep() {
		return change{}
	}
	return retime(c.policy.OnAccess(key, value))
}

// write is the change that gives a key a value. The policy may make it a change
// of another kind: what expires at once is not stored.
func (c *scheme[K, V]) write(key K, value V, seen observed) (change, error) {
	if seen.live {
		return c.writeWith(c.policy.OnUpdate(key, value), value, seen)
	}
	return c.writeWith(c.policy.OnCreate(key, value), value, seen)
}

// writeWith is write with the policy's answer.
func (c *scheme[K, V]) writeWith(expiry Expiry, value V, seen observed) (change, error) {
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
	ch := newRecord(c.codec.ID(), deadline, c.inRecord)
	var err error
	ch.record, err = c.codec.Append(ch.record, value)
	return ch, err
}
