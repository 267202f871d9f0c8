package jcache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/internal/engine"
)

// A slot is what a manager knows of one name. Who opens, closes or destroys the cache of
// that name has the slot's turn, and may wait for the network with it: nobody else
// does. A step that was cut short leaves the slot as it is, for the next one to go on.
type slot struct {
	turn  turn
	users int       // how many hold the slot or wait for it; guarded by the manager's mu
	cache openCache // nil: the name is free; written under the turn and mu
	dying bool      // its entries are to be removed before it is closed; under the turn
}

// openCache is a *Cache[K, V] of some types.
type openCache interface {
	base() *opened
	info() CacheInfo
}

func (o *opened) base() *opened { return o }

// A turn is a lock that is waited for with a context.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

func (t turn) take(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	default:
	}
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("another call for it is still running: %w", ctx.Err())
	}
}

func (t turn) give() { <-t }

// hold takes the turn of a name. release must follow.
func (m *CacheManager) hold(ctx context.Context, name string, evenClosed bool) (*slot, error) {
	m.mu.Lock()
	if m.Closed() && !evenClosed {
		m.mu.Unlock()
		return nil, ErrClosed
	}
	s := m.slots[name]
	if s == nil {
		s = &slot{turn: newTurn()}
		m.slots[name] = s
	}
	s.users++
	m.mu.Unlock()
	if err := s.turn.take(ctx); err != nil {
		m.drop(name, s)
		return nil, err
	}
	return s, nil
}

func (m *CacheManager) release(name string, s *slot) {
	s.turn.give()
	m.drop(name, s)
}

func (m *CacheManager) drop(name string, s *slot) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s.users--; s.users == 0 && s.cache == nil {
		delete(m.slots, name)
	}
}

func (m *CacheManager) keep(s *slot, c openCache) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s.cache = c
}

// claim takes the turn of a name for somebody who wants an open cache or none: one that is
// being closed or destroyed is finished first.
func (m *CacheManager) claim(ctx context.Context, name string) (*slot, error) {
	s, err := m.hold(ctx, name, false)
	if err != nil {
		return nil, err
	}
	if s.cache != nil && s.cache.base().store.Closed() {
		if err = m.shut(ctx, s); s.cache == nil {
			err = nil // it was the other call's
		}
	}
	if err == nil && m.Closed() {
		err = ErrClosed
	}
	if err != nil {
		m.release(name, s)
		return nil, err
	}
	return s, nil
}

// What bounds a close where the context does not: the operations in progress, and the
// connection, which may have records to hand over.
const (
	operationsTimeout = 10 * time.Second
	closeTimeout      = 90 * time.Second
)

// shut closes the cache of a slot whose turn the caller has, after the operations in
// progress. If it fails and the slot still has its cache, it can be called again.
func (m *CacheManager) shut(ctx context.Context, s *slot) error {
	o := s.cache.base()
	ending, cancel := context.WithTimeout(ctx, operationsTimeout)
	defer cancel()
	if err := o.store.Drain(ending); err != nil {
		return err
	}
	if s.dying {
		if err := o.store.ClearDrained(ctx); err != nil {
			return err
		}
	}
	s.dying = false
	m.keep(s, nil)
	return errors.Join(o.store.CloseDriver(), closeAll(o.owned))
}

// closeAll closes what the program gave a cache, once.
func closeAll(owned []any) error {
	var errs []error
	for i, v := range owned {
		c, ok := v.(io.Closer)
		if !ok || i > 0 && reflect.ValueOf(v).Comparable() && v == owned[0] {
			continue
		}
		if err := engine.Guarded(c.Close); err != nil {
			errs = append(errs, fmt.Errorf("close a %T: %w", v, err))
		}
	}
	return errors.Join(errs...)
}

// closeCache closes a cache, if it is still open.
func (m *CacheManager) closeCache(ctx context.Context, o *opened) error {
	o.store.Shut()
	s, err := m.hold(ctx, o.name, true)
	if err != nil {
		return err
	}
	defer m.release(o.name, s)
	if s.cache == nil || s.cache.base() != o {
		return nil
	}
	s.dying = false
	return m.shut(ctx, s)
}

