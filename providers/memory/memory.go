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
	"github.com/keepsake-cache/keepsake/jcache/driver/setting"
)

// Options configures the provider. The zero value is unbounded.
type Options struct {
	// MaxEntries bounds the number of entries of each cache. Zero: no bound.
	MaxEntries int64
	// MaxBytes bounds the memory of each cache: its keys, its records, and 208 bytes
	// for each entry, which is within a tenth of what lives on the heap (1.02 to 1.05 of it). The process has
	// twice as much from the system (1.96 to 2.14 times, BenchmarkMaxBytes), since Go's collector lets garbage grow
	// as large as what lives; debug.SetMemoryLimit or GOMEMLIMIT bounds that. An entry that alone is larger is
	// refused with jcache.ErrTooLarge. Zero: no bound.
	MaxBytes int64
	// WhenFull says what a write to a full cache does.
	WhenFull WhenFull
}

// WhenFull is what happens to a write that finds no room.
type WhenFull uint8

const (
	// Evict drops what has expired, or else the entry that came first of those that were
	// not used again. Entries that are used survive a flood of entries that are not.
	Evict WhenFull = iota
	// Reject fails the write with jcache.ErrFull, unless what has expired makes room.
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
	if err := setting.Validate(settings, nil, setting.Of(settings, &opts)); err != nil {
		return nil, fmt.Errorf("%w: %w", jcache.ErrInvalid, err)
	}
	p := &Provider{opts: opts, caches: make(map[string]*cache), sweeper: newSweeper()}
	p.sweeping.Go(p.sweep)
	return p, nil
}

var settings = []setting.Setting{
	setting.Into(setting.Setting{Name: "maxEntries", Doc: "Bound on the number of entries of each cache; 0: none."},
		func(o *Options) *int64 { return &o.MaxEntries }),
	setting.Into(setting.Setting{Name: "maxBytes", Kind: setting.KindSize, Doc: "Bound on the memory of each cache, with 208 bytes for each entry; the process takes about 2.2 times as much, unless GOMEMLIMIT bounds it. 0: none."},
		func(o *Options) *int64 { return &o.MaxBytes }),
	setting.Choice(setting.Setting{Name: "whenFull", Default: "evict", Doc: "What a write to a full cache does, when nothing in it has expired: drop an entry that was not used again, or fail."},
		func(o *Options) *WhenFull { return &o.WhenFull }, map[string]WhenFull{"evict": Evict, "reject": Reject}),
}

func init() {
	jcache.Register(driver.Definition{
		Name:     "memory",
		Doc:      "Keeps caches in the memory of this process; other processes do not see them.",
		Settings: settings,
		Open: func(_ context.Context, cfg driver.Config) (driver.Provider, error) {
			var opts Options
			setting.Fill(settings, cfg.Values, &opts)
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
