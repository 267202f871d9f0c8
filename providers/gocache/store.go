package gocache

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/eko/gocache/lib/v4/store"

	"github.com/keepsake-cache/keepsake/jcache"
)

// storeName is what GetType of a Store returns.
const storeName = "jcache"

// A Store is a cache of this module as a store of gocache. Its methods may be called by many goroutines at once.
//
// Keys are strings, or have a method GetCacheKey() string; gocache's caches make strings of all others. Values are
// of the type V, or text and bytes for each other. A value of another type is an error.
type Store[V any] struct {
	cache *jcache.Cache[string, V]
	tags  *jcache.Cache[string, []string] // the keys of each tag, sorted
	opts  []store.Option
}

var _ store.StoreInterface = (*Store[any])(nil)

// NewStore makes a cache a store. The cache stays the caller's. The keys of each tag are kept in a cache of
// their own, which the cache's manager holds and closes. The options are those of every Set that gives none.
func NewStore[V any](ctx context.Context, c *jcache.Cache[string, V], opts ...store.Option) (*Store[V], error) {
	tags, err := tagsOf(ctx, c.Manager(), "_tags."+c.Name())
	if err != nil {
		return nil, err
	}
	return &Store[V]{cache: c, tags: tags, opts: opts}, nil
}

func tagsOf(ctx context.Context, m *jcache.CacheManager, name string) (*jcache.Cache[string, []string], error) {
	for {
		tags, err := jcache.GetCache[string, []string](ctx, m, name)
		if !errors.Is(err, jcache.ErrCacheNotFound) {
			return tags, err
		}
		tags, err = jcache.CreateCache(ctx, m, name, jcache.Options[string, []string]{})
		if !errors.Is(err, jcache.ErrCacheExists) { // somebody else has been faster
			return tags, err
		}
	}
}

// GetType returns jcache.
func (s *Store[V]) GetType() string { return storeName }

func keyOf(key any) (string, error) {
	switch k := key.(type) {
	case string:
		return k, nil
	case interface{ GetCacheKey() string }:
		return k.GetCacheKey(), nil
	}
	return "", fmt.Errorf("%w: a key is a string or has GetCacheKey, which a %T has not", jcache.ErrInvalid, key)
}

// valueOf makes a V of what gocache was given.
func valueOf[V any](value any) (v V, err error) {
	if v, ok := value.(V); ok {
		return v, nil
	}
	var other any
	switch given := value.(type) {
	case string:
		other = []byte(given)
	case []byte:
		other = string(given)
	}
	v, ok := other.(V)
	if !ok {
		return v, fmt.Errorf("%w: a value of type %T for a cache of %T", jcache.ErrTypeMismatch, value, v)
	}
	return v, nil
}

// Get returns a V. An absent key is a store.NotFound.
func (s *Store[V]) Get(ctx context.Context, key any) (any, error) {
	k, err := keyOf(key)
	if err != nil {
		return nil, err
	}
	value, ok, err := s.cache.Get(ctx, k)
	if err == nil && !ok {
		err = store.NotFoundWithCause(nil)
	}
	if err != nil {
		return nil, err
	}
	return value, nil
}

// GetWithTTL is Get with how long the entry lives from now on; 0: for ever.
func (s *Store[V]) GetWithTTL(ctx context.Context, key any) (any, time.Duration, error) {
	k, err := keyOf(key)
	if err != nil {
		return nil, 0, err
	}
	entry, ok, err := s.cache.GetEntry(ctx, k)
	if err == nil && !ok {
		err = store.NotFoundWithCause(nil)
	}
	if err != nil || entry.Deadline.IsZero() {
		return entry.Value, 0, err
	}
	return entry.Value, max(time.Until(entry.Deadline), 1), nil
}

// Set stores a value. WithExpiration overrules the cache's policy. With tags, Invalidate of one of them removes the
// entry from the moment on that Set returns; WithTagsTTL bounds for how long, and should be no shorter than the
// entry's life. If a tag cannot be noted, the entry is not stored, or removed again.
func (s *Store[V]) Set(ctx context.Context, key, value any, options ...store.Option) error {
	k, err := keyOf(key)
	if err != nil {
		return err
	}
	v, err := valueOf[V](value)
	if err != nil {
		return err
	}
	o := store.ApplyOptionsWithDefault(store.ApplyOptions(s.opts...), options...)
	c := s.cache
	if o.Expiration > 0 {
		c = c.WithExpiryPolicy(jcache.Modified[string, V](o.Expiration))
	}
	// The tags know the key before it is there, so that none is forgotten if the process ends in between. An
	// Invalidate in between forgets it, so they are looked at again.
	if err := s.tag(ctx, k, o); err != nil {
		return err
	}
	if err := c.Put(ctx, k, v); err != nil {
		return err
	}
	if err := s.tag(ctx, k, o); err != nil {
		_, rerr := s.cache.Remove(ctx, k)
		return errors.Join(err, rerr)
	}
	return nil
}

// tag notes the key for each tag, where it is not.
func (s *Store[V]) tag(ctx context.Context, key string, o *store.Options) error {
	for _, tag := range o.Tags {
		if err := s.note(ctx, tag, []string{key}, o.TagsTTL); err != nil {
			return err
		}
	}
	return nil
}

// note adds keys to a tag.
func (s *Store[V]) note(ctx context.Context, tag string, add []string, ttl time.Duration) error {
	_, err := jcache.Invoke(ctx, s.tags, tag, func(_ context.Context, e *jcache.MutableEntry[string, []string]) (struct{}, error) {
		keys, _, err := e.Value()
		if err != nil {
			return struct{}{}, err
		}
		before := len(keys)
		for _, key := range add {
			if at, there := slices.BinarySearch(keys, key); !there {
				keys = slices.Insert(keys, at, key)
			}
		}
		if len(keys) > before {
			e.SetValue(keys)
		}
		if ttl > 0 {
			e.SetExpiry(jcache.ExpireAfter(ttl))
		}
		return struct{}{}, nil
	})
	return err
}

// Delete removes an entry, if there is one.
func (s *Store[V]) Delete(ctx context.Context, key any) error {
	k, err := keyOf(key)
	if err == nil {
		_, err = s.cache.Remove(ctx, k)
	}
	return err
}

// Invalidate removes the entries that were set with one of the tags.
func (s *Store[V]) Invalidate(ctx context.Context, options ...store.InvalidateOption) error {
	var errs []error
	for _, tag := range store.ApplyInvalidateOptions(options...).Tags {
		// First the tag, then the entries: whoever sets one meanwhile tags it again.
		keys, _, err := s.tags.GetAndRemove(ctx, tag)
		if err == nil && len(keys) > 0 {
			if err = s.cache.RemoveKeys(ctx, keys...); err != nil {
				err = errors.Join(err, s.note(ctx, tag, keys, 0)) // for another try
			}
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Clear removes every entry of the cache and its tags, and nothing else.
func (s *Store[V]) Clear(ctx context.Context) error {
	return errors.Join(s.cache.Clear(ctx), s.tags.Clear(ctx))
}
