package jcache

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"time"
)

// A Cache maps keys of type K to values of type V, in whatever place its manager's
// provider keeps them. It stores by value: what Put was given and what Get
// returned can be changed without changing the cache.
//
// All methods may be called by many goroutines at once. A write that returned is
// seen by every later operation on its key, in any process that shares the
// provider's records. Operations on one key are atomic; bulk operations are atomic
// for each key only.
//
// Errors are *Error values. After an error that matches neither ErrIndeterminate
// nor a context's error, nothing was changed, except that a bulk operation has
// processed the entries that its BatchError does not list.
type Cache[K comparable, V any] struct {
	*store
	manager *CacheManager
	keys    keyCodec[K]
	codec   Codec[V]
	policy  ExpiryPolicy[K, V]
	fixed   *fixedExpiry // of policy, or nil
	equal   func(a, b V) bool
}

// Name returns the cache's name.
//
// JSR-107: Cache.getName.
func (c *Cache[K, V]) Name() string { return c.name }

// Manager returns the manager that the cache belongs to.
//
// JSR-107: Cache.getCacheManager.
func (c *Cache[K, V]) Manager() *CacheManager { return c.manager }

// WithExpiry returns a view of the same cache whose operations ask another
// policy. Nil: Eternal.
func (c *Cache[K, V]) WithExpiry(policy ExpiryPolicy[K, V]) *Cache[K, V] {
	view := *c
	view.setPolicy(policy)
	return &view
}

func (c *Cache[K, V]) setPolicy(policy ExpiryPolicy[K, V]) {
	if policy == nil {
		policy = Eternal[K, V]()
	}
	c.policy, c.fixed = policy, nil
	if p, ok := policy.(interface{ fixed() *fixedExpiry }); ok {
		c.fixed = p.fixed()
	}
}

// start begins an operation on one key.
func (c *Cache[K, V]) start(ctx context.Context, key K) (_ context.Context, cancel context.CancelFunc, stored string, err error) {
	ctx, cancel, err = c.begin(ctx)
	if err != nil {
		return nil, nil, "", err
	}
	if stored, err = c.storedKey(key); err != nil {
		c.end(cancel)
		return nil, nil, "", err
	}
	return ctx, cancel, stored, nil
}

func (c *Cache[K, V]) storedKey(key K) (string, error) {
	stored, err := c.keys.encode(key)
	if err != nil {
		return "", err
	}
	return stored, c.checkKey(stored)
}

// Get returns the value stored under key, or ok == false if there is none.
//
// JSR-107: Cache.get.
func (c *Cache[K, V]) Get(ctx context.Context, key K) (value V, ok bool, err error) {
	e, ok, err := c.get(ctx, key)
	return e.Value, ok, c.fail("get", err)
}

// GetEntry is Get, but returns the entry with its deadline and the version that
// InvokeEntry starts from. If there is none, ok is false and the entry stands for
// its absence.
func (c *Cache[K, V]) GetEntry(ctx context.Context, key K) (entry Entry[K, V], ok bool, err error) {
	e, ok, err := c.get(ctx, key)
	return e, ok, c.fail("get", err)
}

func (c *Cache[K, V]) get(ctx context.Context, key K) (entry Entry[K, V], ok bool, err error) {
	ctx, cancel, stored, err := c.start(ctx, key)
	if err != nil {
		return entry, false, err
	}
	defer c.end(cancel)
	seen, err := c.read(ctx, stored)
	if err != nil {
		return entry, false, err
	}
	if !seen.live {
		return Entry[K, V]{Key: key, seen: seen, known: true}, false, nil
	}
	entry, err = c.entry(ctx, key, stored, seen)
	return entry, err == nil, err
}

