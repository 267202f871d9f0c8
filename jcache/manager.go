package jcache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"sync"

	"github.com/keepsake-cache/keepsake/jcache/codec"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/jcache/internal/engine"
)

// A CacheManager is an open connection to a provider and holds its named caches.
// All methods may be called by many goroutines at once.
//
// JSR-107: CacheManager.
type CacheManager struct {
	provider string
	link     *link
	declared map[string]CacheConfig
	disabled []driver.Feature
	monitor  *monitor // nil if the provider does not know its health

	gate *engine.Gate // closed with the manager
	last turn         // of who closes the connection
	done bool         // it is closed; guarded by last

	mu    sync.Mutex
	slots map[string]*slot // guarded by mu
}

// ManagerOptions configures NewManager.
type ManagerOptions struct {
	// Provider is the provider's name in errors.
	Provider string
	// Caches declares caches that GetCache can open by name.
	Caches []CacheConfig
	// Disable switches optional interfaces of the driver off, so that their
	// fallbacks are used. It is for tests.
	Disable []driver.Feature
	// Logger hears when the provider or one of its servers goes away and comes back,
	// where the provider knows that. Nil: slog.Default().
	Logger *slog.Logger
}

// NewManager returns a manager over a connection that is already open, and that
// the manager then owns. The constructors of the providers' packages call it.
func NewManager(conn driver.Provider, opts ManagerOptions) (*CacheManager, error) {
	return newManager(newLink(conn), opts)
}

func newManager(l *link, opts ManagerOptions) (*CacheManager, error) {
	declared, err := declare(opts.Caches)
	if err != nil {
		return nil, err
	}
	m := &CacheManager{
		provider: opts.Provider,
		link:     l,
		declared: declared,
		disabled: opts.Disable,
		gate:     engine.NewGate(),
		last:     newTurn(),
		slots:    make(map[string]*slot),
	}
	m.monitor = startMonitor(l, opts.Provider, opts.Logger)
	return m, nil
}

// declare checks declarations of caches. The error joins all problems.
func declare(caches []CacheConfig) (map[string]CacheConfig, error) {
	declared := make(map[string]CacheConfig, len(caches))
	var errs []error
	for _, c := range caches {
		if _, ok := declared[c.Name]; ok {
			errs = append(errs, fmt.Errorf("%w: cache %s is declared twice", ErrInvalid, c.Name))
		}
		declared[c.Name] = c
		errs = append(errs, checkName(c.Name))
		if _, err := NewExpiryPolicy[string, any](c.ExpiryPolicy, c.ExpiryDuration); err != nil {
			errs = append(errs, fmt.Errorf("cache %s: %w", c.Name, err))
		}
		if _, err := codec.FormatOf(c.Codec); err != nil {
			errs = append(errs, fmt.Errorf("cache %s: %w", c.Name, err))
		}
	}
	return declared, errors.Join(errs...)
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
// provider has entries of that name already. The manager must not have it open. If the
// name is being closed or destroyed, that is brought to its end first. From then on the
// cache owns what opts holds: see Cache.Close.
//
// What the provider cannot do as the options demand is an error that wraps
// errors.ErrUnsupported.
//
// It waits for the provider until ctx ends, and holds up nothing but other calls for the
// same name.
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
	s, err := m.claim(ctx, name)
	if err != nil {
		return nil, err
	}
	defer m.release(name, s)
	if s.cache != nil {
		return nil, ErrCacheExists
	}
	return open(ctx, m, name, s, opts)
}

// GetCache returns the open cache of that name. If it is not open but declared in
// the configuration, it is opened, as CreateCache would. The types must be those it was
// created with.
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
	s, err := m.claim(ctx, name)
	if err != nil {
		return nil, err
	}
	defer m.release(name, s)
	if s.cache == nil {
		if _, ok := m.declared[name]; !ok {
			return nil, ErrCacheNotFound
		}
		return open(ctx, m, name, s, Options[K, V]{})
	}
	c, ok := s.cache.(*Cache[K, V])
	if !ok {
		return nil, fmt.Errorf("%w: the cache is a %T, not a %T", ErrTypeMismatch, s.cache, c)
	}
	return c, nil
}

