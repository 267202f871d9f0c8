package peer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/node"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/wire"
)

// A Provider is this process as a member of the grid, or as a client of it.
type Provider struct {
	opts       Options
	partitions int
	node       *node.Node
	near       *near // nil if nothing is kept near
	closing    sync.Once
	leaving    atomic.Bool
	closed     atomic.Bool
}

var errClosed = errors.New("the provider is closed")

// Connect joins the grid, or begins one, or finds one if this process is a client, and
// returns the bare driver. See Open.
func Connect(ctx context.Context, opts Options) (*Provider, error) {
	opts = opts.withDefaults()
	nodeOptions, err := opts.node()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, opts.JoinTimeout+joinWait)
	defer cancel()
	n, err := node.Start(ctx, nodeOptions)
	switch {
	case errors.Is(err, wire.ErrMismatch), errors.Is(err, wire.ErrUntrusted): // it does not help to wait
		return nil, fmt.Errorf("%w: %w: %w", driver.ErrUnavailable, driver.ErrMisconfigured, err)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", driver.ErrUnavailable, err)
	}
	p := &Provider{opts: opts, partitions: nodeOptions.Partitions, node: n}
	if opts.NearBytes > 0 {
		if p.near, err = newNear(n, opts.NearBytes); err != nil {
			n.Close()
			return nil, err
		}
	}
	return p, nil
}

// joinWait is what joining may take once others were found.
const joinWait = 10 * time.Second

// OpenCache implements driver.Provider.
func (p *Provider) OpenCache(ctx context.Context, name string, _ driver.CacheOptions) (driver.Cache, error) {
	if p.closed.Load() {
		return nil, fmt.Errorf("%w: %w", driver.ErrUnavailable, errClosed)
	}
	c := &cache{p: p, name: name}
	if p.near != nil {
		var err error
		if c.near, err = p.near.open(ctx, name); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Ping implements driver.Provider: it reports whether this process is a member, or a
// client to whom a member has spoken within the last seconds.
func (p *Provider) Ping(context.Context) error {
	if p.closed.Load() {
		return fmt.Errorf("%w: %w", driver.ErrUnavailable, errClosed)
	}
	if err := p.node.Ping(); err != nil {
		return fmt.Errorf("%w: %w", driver.ErrUnavailable, err)
	}
	return nil
}

// Unwrap implements driver.Unwrapper: it returns p.
func (p *Provider) Unwrap() any { return p }

// Addr returns the address at which other members reach this process. A client's is empty.
func (p *Provider) Addr() string { return p.node.Addr() }

// Members returns how many members the grid has at the moment.
func (p *Provider) Members() int {
	if c := p.node.Config(); c != nil {
		return len(c.Members)
	}
	return 0
}

// Health implements driver.Reporter.
func (p *Provider) Health() driver.Health {
	if p.closed.Load() {
		return driver.Health{Unready: []string{errClosed.Error()}}
	}
	h := p.node.Health()
	if p.leaving.Load() {
		h.Pending = append(h.Pending, "this process hands its records over and ends")
	}
	return h
}

// Safe reports whether another process may end without a loss: Health().Safe().
func (p *Provider) Safe() bool { return p.Health().Safe() }

// Forget implements driver.Forgetter, in every mode. The error joins those of the members that
// cannot be told.
func (p *Provider) Forget(ctx context.Context, addrs ...string) ([]string, error) {
	if p.closed.Load() {
		return nil, fmt.Errorf("%w: %w", driver.ErrUnavailable, errClosed)
	}
	return p.node.Forget(ctx, addrs...)
}

// LeaveTimeout implements driver.Leaver. A client hands nothing over.
func (p *Provider) LeaveTimeout() time.Duration {
	if p.opts.Mode == Client {
		return 0
	}
	return p.opts.LeaveTimeout
}

// Close implements driver.Provider. It hands this process's records over to the other
// members first, if it has any, for as long as ctx and Options.LeaveTimeout allow. If they do not, the
// error says so: what no other member had is lost.
func (p *Provider) Close(ctx context.Context) error {
	var err error
	p.closing.Do(func() {
		p.leaving.Store(true)
		ctx, cancel := context.WithTimeout(ctx, p.opts.LeaveTimeout)
		defer cancel()
		if err = p.node.Leave(ctx); err != nil {
			err = fmt.Errorf("peer: ended before everything was handed over: %w", err)
		}
		p.closed.Store(true)
		p.node.Close()
		if p.near != nil {
			p.near.close()
		}
	})
	return err
}

// evicts says of each cache whether its records may be dropped when the memory is full.
func (o Options) evicts() func(cache string) bool {
	if o.WhenFull != Evict {
		return nil
	}
	return func(string) bool { return true }
}