// entry decodes a live record and counts the access.
func (c *Cache[K, V]) entry(ctx context.Context, key K, stored string, seen observed) (Entry[K, V], error) {
	value, err := c.decode(seen)
	if err != nil {
		return Entry[K, V]{Key: key}, err
	}
	e := Entry[K, V]{Key: key, Value: value, Deadline: fromMillis(seen.deadline), seen: seen, known: true}
	ch := c.access(key, value)
	if ch.kind == changeNothing {
		return e, nil
	}
	// Should somebody else write the entry in this moment, then that write has
	// set its deadline.
	if _, _, err = c.apply(ctx, stored, seen, ch); err != nil {
		return Entry[K, V]{Key: key}, err
	}
	return e, nil
}

func (c *Cache[K, V]) decode(seen observed) (V, error) {
	if seen.codec != c.codec.ID() {
		var zero V
		return zero, fmt.Errorf("%w: it was written with codec %d, this cache reads codec %d", ErrUndecodable, seen.codec, c.codec.ID())
	}
	return c.codec.Decode(seen.value)
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

// Put stores value under key, whatever was there.
//
// JSR-107: Cache.put.
func (c *Cache[K, V]) Put(ctx context.Context, key K, value V) error {
	ctx, cancel, stored, err := c.start(ctx, key)
	if err != nil {
		return c.fail("put", err)
	}
	defer c.end(cancel)
	return c.fail("put", c.putOne(ctx, key, stored, value))
}

func (c *Cache[K, V]) putOne(ctx context.Context, key K, stored string, value V) error {
	if c.fixed == nil || !c.fixed.blind() {
		return c.mutate(ctx, stored, nil, func(seen observed) (change, error) {
			return c.write(key, value, seen)
		})
	}
	ch, err := c.write(key, value, observed{})
	if err != nil {
		return err
	}
	if ch.kind == changeNothing {
		return c.cache.Delete(ctx, stored)
	}
	return c.put(ctx, stored, ch)
}

// GetAndPut stores value under key and returns what was there.
//
// JSR-107: Cache.getAndPut.
func (c *Cache[K, V]) GetAndPut(ctx context.Context, key K, value V) (old V, had bool, err error) {
	ctx, cancel, stored, err := c.start(ctx, key)
	if err != nil {
		return old, false, c.fail("get and put", err)
	}
	defer c.end(cancel)
	if x := c.features.Exchanger; x != nil && c.fixed != nil && c.fixed.blind() {
		ch, err := c.write(key, value, observed{})
		if err == nil {
			err = c.checkSize(ch.record)
		}
		if err == nil {
			old, had, err = c.exchange(ctx, stored, ch)
		}
		return old, had, c.fail("get and put", err)
	}
	err = c.mutate(ctx, stored, nil, func(seen observed) (ch change, err error) {
		if old, had, err = c.previous(seen); err != nil {
			return change{}, err
		}
		return c.write(key, value, seen)
	})
	return old, had, c.fail("get and put", err)
}

// exchange swaps a record for another one in one round trip; a change without a
// record removes it.
func (c *Cache[K, V]) exchange(ctx context.Context, stored string, ch change) (old V, had bool, err error) {
	item, existed, err := c.features.Exchanger.Exchange(ctx, stored, ch.record, fromMillis(ch.deadline))
	if err != nil || !existed {
		return old, false, err
	}
	seen, err := observe(item, time.Now())
	if err != nil {
		return old, false, err
	}
	return c.previous(seen)
}

// previous decodes what an operation replaces or removes.
func (c *Cache[K, V]) previous(seen observed) (old V, had bool, err error) {
	if !seen.live {
		return old, false, nil
	}
	old, err = c.decode(seen)
	return old, err == nil, err
}

// PutIfAbsent stores value under key if there is no entry, and reports whether it
// did. Of several callers, one succeeds. The policy may be asked about the creation
// before it is known that there is none; that saves a round trip.
//
// JSR-107: Cache.putIfAbsent; there a refused one asks the policy nothing.
func (c *Cache[K, V]) PutIfAbsent(ctx context.Context, key K, value V) (stored bool, err error) {
	ctx, cancel, storedKey, err := c.start(ctx, key)
	if err != nil {
		return false, c.fail("put if absent", err)
	}
	defer c.end(cancel)
	// Most calls find nothing, so the first attempt does not look.
	err = c.mutate(ctx, storedKey, &observed{}, func(seen observed) (change, error) {
		if stored = false; seen.live {
			return change{}, nil
		}
		ch, err := c.write(key, value, seen)
		stored = ch.kind == changeWrite
		return ch, err
	})
	return stored && err == nil, c.fail("put if absent", err)
}

// Remove removes the entry of key and reports whether there was one.
//
// JSR-107: Cache.remove(key).
func (c *Cache[K, V]) Remove(ctx context.Context, key K) (existed bool, err error) {
	ctx, cancel, stored, err := c.start(ctx, key)
	if err != nil {
		return false, c.fail("remove", err)
	}
	defer c.end(cancel)
	existed, err = c.removeOne(ctx, stored)
	return existed, c.fail("remove", err)
}

func (c *Cache[K, V]) removeOne(ctx context.Context, stored string) (existed bool, err error) {
	if x := c.features.Exchanger; x != nil {
		item, existed, err := x.Exchange(ctx, stored, nil, time.Time{})
		if err != nil || !existed {
			return false, err
		}
		seen, err := observe(item, time.Now())
		return err == nil && seen.live, err
	}
	err = c.mutate(ctx, stored, nil, func(seen observed) (change, error) {
		if existed = seen.live; !existed {
			return change{}, nil
		}
		return change{kind: changeRemove}, nil
	})
	return existed && err == nil, err
}

// GetAndRemove removes the entry of key and returns its value.
//
// JSR-107: Cache.getAndRemove.
func (c *Cache[K, V]) GetAndRemove(ctx context.Context, key K) (old V, had bool, err error) {
	ctx, cancel, stored, err := c.start(ctx, key)
	if err != nil {
		return old, false, c.fail("get and remove", err)
	}
	defer c.end(cancel)
	if c.features.Exchanger != nil {
		old, had, err = c.exchange(ctx, stored, change{})
		return old, had, c.fail("get and remove", err)
	}
	err = c.mutate(ctx, stored, nil, func(seen observed) (_ change, err error) {
		if old, had, err = c.previous(seen); err != nil || !had {
			return change{}, err
		}
		return change{kind: changeRemove}, nil
	})
	return old, had && err == nil, c.fail("get and remove", err)
}

// CompareAndRemove removes the entry of key if its value equals old, and reports
// whether it did.
//
// JSR-107: Cache.remove(key, oldValue).
func (c *Cache[K, V]) CompareAndRemove(ctx context.Context, key K, old V) (removed bool, err error) {
	removed, err = c.compareAnd(ctx, key, old, func(observed) (change, error) {
		return change{kind: changeRemove}, nil
	})
	return removed, c.fail("compare and remove", err)
}

// CompareAndReplace gives the entry of key the value new if its value equals old,
// and reports whether it did.
//
// JSR-107: Cache.replace(key, oldValue, newValue).
func (c *Cache[K, V]) CompareAndReplace(ctx context.Context, key K, old, new V) (replaced bool, err error) {
	replaced, err = c.compareAnd(ctx, key, old, func(seen observed) (change, error) {
		return c.write(key, new, seen)
	})
	return replaced, c.fail("compare and replace", err)
}

// compareAnd makes a change if the entry's value equals old. If it does not, that
// counts as an access.
func (c *Cache[K, V]) compareAnd(ctx context.Context, key K, old V, do func(observed) (change, error)) (done bool, err error) {
	ctx, cancel, stored, err := c.start(ctx, key)
	if err != nil {
		return false, err
	}
	defer c.end(cancel)
	encoded, err := c.codec.Append(nil, old)
	if err != nil {
		return false, err
	}
	err = c.mutate(ctx, stored, nil, func(seen observed) (change, error) {
		if done = false; !seen.live {
			return change{}, nil
		}
		if seen.codec != c.codec.ID() || !bytes.Equal(encoded, seen.value) || c.equal != nil {
			value, err := c.decode(seen)
			if err != nil {
				return change{}, err
			}
			if !c.same(old, value) {
				return c.access(key, value), nil
			}
		}
		done = true
		return do(seen)
	})
	return done && err == nil, err
}

func (c *Cache[K, V]) same(a, b V) bool {
	if c.equal != nil {
		return c.equal(a, b)
	}
	return reflect.DeepEqual(a, b)
}

// Replace gives the entry of key a new value if there is an entry, and reports
// whether there was.
//
// JSR-107: Cache.replace(key, value).
func (c *Cache[K, V]) Replace(ctx context.Context, key K, value V) (replaced bool, err error) {
	ctx, cancel, stored, err := c.start(ctx, key)
	if err != nil {
		return false, c.fail("replace", err)
	}
	defer c.end(cancel)
	err = c.mutate(ctx, stored, nil, func(seen observed) (change, error) {
		if replaced = seen.live; !replaced {
			return change{}, nil
		}
		return c.write(key, value, seen)
	})
	return replaced && err == nil, c.fail("replace", err)
}

// GetAndReplace gives the entry of key a new value if there is an entry, and
// returns the old one.
//
// JSR-107: Cache.getAndReplace.
func (c *Cache[K, V]) GetAndReplace(ctx context.Context, key K, value V) (old V, had bool, err error) {
	ctx, cancel, stored, err := c.start(ctx, key)
	if err != nil {
		return old, false, c.fail("get and replace", err)
	}
	defer c.end(cancel)
	err = c.mutate(ctx, stored, nil, func(seen observed) (_ change, err error) {
		if old, had, err = c.previous(seen); err != nil || !had {
			return change{}, err
		}
		return c.write(key, value, seen)
	})
	return old, had && err == nil, c.fail("get and replace", err)
}

// ContainsKey reports whether there is an entry. It is no access: it does not
// decode the value and does not move the deadline.
//
// JSR-107: Cache.containsKey.
func (c *Cache[K, V]) ContainsKey(ctx context.Context, key K) (bool, error) {
	ctx, cancel, stored, err := c.start(ctx, key)
	if err != nil {
		return false, c.fail("contains key", err)
	}
	defer c.end(cancel)
	seen, err := c.read(ctx, stored)
	return seen.live, c.fail("contains key", err)
}

// Size returns the number of entries. Providers may count entries that have
// expired but are not yet dropped. It wraps errors.ErrUnsupported where the
// provider can neither count nor list.
func (c *Cache[K, V]) Size(ctx context.Context) (int, error) {
	ctx, cancel, err := c.begin(ctx)
	if err != nil {
		return 0, c.fail("size", err)
	}
	defer c.end(cancel)
	n, err := c.size(ctx)
	return n, c.fail("size", err)
}

// Unwrap returns the provider's own object behind the cache, or nil if it has none
// to show. The provider documents its type.
//
// JSR-107: Cache.unwrap.
func (c *Cache[K, V]) Unwrap() any {
	if u := c.features.Unwrapper; u != nil {
		return u.Unwrap()
	}
	return nil
}

// Local reports whether this process serves the key itself, without a round trip.
func (c *Cache[K, V]) Local(key K) bool {
	l := c.features.Locality
	if l == nil {
		return false
	}
	stored, err := c.storedKey(key)
	return err == nil && l.Local(stored)
}

// Closed reports whether the cache has been closed.
//
// JSR-107: Cache.isClosed.
func (c *Cache[K, V]) Closed() bool { return c.gate.closed() }

// Close waits for the operations in progress, and closes the cache. The manager
// forgets it, so its name can be opened again; its entries stay where they are.
// Closing twice is harmless. If ctx ends first, the cache refuses new operations and
// Close must be called again; the manager's Close does so, too.
//
// JSR-107: Cache.close.
func (c *Cache[K, V]) Close(ctx context.Context) error {
	if err := c.close(ctx); err != nil {
		return c.fail("close", err)
	}
	c.manager.forget(c.name, c.store)
	return nil
}
