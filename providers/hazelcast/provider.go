package hazelcast

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	hz "github.com/hazelcast/hazelcast-go-client"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// A Provider is a client of a Hazelcast cluster.
type Provider struct {
	plan   plan
	log    *slog.Logger
	client atomic.Pointer[hz.Client] // it is replaced if it does not find back to the cluster
	lines  *clientLog                // of that client; guarded by mu
	link   link                      // to the cluster
	apart  link                      // between what the members have; down while they merge
	locks  *remoteMap
	queue  queue

	members   members
	directory directory
	clocks    clocks
	probing   [16]chan struct{} // each full while a map whose name falls to it is probed

	mu     sync.Mutex
	feeds  map[string]*feed  // by the name of the map
	caches map[*cache]string // that are open, and what members do to them that they must not
	closed atomic.Bool       // changes under mu, so that no task begins afterwards

	gap   signal          // events may have been lost
	life  context.Context // ends with Close
	end   context.CancelFunc
	tasks sync.WaitGroup
}

// Connect returns the bare driver, for tests and for managers with other options
// than Open gives them.
func Connect(ctx context.Context, opts Options) (*Provider, error) {
	plan, err := opts.plan()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", jcache.ErrInvalid, err)
	}
	p := &Provider{
		plan:    plan,
		log:     plan.log,
		feeds:   make(map[string]*feed),
		caches:  make(map[*cache]string),
		queue:   newQueue(),
		members: members{changed: make(signal, 1), returned: make(signal, 1)},
		gap:     make(signal, 1),
		link:    link{why: errNoConnection},
		apart:   link{why: errApart},
	}
	p.members.apart = &p.apart
	p.directory.turn = make(chan struct{}, 1)
	for i := range p.probing {
		p.probing[i] = make(chan struct{}, 1)
	}
	p.locks = &remoteMap{provider: p, name: plan.mapPrefix + locksName}
	p.life, p.end = context.WithCancel(context.Background())
	for _, notice := range plan.notices {
		p.log.Info("hazelcast: " + notice)
	}
	if _, ok := ctx.Deadline(); !ok && plan.connectTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, plan.connectTimeout)
		defer cancel()
	}
	lines, err := p.start(ctx)
	if err != nil {
		p.end()
		return nil, err
	}
	p.mu.Lock()
	p.take(lines)
	if lines.alone && p.link.down() {
		p.tasks.Go(p.awaitCluster)
	}
	p.mu.Unlock()
	p.members.tell(p.log)
	select {
	case <-p.members.changed: // those who were there at the beginning
	default:
	}
	p.tasks.Go(p.reportGaps)
	p.tasks.Go(p.lookAgain)
	p.tasks.Go(p.awaitMerges)
	if _, err := p.locks.open(ctx); err != nil { // so that the first Lock does not take longer than others
		return nil, errors.Join(err, p.Close(context.Background()))
	}
	p.tasks.Go(p.compareClocks)
	return p, nil
}

var errClosed = errors.New("the provider is closed")

func (p *Provider) checkOpen() error {
	if p.closed.Load() {
		return fmt.Errorf("%w: %w", driver.ErrUnavailable, errClosed)
	}
	return nil
}

// OpenCache implements driver.Provider. It writes some entries, looks at what the members
// made of them and removes them again: a map's configuration decides how records can be
// kept in it, and a client cannot see it otherwise.
func (p *Provider) OpenCache(ctx context.Context, name string, opts driver.CacheOptions) (driver.Cache, error) {
	ctx, cancel := p.bound(ctx)
	defer cancel()
	c := &cache{remoteMap: &remoteMap{provider: p, name: p.plan.mapPrefix + name}, longest: opts.LongestTTL}
	if err := c.look(ctx); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.caches[c] = ""
	return c, nil
}

// Ping implements driver.Provider.
func (p *Provider) Ping(ctx context.Context) error { return p.read(ctx, p.ask) }

// Health implements driver.Reporter.
func (p *Provider) Health() (h driver.Health) {
	h.Servers = p.servers()
	switch {
	case p.closed.Load():
		h.Unready = append(h.Unready, errClosed.Error())
	case p.link.isDown():
		h.Unready = append(h.Unready, fmt.Sprintf("there is no connection to the cluster %q, known at %s", p.plan.clusterName, strings.Join(p.plan.servers, ", ")))
	case p.apart.isDown():
		h.Unready = append(h.Unready, errApart.Error())
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, misfit := range p.caches {
		if misfit != "" {
			h.Unsafe = append(h.Unsafe, misfit)
		}
	}
	slices.Sort(h.Unsafe)
	return h
}

// ask asks any member something.
func (p *Provider) ask(ctx context.Context) error {
	_, err := p.client.Load().GetDistributedObjectsInfo(ctx)
	return err
}

// Close implements driver.Provider.
func (p *Provider) Close(ctx context.Context) error {
	p.mu.Lock()
	closed := p.closed.Swap(true)
	p.mu.Unlock()
	if closed {
		return nil
	}
	p.end()
	p.tasks.Wait()
	ctx, cancel := context.WithTimeout(ctx, shutdownTimeout)
	defer cancel()
	if err := p.client.Load().Shutdown(ctx); err != nil && !p.link.isDown() {
		return fmt.Errorf("the client did not stop: %w", trimmed(err))
	}
	return nil
}

// shutdownTimeout is what a client gets to stop. It needs a millisecond, but for one that
// is stuck while it connects again: that has no connection, and ends by itself.
const shutdownTimeout = 3 * time.Second
