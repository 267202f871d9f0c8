package jcache

import (
	"fmt"

	"github.com/keepsake-cache/keepsake/jcache/internal/engine"
)

// A scheme says how values become records, and when these expire: all that a processor
// must know of a cache.
type scheme[K comparable, V any] struct {
	codec    Codec[V]
	policy   ExpiryPolicy[K, V]
	fixed    *fixedExpiry // of policy, or nil
	inRecord *bool        // deadlines stand in the records
	writeID  uint64       // of the next record; 0: a new one
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

// blind reports whether a put is the same, be there an entry already or not.
func (c *scheme[K, V]) blind() bool { return c.fixed != nil && c.fixed.create == c.fixed.update }

func (c *scheme[K, V]) decode(seen *engine.Record) (V, error) {
	if seen.Codec != c.codec.ID() {
		var zero V
		return zero, fmt.Errorf("%w: it was written with codec %d, this cache reads codec %d", ErrUndecodable, seen.Codec, c.codec.ID())
	}
	return c.codec.Decode(seen.Value)
}

// access asks the policy what a read does to the entry.
func (c *scheme[K, V]) access(key K, value V) engine.Change {
	if c.fixed != nil && c.fixed.access == KeepExpiry() {
		return engine.Change{}
	}
	return retime(c.policy.OnAccess(key, value))
}

// retime is the change that gives an entry a new expiry and no new value.
func retime(e Expiry) engine.Change {
	switch e.kind {
	case expiryNever:
		return engine.Change{Act: engine.Retime}
	case expiryAfter:
		return engine.Change{Act: engine.Retime, Deadline: engine.Deadline(e.d)}
	case expiryNow:
		return engine.Change{Act: engine.Remove, Means: engine.Expired}
	}
	return engine.Change{}
}

// write is the change that gives a key a value. The policy may make it a change
// of another kind: what expires at once is not stored.
func (c *scheme[K, V]) write(key K, value V, seen *engine.Record) (engine.Change, error) {
	if seen.Live {
		return c.writeWith(c.policy.OnUpdate(key, value), value, seen)
	}
	return c.writeWith(c.policy.OnCreate(key, value), value, seen)
}

// writeWith is write with the policy's answer.
func (c *scheme[K, V]) writeWith(expiry Expiry, value V, seen *engine.Record) (engine.Change, error) {
	deadline := int64(0)
	switch expiry.kind {
	case expiryKeep:
		if seen.Live {
			deadline = seen.Deadline
		}
	case expiryNow:
		return engine.Change{Act: engine.Remove, Means: engine.Updated}, nil
	case expiryAfter:
		deadline = engine.Deadline(expiry.d)
	}
	ch := engine.NewRecord(c.writeID, c.codec.ID(), deadline, *c.inRecord)
	var err error
	ch.Record, err = c.codec.Append(ch.Record, value)
	return ch, err
}
