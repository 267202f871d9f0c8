package memcached

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// A Provider is connected to a list of servers until it is closed.
type Provider struct {
	opts    Options
	ring    *ring
	servers []*server // in the order of the ring's addresses
	client  *memcache.Client
	*watcher
}

// Connect returns the bare driver, for tests and for managers with other options
// than Open gives them.
func Connect(ctx context.Context, opts Options) (*Provider, error) {
	opts, addresses, err := opts.complete()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", jcache.ErrInvalid, err)
	}
	p := &Provider{opts: opts, ring: newRing(addresses), watcher: newWatcher()}
	for i, a := range addresses {
		p.servers = append(p.servers, newServer(a, i, opts, p.suspect))
	}
	p.client = memcache.NewFromSelector(p.ring)
	p.client.Timeout = opts.RequestTimeout
	p.client.MaxIdleConns = opts.MaxIdleConnections
	p.client.DialContext = func(ctx context.Context, _, a string) (net.Conn, error) {
		c, err := dial(ctx, address(a), opts)
		if err != nil {
			return nil, err
		}
		return c.Conn, nil
	}
	if err := p.reach(ctx); err != nil {
		_ = p.Close(ctx) // err says what is wrong
		return nil, err
	}
	p.watch()
	return p, nil
}

// reach connects to every server for the first time. One that answers is enough, but
// none may be unusable.
func (p *Provider) reach(ctx context.Context) error {
	errs := p.all(func(s *server) error {
		return s.call(ctx, func(*lane) error { return nil })
	})
	reached := false
	for _, err := range errs {
		if errors.Is(err, errUnusable) {
			return err
		}
		reached = reached || err == nil
	}
	if !reached {
		return fmt.Errorf("no server can be reached: %w", join(errs))
	}
	return nil
}

// all calls do for every server, all at once, and returns their errors in order.
func (p *Provider) all(do func(*server) error) []error {
	errs := make([]error, len(p.servers))
	var wg sync.WaitGroup
	for i, s := range p.servers[1:] {
		wg.Go(func() { errs[i+1] = do(s) })
	}
	errs[0] = do(p.servers[0])
	wg.Wait()
	return errs
}

// each calls do for every server, all at once.
func (p *Provider) each(do func(*server) error) error { return join(p.all(do)) }

// join makes one error, of one line, of those that are not nil.
func join(errs []error) (all error) {
	for _, err := range errs {
		switch {
		case err == nil:
		case all == nil:
			all = err
		default:
			all = fmt.Errorf("%w; %w", all, err)
		}
	}
	return all
}

func (p *Provider) serverOf(name string) *server { return p.servers[p.ring.pick(name)] }

// itemOverhead is what memcached 1.6 counts beyond an item's key and value: 59 bytes,
// or 63 with flags.
const itemOverhead = 64

// OpenCache implements driver.Provider. It asks the servers nothing.
func (p *Provider) OpenCache(_ context.Context, name string, _ driver.CacheOptions) (driver.Cache, error) {
	limit := int64(defaultLimit)
	known := false
	for _, s := range p.servers {
		if n := s.limit.Load(); n > 0 && (n < limit || !known) {
			limit, known = n, true
		}
	}
	return &cache{
		provider: p,
		names:    newNames(p.opts.Prefix, name),
		leases:   make(leases, len(p.servers)),
		info: driver.Info{
			MaxRecordBytes: int(limit) - itemOverhead - maxKeyBytes - plainBytes,
			RequestTimeout: clearWait + p.opts.ConnectTimeout + p.opts.RequestTimeout,
			ExpiryStep:     expiryStep,
			Shared:         true,
			Evicts:         true,
		},
	}, nil
}

// Ping implements driver.Provider. Its error names every server that does not answer.
func (p *Provider) Ping(ctx context.Context) error {
	return p.each(func(s *server) error { return s.ping(ctx) })
}

// Close implements driver.Provider. It waits for the calls that are running; each of
// them ends with its context or when its server has kept silent for too long.
func (p *Provider) Close(ctx context.Context) error {
	closed := make(chan error, 1)
	go func() {
		p.stop()
		for _, s := range p.servers {
			s.close()
		}
		for _, s := range p.servers {
			s.calls.Wait()
		}
		closed <- p.client.Close()
	}()
	select {
	case err := <-closed:
		return err
	case <-ctx.Done():
		return fmt.Errorf("calls are still running: %w", ctx.Err())
	}
}
