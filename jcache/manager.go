package jcache

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"sort"
	"sync"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/codec"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// A CacheManager is an open connection to a provider and holds its named caches.
// All methods may be called by many goroutines at once.
//
// JSR-107: CacheManager.
type CacheManager struct {
	provider string
	conn     driver.Provider
	declared map[string]CacheConfig
	disabled []driver.Feature

	opening sync.Mutex // held while a cache is opened, destroyed or closed
	mu      sync.Mutex // guards what follows
	caches  map[string]openCache
	closed  bool
}

// openCache is a *Cache[K, V] of some types.
type openCache interface {
	base() *store
}

func (s *store) base() *store { return s }

// ManagerOptions configures NewManager.
type ManagerOptions struct {
	// Provider is the provider's name in errors.
	Provider string
	// Caches declares caches that GetCache can open by name.
	Caches []CacheConfig
	// Disable switches optional interfaces of the driver off, so that their
	// fallbacks are used. It is for tests.
	Disable []driver.Feature
}

// NewManager returns a manager over a connection that is already open, and that
// the manager then owns. The constructors of the providers' packages call it.
func NewManager(conn driver.Provider, opts ManagerOptions) (*CacheManager, error) {
	m := &CacheManager{
		provider: opts.Provider,
		conn:     conn,
		declared: make(map[string]CacheConfig, len(opts.Caches)),
		disabled: opts.Disable,
		caches:   make(map[string]openCache),
	}
	for _, c := range opts.Caches {
		if err := checkName(c.Name); err != nil {
			return nil, err
		}
		if _, ok := m.declared[c.Name]; ok {
			return nil, fmt.Errorf("%w: cache %s is declared twice", ErrInvalid, c.Name)
		}
		if _, err := NewExpiryPolicy[string, any](c.ExpiryPolicy, c.Expiry); err != nil {
			return nil, fmt.Errorf("cache %s: %w", c.Name, err)
		}
		if _, err := codec.FormatOf(c.Codec); err != nil {
			return nil, fmt.Errorf("cache %s: %w", c.Name, err)
		}
		m.declared[c.Name] = c
	}
	return m, nil
}

var cacheName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)

func checkName(name string) error {
	if !cacheName.MatchString(name) {
		return fmt.Errorf("%w: a cache's name is 1 to 128 of the characters A-Z a-z 0-9 . _ -, which %q is not", ErrInvalid, name)
	}
	return nil
}

func (m *CacheManager) fail(op, cache string, err error) error {
	return &Error{Op: op, Cache: cache, Provider: m.provider, Err: err}
}

// Provider returns the name of the manager's provider.
func (m *CacheManager) Provider() string { return m.provider }

// CreateCache creates a cache of the given name and types, or opens it if the
// provider has entries of that name already. The manager must not have it open.
//
// What the provider cannot do as the options demand is an error that wraps
// errors.ErrUnsupported.
//
// JSR-107: CacheManager.createCache.
func CreateCache[K comparable, V any](ctx context.Context, m *CacheManager, name string, opts Options[K, V]) (*Cache[K, V], error) {
	c, err := create(ctx, m, name, opts)
	if err != nil {
		return nil, m.fail("create cache", name, err)
	}
	return c, nil
}

func create[K comparable, V any](ctx context.Context, m *CacheManager, name string, opts Options[K, V]) (*Cache[K, V], error) {
	m.opening.Lock()
	defer m.opening.Unlock()
	if open, err := m.lookup(name); err != nil {
		return nil, err
	} else if open != nil {
		return nil, ErrCacheExists
	}
	return open(ctx, m, name, opts)
}

// open opens a cache that is not open; the caller holds m.opening.
func open[K comparable, V any](ctx context.Context, m *CacheManager, name string, opts Options[K, V]) (*Cache[K, V], error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	keys, err := codec.NewKeys[K]()
	if err != nil {
		return nil, err
	}
	if declared, ok := m.declared[name]; ok {
		if opts.Expiry != nil {
			return nil, fmt.Errorf("%w: the configuration declares the cache's expiry; Options.Expiry must be nil", ErrInvalid)
		}
		opts.Expiry, _ = NewExpiryPolicy[K, V](declared.ExpiryPolicy, declared.Expiry) // NewManager has checked it
		if declared.Codec != "" {
			if opts.Codec != nil {
				return nil, fmt.Errorf("%w: the configuration declares the cache's codec; Options.Codec must be nil", ErrInvalid)
			}
			format, err := codec.FormatOf(declared.Codec)
			if err != nil {
				return nil, err
			}
			opts.Codec = codec.Of[V](format)
		}
	}
	c := &Cache[K, V]{manager: m, keys: keys, scheme: scheme[K, V]{codec: opts.Codec}, equal: opts.Equal}
	if c.codec == nil {
		c.codec = Tagged[V]()
	}
	c.setPolicy(opts.Expiry)
	longest := opts.LongestTTL
	if c.fixed != nil {
		longest = c.fixed.longest
	}
	cache, err := m.conn.OpenCache(ctx, name, driver.CacheOptions{LongestTTL: longest})
	if err != nil {
		return nil, err
	}
	c.store = newStore(name, m.provider, cache, driver.FeaturesOf(cache).Without(m.disabled...))
	c.inRecord = c.features.Toucher == nil
	m.mu.Lock()
	defer m.mu.Unlock()
	m.caches[name] = c
	return c, nil
}

