package gocache

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// A Provider keeps caches in a store until it is closed.
type Provider struct {
	opts    Options
	form    form
	seed    maphash.Seed
	stripes [1024]chan struct{} // full while a key of it is written
	stamp   atomic.Int64        // of the last write
	calls   sync.WaitGroup      // that somebody may have given up
	spaces  *spaces
}

// spaces are the caches by name.
type spaces struct {
	mu sync.Mutex
	of map[string]*space
}

// A space is what the process knows of a cache, however often it is opened.
type space struct {
	clearing sync.Mutex   // held while cleared is read or written in the store
	known    bool         // cleared is what the store has; guarded by clearing
	cleared  atomic.Int64 // records with lower stamps are absent
}

// Connect returns the bare driver, for tests and for managers with other options
// than Open gives them.
func Connect(ctx context.Context, opts Options) (*Provider, error) {
	opts, err := opts.complete()
	if err != nil {
		return nil, err
	}
	p := &Provider{opts: opts, seed: maphash.MakeSeed(), spaces: &spaces{of: make(map[string]*space)}}
	for i := range p.stripes {
		p.stripes[i] = make(chan struct{}, 1)
	}
	ctx, cancel := p.bound(ctx)
	defer cancel()
	if err := p.probe(ctx); err != nil {
		_ = p.Close(ctx) // err says what is wrong
		return nil, err
	}
	return p, nil
}

// OpenCache implements driver.Provider.
func (p *Provider) OpenCache(ctx context.Context, name string, _ driver.CacheOptions) (driver.Cache, error) {
	c := &cache{Provider: p, space: p.spaces.named(name), base: p.opts.Prefix + ":" + name}
	ctx, cancel := p.bound(ctx)
	defer cancel()
	if err := c.learn(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

func (s *spaces) named(name string) *space {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of[name] == nil {
		s.of[name] = &space{}
	}
	return s.of[name]
}

// Ping implements driver.Provider: it reads a key.
func (p *Provider) Ping(ctx context.Context) error {
	ctx, cancel := p.bound(ctx)
	defer cancel()
	_, err := call(ctx, p, false, func(ctx context.Context) (struct{}, error) {
		_, _, err := p.load(ctx, p.opts.Prefix+"@ping")
		return struct{}{}, err
	})
	return err
}

// Close implements driver.Provider. It waits for calls that were given up.
func (p *Provider) Close(ctx context.Context) error {
	ended := make(chan struct{})
	go func() { p.calls.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-ctx.Done():
		return fmt.Errorf("calls of the store are still under way: %w", ctx.Err())
	}
	if end := p.opts.Close; end != nil {
		return end()
	}
	return nil
}

// bound gives a call of the provider itself a deadline.
func (p *Provider) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok || p.opts.InProcess {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, p.opts.RequestTimeout)
}

// stamped returns the time in microseconds, later than any that it has returned before.
func (p *Provider) stamped() int64 {
	for {
		last := p.stamp.Load()
		now := max(time.Now().UnixMicro(), last+1)
		if p.stamp.CompareAndSwap(last, now) {
			return now
		}
	}
}

// A form is in which form the store takes what it is given.
type form struct {
	text   bool // values are strings, not []byte
	expire bool // everything must expire
}

// probe finds out in which form the store takes values, and whether it can be used at all.
func (p *Provider) probe(ctx context.Context) (err error) {
	key := fmt.Sprintf("%s@probe-%016x", p.opts.Prefix, rand.Uint64())
	for _, p.form = range []form{{}, {text: true}, {expire: true}, {text: true, expire: true}} {
		if err = p.try(ctx, key); err == nil || errors.Is(err, driver.ErrUnavailable) || ctx.Err() != nil {
			return err
		}
	}
	if !errors.Is(err, driver.ErrMisconfigured) {
		err = fmt.Errorf("%w: %w", driver.ErrUnavailable, err)
	}
	return err
}

// try writes, reads and removes a record.
func (p *Provider) try(ctx context.Context, key string) error {
	_, err := do(ctx, p, key, func(ctx context.Context) (e envelope, err error) {
		defer func() {
			if r := recover(); r != nil {
				err = fmt.Errorf("%w: the store panicked with a %T", driver.ErrMisconfigured, r)
			}
		}()
		wrote := envelope{stamp: p.stamped(), record: []byte(key)}
		if err := p.save(ctx, key, wrote); err != nil {
			return e, err
		}
		read, found, err := p.load(ctx, key)
		if err == nil && (!found || string(read.record) != key) {
			err = fmt.Errorf("%w: the store does not return what it was given", driver.ErrMisconfigured)
		}
		if err != nil {
			return e, err
		}
		if err := p.drop(ctx, key); err != nil {
			return e, err
		}
		if _, found, err = p.load(ctx, key); err == nil && found {
			err = fmt.Errorf("%w: the store does not delete", driver.ErrMisconfigured)
		}
		return e, err
	})
	return err
}
