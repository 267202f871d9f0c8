package jcache

import (
	"context"

	"github.com/keepsake-cache/keepsake/jcache/codec"
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
	scheme[K, V]
	manager *CacheManager
	keys    codec.Keys[K]
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
	stored, err := c.keys.Encode(key)
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

// Local reports whether this process serves the key itself, without a round trip. known
// is false where the provider has no notion of that.
func (c *Cache[K, V]) Local(key K) (local, known bool) {
	l := c.features.Locality
	if l == nil {
		return false, false
	}
	stored, err := c.storedKey(key)
	return err == nil && l.Local(stored), true
}

// MaxValueBytes returns how long an encoded value may be. Zero: the provider has no limit
// of its own.
func (c *Cache[K, V]) MaxValueBytes() int {
	header := shortHeader
	if c.inRecord {
		header = longHeader
	}
	if c.info.MaxRecordBytes == 0 {
		return 0
	}
	return max(1, c.info.MaxRecordBytes-header)
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