// open opens a cache in the slot of its name, which the caller has claimed.
func open[K comparable, V any](ctx context.Context, m *CacheManager, name string, s *slot, opts Options[K, V]) (*Cache[K, V], error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	keys, err := codec.NewKeys[K]()
	if err != nil {
		return nil, err
	}
	owned := []any{opts.ExpiryPolicy, opts.Codec}
	if declared, ok := m.declared[name]; ok {
		if opts.ExpiryPolicy != nil {
			return nil, fmt.Errorf("%w: the configuration declares the cache's expiry; Options.ExpiryPolicy must be nil", ErrInvalid)
		}
		opts.Statistics = opts.Statistics || declared.Statistics
		opts.ExpiryPolicy, _ = NewExpiryPolicy[K, V](declared.ExpiryPolicy, declared.ExpiryDuration) // NewManager has checked it
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
		if declared.Near != nil {
			if opts.Near != nil {
				return nil, fmt.Errorf("%w: the configuration declares the cache's near cache; Options.Near must be nil", ErrInvalid)
			}
			opts.Near = declared.Near
		}
	}
	c := &Cache[K, V]{keys: keys, scheme: scheme[K, V]{codec: opts.Codec}, equal: opts.Equal}
	if c.codec == nil {
		c.codec = Tagged[V]()
	}
	c.setPolicy(opts.ExpiryPolicy)
	longest := opts.LongestTTL
	if c.fixed != nil {
		longest = c.fixed.longest
	}
	store, err := m.link.open(ctx, name, func(ctx context.Context, conn driver.Provider) (driver.Cache, driver.Features, error) {
		cache, err := conn.OpenCache(ctx, name, driver.CacheOptions{LongestTTL: longest})
		if err != nil {
			return nil, driver.Features{}, err
		}
		features := driver.FeaturesOf(cache).Without(m.disabled...)
		if opts.Near == nil {
			return cache, features, nil
		}
		near, err := opts.Near.Open(ctx, cache, features)
		if err != nil {
			return nil, features, errors.Join(err, cache.Close())
		}
		return near, near.Features(), nil
	})
	if err != nil {
		return nil, engine.Told(ctx, err)
	}
	c.opened = &opened{manager: m, name: name, owned: owned, store: store}
	c.inRecord = c.store.DeadlinesInRecords()
	c.store.Count(opts.Statistics)
	m.keep(s, c)
	return c, nil
}

// CacheNames returns the names of the open and the declared caches, sorted, but for those that begin with
// an underscore: they are open for the layers above.
//
// JSR-107: CacheManager.getCacheNames.
func (m *CacheManager) CacheNames() ([]string, error) {
	if m.Closed() {
		return nil, m.fail("cache names", "", ErrClosed)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	names := slices.Collect(maps.Keys(m.declared))
	for name, s := range m.slots {
		if _, declared := m.declared[name]; s.cache != nil && !declared && name[0] != '_' {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// Ping reports whether the provider answers.
func (m *CacheManager) Ping(ctx context.Context) error {
	if !m.gate.Enter() {
		return m.fail("ping", "", ErrClosed)
	}
	defer m.gate.Leave()
	if err := m.link.ping(ctx); err != nil {
		return m.fail("ping", "", engine.Told(ctx, err))
	}
	return nil
}

// Unwrap returns the provider's own object behind the manager, or nil if it has none to
// show. The provider documents its type.
//
// JSR-107: CacheManager.unwrap.
func (m *CacheManager) Unwrap() any {
	if u, ok := m.link.provider().(driver.Unwrapper); ok {
		return u.Unwrap()
	}
	return nil
}

// Closed reports whether the manager refuses operations, because it was closed or is being
// closed.
//
// JSR-107: CacheManager.isClosed.
func (m *CacheManager) Closed() bool { return m.gate.Closed() }
