package engine

import (
	"sync"
	"sync/atomic"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// An absence is the part of a store whose driver's cache cannot be opened yet. It lets no call in, so that
// whatever the store has of the driver is read by nobody before it arrives.
type absence struct {
	why atomic.Pointer[func() error] // nil: the cache is there

	mu     sync.Mutex // held while it arrives or is closed
	closed bool       // no cache is taken any more
}

// NewAbsentStore returns a store without a cache. Until it arrives, calls fail with what why says.
func NewAbsentStore(why func() error, hooks *Hooks) *Store {
	s := &Store{stripes: newStripes(), gate: NewGate(), hooks: hooks}
	s.why.Store(&why)
	return s
}

// absent says why there is no cache yet.
func (a *absence) absent() error {
	if why := a.why.Load(); why != nil {
		return (*why)()
	}
	return nil
}

// Refuse makes the calls of a store without a cache fail with err.
func (s *Store) Refuse(err error) {
	why := func() error { return err }
	s.why.Store(&why)
}

// Arrive gives the store its cache, once, and lets calls in. If the store was closed meanwhile, it returns
// false and does not own the cache.
func (s *Store) Arrive(cache driver.Cache, features driver.Features) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.cache, s.info, s.features, s.inRecord = cache, cache.Info(), features, features.Toucher == nil
	s.near, _ = cache.(Near)
	s.why.Store(nil)
	return true
}

// CloseDriver closes the driver's cache, if there is one. The store must have been drained, and it must not
// be called twice.
func (s *Store) CloseDriver() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.cache == nil {
		return nil
	}
	return s.cache.Close()
}
