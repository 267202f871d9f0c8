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
	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
)

// A Provider is this process as a member of the grid.
type Provider struct {
	opts       Options
	partitions int
	node       *node.Node
	closing    sync.Once
	closed     atomic.Bool
}

var errClosed = errors.New("the provider is closed")

// Connect joins the grid, or begins one, and returns the bare driver. See Open.
func Connect(ctx context.Context, opts Options) (*Provider, error) {
	opts = opts.withDefaults()
	nodeOptions, err := opts.node()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, opts.JoinTimeout+startPatience)
	defer cancel()
	n, err := node.Start(ctx, nodeOptions)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", driver.ErrUnavailable, err)
	}
	return &Provider{opts: opts, partitions: nodeOptions.Partitions, node: n}, nil
}

// startPatience is what joining may take once others were found.
const startPatience = 10 * time.Second

// OpenCache implements driver.Provider.
func (p *Provider) OpenCache(_ context.Context, name string, _ driver.CacheOptions) (driver.Cache, error) {
	if p.closed.Load() {
		return nil, fmt.Errorf("%w: %w", driver.ErrUnavailable, errClosed)
	}
	return &cache{p: p, name: name}, nil
}

// Ping implements driver.Provider: it reports whether this process is a member.
func (p *Provider) Ping(context.Context) error {
	switch {
	case p.closed.Load():
		return fmt.Errorf("%w: %w", driver.ErrUnavailable, errClosed)
	case p.node.Config() == nil:
		return fmt.Errorf("%w: this process is between two memberships", driver.ErrUnavailable)
	}
	return nil
}

// Addr returns the address at which other members reach this process.
func (p *Provider) Addr() string { return p.node.Addr() }

// Members returns how many members the grid has at the moment.
func (p *Provider) Members() int {
	if c := p.node.Config(); c != nil {
		return len(c.Members)
	}
	return 0
}

// Safe implements driver.Safety.
func (p *Provider) Safe() bool { return p.node.Safe() }

// Stats describes a member, and the grid as it sees it.
type Stats = node.Stats

// Stats returns numbers for an operator. It looks at every partition for a moment, so that
// it may be asked every few seconds.
func (p *Provider) Stats() Stats { return p.node.Stats() }

// Close implements driver.Provider. It hands this process's records over to the other
// members first, for as long as ctx and Options.LeaveTimeout allow. If they do not, the
// error says so: what no other member had is lost.
func (p *Provider) Close(ctx context.Context) error {
	var err error
	p.closing.Do(func() {
		ctx, cancel := context.WithTimeout(ctx, p.opts.LeaveTimeout)
		defer cancel()
		if err = p.node.Leave(ctx); err != nil {
			err = fmt.Errorf("peer: ended before everything was handed over: %w", err)
		}
		p.closed.Store(true)
		p.node.Close()
	})
	return err
}

// budget is the memory that the options allow.
func (o Options) budget() *part.Budget {
	if o.MaxBytes == 0 {
		return nil
	}
	return &part.Budget{Max: o.MaxBytes}
}
