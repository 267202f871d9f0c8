// Package memory keeps caches in the memory of this process. It is the embedded
// default for programs of one process, the reference implementation of
// jcache/driver, and what the tests of the layers above run on.
//
// It implements every optional interface. Deadlines are exact; entries that nobody
// reads any more are dropped within a second after theirs. Other processes do not
// see its entries.
package memory

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// Options configures the provider. The zero value is unbounded.
type Options struct {
	// MaxEntries bounds the number of entries of each cache. Zero: no bound.
	MaxEntries int64
	// MaxBytes bounds the size of each cache: its keys and encoded values, and
	// 128 bytes for each entry. Zero: no bound.
	MaxBytes int64
	// WhenFull says what a write to a full cache does.
	WhenFull WhenFull
}

// WhenFull is what happens to a write that finds no room.
type WhenFull uint8

const (
	// Evict drops an entry that was not used for long: the least recently used
	// one of a random sample of eight.
	Evict WhenFull = iota
	// Reject fails the write with jcache.ErrFull.
	Reject
)

// Open returns a manager of caches in memory. It needs no server and cannot fail
// but for negative bounds.
func Open(opts Options) (*jcache.CacheManager, error) {
	p, err := Connect(opts)
	if err != nil {
		return nil, err
	}
	return jcache.NewManager(p, jcache.ManagerOptions{Provider: "memory"})
}

// Connect returns the bare driver, for tests and for managers with other options
// than Open gives them.
func Connect(opts Options) (*Provider, error) {
	if opts.MaxEntries < 0 || opts.MaxBytes < 0 {
		return nil, fmt.Errorf("%w: MaxEntries and MaxBytes must not be negative", jcache.ErrInvalid)
	}
	p := &Provider{opts: opts, caches: make(map[string]*cache), sweeper: newSweeper()}
	p.sweeping.Go(p.sweep)
	return p, nil
}

func init() {
	jcache.Register(driver.Definition{
		Name: "memory",
		Doc:  "Keeps caches in the memory of this process; other processes do not see them.",
		Settings: []driver.Setting{
			{Name: "maxEntries", Kind: driver.KindInt, Doc: "Bound on the number of entries of each cache; 0: none."},
			{Name: "maxBytes", Kind: driver.KindSize, Doc: "Bound on the size of each cache, with 128 bytes for each entry; 0: none."},
			{Name: "whenFull", Default: "evict", OneOf: []string{"evict", "reject"},
				Doc: "What a write to a full cache does: drop an entry not used for long, or fail."},
		},
		Open: func(_ context.Context, cfg driver.Config) (driver.Provider, error) {
			opts := Options{MaxEntries: cfg.Values.Int("maxEntries"), MaxBytes: cfg.Values.Int("maxBytes")}
			if cfg.Values.String("whenFull") == "reject" {
				opts.WhenFull = Reject
			}
			return Connect(opts)
		},
	})
}

// A Provider holds caches by name until it is closed.
type Provider struct {
	opts Options

	mu     sync.Mutex
	caches map[string]*cache
	closed bool

	sweeper  *sweeper
	sweeping sync.WaitGroup
}

var errClosed = errors.New("the provider is closed")

// OpenCache implements driver.Provider.
func (p *Provider) OpenCache(_ context.Context, name string, _ driver.CacheOptions) (driver.Cache, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, fmt.Errorf("%w: %w", driver.ErrUnavailable, errClosed)
	}
	c, ok := p.caches[name]
	if !ok {
		c = newCache(p)
		p.caches[name] = c
	}
	return c, nil
}

// Ping implements driver.Provider.
func (p *Provider) Ping(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return fmt.Errorf("%w: %w", driver.ErrUnavailable, errClosed)
	}
	return nil
}

// Close implements driver.Provider. It drops every entry.
func (p *Provider) Close(context.Context) error {
	p.mu.Lock()
	if !p.closed {
		p.closed = true
		close(p.sweeper.stop)
	}
	p.caches = nil
	p.mu.Unlock()
	p.sweeping.Wait()
	return nil
}