// DestroyCache lets no operation of the named cache begin any more, waits for those in
// progress, removes every entry, and closes the cache as Cache.Close does. The name can be
// used again. A name that is not open is no error and changes nothing.
//
// It waits until ctx ends, for the operations in progress at most 10 seconds, and for the
// removal, if ctx has no deadline, as long as the provider gives a request. If that
// does not suffice, or the provider fails, the cache refuses operations and some of its
// entries may be gone; DestroyCache can be called again, CreateCache and GetCache go on
// with it before they open the name, and Cache.Close gives it up and closes the cache with
// the entries that are left.
//
// JSR-107: CacheManager.destroyCache.
func (m *CacheManager) DestroyCache(ctx context.Context, name string) error {
	if err := m.destroy(ctx, name); err != nil {
		return m.fail("destroy cache", name, err)
	}
	return nil
}

func (m *CacheManager) destroy(ctx context.Context, name string) error {
	s, err := m.hold(ctx, name, false)
	if err != nil {
		return err
	}
	defer m.release(name, s)
	if s.cache == nil {
		return nil
	}
	if err := s.cache.base().store.CanClear(); err != nil {
		return err
	}
	s.dying = true
	return m.shut(ctx, s)
}

// Close lets nothing begin any more, waits for what is in progress, closes every cache as
// Cache.Close does, and then the connection. Entries stay where they are.
//
// It waits until ctx ends, for the operations in progress at most 10 seconds, and in all at
// most 90. If a cache is still in use then, the connection stays as it is and the error
// matches the context's. After an error Close can be called again, until it is done; from then
// on it returns nil.
//
// JSR-107: CacheManager.close.
func (m *CacheManager) Close(ctx context.Context) error {
	m.gate.Shut()
	m.monitor.stop()
	ctx, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	errs, left := m.closeCaches(ctx)
	if left {
		return errors.Join(errs...)
	}
	if err := m.closeConnection(ctx); err != nil {
		errs = append(errs, m.fail("close", "", err))
	}
	return errors.Join(errs...)
}

// closeCaches closes all caches at once. left says that some could not be.
func (m *CacheManager) closeCaches(ctx context.Context) (errs []error, left bool) {
	ctx, cancel := context.WithTimeout(ctx, operationsTimeout)
	defer cancel()
	m.mu.Lock()
	names := make([]string, 0, len(m.slots))
	for name, s := range m.slots {
		if names = append(names, name); s.cache != nil {
			s.cache.base().store.Shut()
		}
	}
	m.mu.Unlock()
	open := make([]bool, len(names))
	failed := engine.Parallel(len(names), func(i int) (err error) {
		open[i], err = m.closeName(ctx, names[i])
		return err
	})
	for i, err := range failed {
		if err != nil {
			errs = append(errs, m.fail("close", names[i], err))
		}
	}
	return errs, slices.Contains(open, true)
}

// closeName closes the cache of a name, if there is one. open says that it may be open
// still, or again in a moment.
func (m *CacheManager) closeName(ctx context.Context, name string) (open bool, err error) {
	s, err := m.hold(ctx, name, true)
	if err != nil {
		return true, err
	}
	defer m.release(name, s)
	if s.cache == nil {
		return false, nil
	}
	s.dying = false
	err = m.shut(ctx, s)
	return s.cache != nil, err
}

// closeConnection closes the connection of a manager without caches. If that fails it can be
// done again.
func (m *CacheManager) closeConnection(ctx context.Context) error {
	if err := m.last.take(ctx); err != nil {
		return err
	}
	defer m.last.give()
	if m.done {
		return nil
	}
	if err := m.gate.Close(ctx); err != nil { // pings
		return err
	}
	err := m.link.close(ctx)
	m.done = err == nil
	return err
}
