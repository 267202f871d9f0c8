package jcache

import (
	"context"

	"github.com/keepsake-cache/keepsake/jcache/codec"
	"github.com/keepsake-cache/keepsake/jcache/internal/engine"
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
// processed the entries that its BatchError does not list, and that GetAndPut,
// GetAndRemove and Remove may have replaced what cannot be decoded.
//
// A panic of the program's own code, such as a policy or a codec, goes up to the caller and
// leaves nothing locked. In a bulk operation, which runs on several goroutines, it is the
// error of its key and matches ErrPanic.
type Cache[K comparable, V any] struct {
	*opened
	scheme[K, V]
	keys  codec.Keys[K]
	equal func(a, b V) bool
}

// opened is what the views of one open cache share.
type opened struct {
	manager *CacheManager
	name    string
	store   *engine.Store
	owned   []any // what the program gave the cache, and may want to be closed
}

// fail adds the operation's name to an error, once.
func (o *opened) fail(op string, err error) error {
	if err == nil {
		return nil
	}
	return o.manager.fail(op, o.name, err)
}

// Name returns the cache's name.
//
// JSR-107: Cache.getName.
func (c *Cache[K, V]) Name() string { return c.name }

// Manager returns the manager that the cache belongs to.
//
// JSR-107: Cache.getCacheManager.
func (c *Cache[K, V]) Manager() *CacheManager { return c.manager }

// WithExpiryPolicy returns a view of the same cache whose operations ask another
// policy. Nil: Eternal. The policy stays the caller's: the cache does not close it.
func (c *Cache[K, V]) WithExpiryPolicy(policy ExpiryPolicy[K, V]) *Cache[K, V] {
	view := *c
	view.setPolicy(policy)
	return &view
}

// change is the way in for every operation that changes one entry: decide sees what is
// stored under the key, says what shall be, and may be asked again.
func (c *Cache[K, V]) change(ctx context.Context, op string, key K, plan engine.Plan, decide engine.Decide) (engine.Kind, error) {
	call, err := c.store.Enter(ctx)
	if err != nil {
		return engine.None, c.fail(op, err)
	}
	defer call.Leave()
	stored, err := c.storedKey(&call, key)
	if err != nil {
		return engine.None, c.fail(op, err)
	}
	kind, err := call.Run(stored, plan, decide)
	return kind, c.fail(op, err)
}

// storedKey is the key as the driver stores it. Drivers know no empty key: it is stored as
// a zero byte, and a key that begins with one gets another one.
func (c *Cache[K, V]) storedKey(call *engine.Call, key K) (string, error) {
	stored, err := c.keys.Encode(key)
	if err != nil {
		return "", err
	}
	if stored == "" || stored[0] == 0 {
		stored = "\x00" + stored
	}
	return stored, call.CheckKey(stored)
}

// keyOf is the reverse of storedKey.
func keyOf[K comparable](keys codec.Keys[K], stored string) (K, error) {
	if stored != "" && stored[0] == 0 {
		stored = stored[1:]
	}
	return keys.Decode(stored)
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
	call, err := c.store.Enter(ctx)
	if err != nil {
		return entry, false, err
	}
	defer call.Leave()
	stored, err := c.storedKey(&call, key)
	if err != nil {
		return entry, false, err
	}
	var value V
	var seen engine.Record
	err = call.Get(stored, &seen, func(seen engine.Record) (ch engine.Change, err error) {
		value, ch, err = c.read(key, &seen)
		return ch, err
	})
	if err != nil {
		return Entry[K, V]{Key: key}, false, err
	}
	return entryOf(key, value, &seen), seen.Live, nil
}

// read is what reading a live record means: its value, and what the access changes.
func (c *Cache[K, V]) read(key K, seen *engine.Record) (value V, ch engine.Change, err error) {
	if value, err = c.decode(seen); err != nil {
		return value, ch, err
	}
	return value, c.access(key, value), nil
}

// ContainsKey reports whether there is an entry. It is no access: it does not
// decode the value and does not move the deadline.
//
// JSR-107: Cache.containsKey.
func (c *Cache[K, V]) ContainsKey(ctx context.Context, key K) (bool, error) {
	call, err := c.store.Enter(ctx)
	if err != nil {
		return false, c.fail("contains key", err)
	}
	defer call.Leave()
	stored, err := c.storedKey(&call, key)
	if err != nil {
		return false, c.fail("contains key", err)
	}
	found, err := call.Has(stored)
	return found, c.fail("contains key", err)
}

// Size returns the number of entries. Providers may count entries that have
// expired but are not yet dropped. It wraps errors.ErrUnsupported where the
// provider can neither count nor list.
func (c *Cache[K, V]) Size(ctx context.Context) (int, error) {
	call, err := c.store.Enter(ctx)
	if err != nil {
		return 0, c.fail("size", err)
	}
	defer call.Leave()
	n, err := call.Size()
	return n, c.fail("size", err)
}

// Unwrap returns the provider's own object behind the cache, or nil if it has none
// to show. The provider documents its type.
//
// JSR-107: Cache.unwrap.
func (c *Cache[K, V]) Unwrap() any { return c.store.Unwrap() }

// Local reports whether this process serves the key itself, without a round trip. known
// is false where the provider has no notion of that, and when the cache is closed.
func (c *Cache[K, V]) Local(key K) (local, known bool) {
	p, known := c.placement(key)
	return p == Local, known
}

// Shared reports whether other processes reach the same entries. It is false while the provider has not
// been reached: see CacheManager.Reached.
func (c *Cache[K, V]) Shared() bool { return c.store.Info().Shared }

// MaxValueBytes returns how long an encoded value may be. Zero: the provider has no limit
// of its own.
func (c *Cache[K, V]) MaxValueBytes() int {
	limit := c.store.Info().MaxRecordBytes
	if limit == 0 {
		return 0
	}
	return max(1, limit-engine.HeaderBytes(*c.inRecord))
}

// Closed reports whether the cache refuses operations, because it was closed or is being
// closed.
//
// JSR-107: Cache.isClosed.
func (c *Cache[K, V]) Closed() bool { return c.store.Closed() }

// Close lets no operation begin any more, waits for those in progress, and closes the
// cache and what it was created with: a policy and a codec that are an io.Closer are closed,
// once. The manager forgets the cache, so its name can be opened again; its entries stay
// where they are. The body of a loop over All is not waited for: the loop ends with
// ErrClosed at its next step.
//
// It waits until ctx ends, and at most 10 seconds. If operations are still in progress then,
// the error matches the context's, and Close can be called again; CreateCache, GetCache,
// DestroyCache and the manager's Close go on with it, too. Closing twice is harmless.
//
// JSR-107: Cache.close.
func (c *Cache[K, V]) Close(ctx context.Context) error {
	return c.fail("close", c.manager.closeCache(ctx, c.opened))
}