// GetCache returns the open cache of that name. If it is not open but declared in
// the configuration, it is opened. The types must be those it was created with.
//
// JSR-107: CacheManager.getCache; a name that nobody knows matches
// ErrCacheNotFound, other types match ErrTypeMismatch.
func GetCache[K comparable, V any](ctx context.Context, m *CacheManager, name string) (*Cache[K, V], error) {
	c, err := get[K, V](ctx, m, name)
	if err != nil {
		return nil, m.fail("get cache", name, err)
	}
	return c, nil
}

func get[K comparable, V any](ctx context.Context, m *CacheManager, name string) (*Cache[K, V], error) {
	m.opening.Lock()
	defer m.opening.Unlock()
	known, err := m.lookup(name)
	if err != nil {
		return nil, err
	}
	if known == nil {
		if _, ok := m.declared[name]; !ok {
			return nil, ErrCacheNotFound
		}
		return open(ctx, m, name, Options[K, V]{})
	}
	c, ok := known.(*Cache[K, V])
	if !ok {
		return nil, fmt.Errorf("%w: the cache is a %T, not a %T", ErrTypeMismatch, known, c)
	}
	return c, nil
}

// lookup returns the open cache of that name, or nil.
func (m *CacheManager) lookup(name string) (openCache, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, ErrClosed
	}
	return m.caches[name], nil
}

// CacheNames returns the names of the open and the declared caches, sorted.
//
// JSR-107: CacheManager.getCacheNames.
func (m *CacheManager) CacheNames() ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, m.fail("cache names", "", ErrClosed)
	}
	names := make([]string, 0, len(m.caches)+len(m.declared))
	for name := range m.caches {
		names = append(names, name)
	}
	for name := range m.declared {
		if m.caches[name] == nil {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names, nil
}

// DestroyCache removes every entry of the named cache and closes it. The name can
// be used again. A name that is not open is no error and changes nothing.
//
// JSR-107: CacheManager.destroyCache.
func (m *CacheManager) DestroyCache(ctx context.Context, name string) error {
	if err := m.destroy(ctx, name); err != nil {
		return m.fail("destroy cache", name, err)
	}
	return nil
}

func (m *CacheManager) destroy(ctx context.Context, name string) error {
	m.opening.Lock()
	defer m.opening.Unlock()
	open, err := m.lookup(name)
	if err != nil || open == nil {
		return err
	}
	s := open.base()
	bounded, cancel, err := s.begin(ctx)
	if err == nil {
		err = s.clear(bounded)
		s.end(cancel)
	}
	if err != nil {
		return err
	}
	if err := s.close(ctx); err != nil {
		return err
	}
	m.forget(name, s)
	return nil
}

// forget frees the name of a cache, if it still belongs to that cache.
func (m *CacheManager) forget(name string, s *store) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if open := m.caches[name]; open != nil && open.base() == s {
		delete(m.caches, name)
	}
}

// Ping reports whether the provider answers.
func (m *CacheManager) Ping(ctx context.Context) error {
	if m.Closed() {
		return m.fail("ping", "", ErrClosed)
	}
	if err := m.conn.Ping(ctx); err != nil {
		return m.fail("ping", "", err)
	}
	return nil
}

// Unwrap returns the provider's own object behind the manager, or nil if it has none to
// show. The provider documents its type.
//
// JSR-107: CacheManager.unwrap.
func (m *CacheManager) Unwrap() any {
	if u, ok := m.conn.(driver.Unwrapper); ok {
		return u.Unwrap()
	}
	return nil
}

// Closed reports whether the manager has been closed.
//
// JSR-107: CacheManager.isClosed.
func (m *CacheManager) Closed() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.closed
}

// What bounds Close where the context does not: the operations in progress, and the
// connection, which may have records to hand over.
const (
	operationsTimeout = 10 * time.Second
	closeTimeout      = 90 * time.Second
)

// Close closes every cache, after the operations in progress, and then the
// connection. Entries stay where they are. Closing twice is harmless.
//
// JSR-107: CacheManager.close.
func (m *CacheManager) Close(ctx context.Context) error {
	m.opening.Lock()
	defer m.opening.Unlock()
	m.mu.Lock()
	caches, closed := m.caches, m.closed
	m.caches, m.closed = map[string]openCache{}, true
	m.mu.Unlock()
	if closed {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	ending, cancel := context.WithTimeout(ctx, operationsTimeout)
	defer cancel()
	var errs []error
	for name, open := range caches {
		if err := open.base().close(ending); err != nil {
			errs = append(errs, m.fail("close", name, err))
		}
	}
	if err := m.conn.Close(ctx); err != nil {
		errs = append(errs, m.fail("close", "", err))
	}
	return errors.Join(errs...)
}
