package redis

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// A Provider is connected to a server until it is closed.
type Provider struct {
	opts    Options
	client  rueidis.Client
	link    link
	gauge   gauge
	traits  traits
	sweeper sweeper

	calls sync.WaitGroup // that wait for a connection
	life  context.Context
	end   context.CancelFunc
	tasks sync.WaitGroup // that run until life ends
}

// Connect returns the bare driver, for tests and for managers with other options
// than Open gives them.
func Connect(ctx context.Context, opts Options) (*Provider, error) {
	opts, err := opts.complete()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", jcache.ErrInvalid, err)
	}
	p := &Provider{opts: opts, link: link{start: time.Now(), within: 2*opts.ConnectTimeout + opts.RequestTimeout}}
	p.life, p.end = context.WithCancel(context.Background())
	if err := p.start(ctx); err != nil {
		p.end()
		return nil, err
	}
	p.watch()
	return p, nil
}

// start makes the client, and finds out whether the server can be used.
func (p *Provider) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, p.opts.ConnectTimeout+p.opts.RequestTimeout)
	defer cancel()
	type made struct {
		client rueidis.Client
		err    error
	}
	done := make(chan made, 1)
	go func() {
		client, err := rueidis.NewClient(p.clientOptions())
		if err != nil && client != nil {
			client.Close()
		}
		done <- made{client, err}
	}()
	select {
	case m := <-done:
		if m.err != nil {
			_, err := (&patience{writes: false, repeats: true}).after(ctx, m.err)
			return p.named(err)
		}
		p.client = m.client
	case <-ctx.Done():
		go func() { // it ends with ConnectTimeout
			if m := <-done; m.err == nil {
				m.client.Close()
			}
		}()
		return p.named(failure(ctx, ctx.Err(), false))
	}
	if err := p.probe(ctx); err != nil {
		p.client.Close()
		return p.named(err)
	}
	return nil
}

// named says which server an error is about.
func (p *Provider) named(err error) error { return fmt.Errorf("redis %s: %w", p.opts.Servers[0], err) }

// OpenCache implements driver.Provider. It asks the server nothing.
func (p *Provider) OpenCache(_ context.Context, name string, _ driver.CacheOptions) (driver.Cache, error) {
	c := &cache{
		provider: p,
		base:     p.opts.Prefix + ":" + name,
		info: driver.Info{
			MaxRecordBytes: p.opts.MaxRecordBytes,
			RequestTimeout: p.opts.most(),
			Shared:         true,
			Evicts:         p.traits.evicts(),
		},
	}
	c.lease.Store(&lease{head: c.base + ":"})
	return c, nil
}

// Ping implements driver.Provider.
func (p *Provider) Ping(ctx context.Context) error {
	_, err := p.read(ctx, func(b rueidis.Builder) rueidis.Completed { return b.Ping().Build() })
	return err
}

// Close implements driver.Provider. It waits for the calls that are running; each of them ends with
// its context or when the server has kept silent for too long.
func (p *Provider) Close(ctx context.Context) error {
	closed := make(chan struct{})
	go func() {
		p.end()
		p.tasks.Wait()
		p.client.Close()
		p.calls.Wait()
		close(closed)
	}()
	select {
	case <-closed:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("calls are still running: %w", ctx.Err())
	}
}
