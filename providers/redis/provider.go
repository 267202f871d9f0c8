package redis

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// A Provider is connected to its servers until it is closed.
type Provider struct {
	opts     Options
	client   rueidis.Client
	link     link
	counters counters
	health   health
	traits   traits
	waitFor  int           // replicas, for each write
	looks    time.Duration // how often all records are looked through for deadlines; zero: only when that is needed
	sweeper  sweeper

	feedsMu sync.Mutex
	feeds   map[string]*feed // by prefix:name

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
	p := &Provider{opts: opts, feeds: make(map[string]*feed), link: link{start: time.Now(), within: 2*opts.ConnectTimeout + opts.RequestTimeout}}
	p.life, p.end = context.WithCancel(context.Background())
	if err := p.start(ctx); err != nil {
		p.end()
		return nil, err
	}
	p.watch()
	return p, nil
}

// start makes the client, and finds out whether the servers can be used.
func (p *Provider) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(1+len(p.opts.Servers))*p.opts.ConnectTimeout+p.opts.RequestTimeout)
	defer cancel()
	for retry := (retrier{repeats: true}); ; {
		client, err := p.newClient(ctx)
		if err == nil {
			p.client = client
			break
		}
		if again, err := retry.after(ctx, err); !again {
			return p.named(err)
		}
	}
	if err := p.probe(ctx); err != nil {
		p.client.Close()
		return p.named(err)
	}
	if p.waitFor = p.opts.Replicas; p.clustered() {
		p.looks = clusterLooks
	}
	return nil
}

// newClient makes a client, which does not know of contexts while it connects.
func (p *Provider) newClient(ctx context.Context) (rueidis.Client, error) {
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
		return m.client, m.err
	case <-ctx.Done():
		go func() { // it ends when all addresses were tried
			if m := <-done; m.err == nil {
				m.client.Close()
			}
		}()
		return nil, ctx.Err()
	}
}

// named says which servers an error is about.
func (p *Provider) named(err error) error {
	return fmt.Errorf("redis %s: %w", strings.Join(p.opts.Servers, ", "), err)
}

// OpenCache implements driver.Provider. It asks the server nothing.
func (p *Provider) OpenCache(_ context.Context, name string, _ driver.CacheOptions) (driver.Cache, error) {
	c := &cache{
		provider: p,
		base:     p.opts.Prefix + ":" + name,
		info: driver.Info{
			MaxRecordBytes: p.opts.MaxRecordBytes,
			RequestTimeout: p.opts.most(),
			Shared:         true,
			Evicts:         p.traits.evicts,
		},
	}
	c.lease.Store(&lease{head: c.base + ":"})
	return c, nil
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
