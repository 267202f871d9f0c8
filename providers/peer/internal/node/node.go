// Package node is one process of the grid at work. The decisions are those of the pure
// machines in packages view and part; here they get a clock, locks and connections.
//
// A process may have to come back empty under another ID, when the others went on
// without it. A Node outlives that: it has one life after the other, and operations that
// meet the end of one go on in the next.
package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/wire"
)

// Options configures a node.
type Options struct {
	// Listen is where the others are accepted, host:port; the first one that is free
	// is taken. Port 0 is any.
	Listen []string
	// Advertise is the address by which the others reach this process. Empty: the
	// address that it listens on.
	Advertise string
	// Join are addresses where others may be; this process's own may be among them.
	Join []string
	// Cluster is the name that all members have in common, and Zone what fails
	// together with this one.
	Cluster, Zone string
	Security      wire.Security
	// Partitions and Copies are the same for all members.
	Partitions, Copies int
	// Consistency stops the smaller side of a cut instead of serving on both.
	Consistency bool
	// LocalReads lets any replica in sync answer a Get, not only the primary.
	LocalReads bool
	// Startup is how long others are looked for before a cluster of its own is
	// begun.
	Startup time.Duration
	// Heartbeat, Lease and Silence are as in view.Options.
	Heartbeat, Lease, Silence time.Duration
	// Replica is what the replicas of the partitions have in common.
	Replica part.Options
	Logger  *slog.Logger
}

// A Node takes part in the grid until it is closed. Its methods may be called
// concurrently.
type Node struct {
	opts     Options
	addr     string
	client   uint64
	ops      atomic.Uint64
	watchers watchers
	rebirths atomic.Int64

	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu      sync.Mutex
	life    *life // nil in between
	changed chan struct{}
}

// Start joins the cluster that is found, or begins one. It returns when this process is
// a member and serves, or ctx ends.
func Start(ctx context.Context, opts Options) (*Node, error) {
	listener, err := listen(ctx, opts.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	n := &Node{opts: opts, addr: listener.Addr().String(), client: rand.Uint64() | 1, changed: make(chan struct{})}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	n.watchers.init(opts.Partitions)
	first, err := n.begin(listener, false)
	if err != nil {
		n.cancel()
		return nil, err
	}
	n.work.Go(func() { n.live(first) })
	if err := n.awaitConfig(ctx); err != nil {
		n.stop()
		return nil, fmt.Errorf("no member of the cluster let this process in: %w", err)
	}
	return n, nil
}

// listen takes the first address that is free.
func listen(ctx context.Context, addresses []string) (listener net.Listener, err error) {
	var lc net.ListenConfig
	for _, addr := range addresses {
		if listener, err = lc.Listen(ctx, "tcp", addr); err == nil {
			return listener, nil
		}
	}
	return nil, err
}

// live runs one life after the other.
func (n *Node) live(l *life) {
	for {
		n.enter(l)
		select {
		case <-l.over:
		case <-n.ctx.Done():
		}
		n.enter(nil)
		l.end()
		if n.ctx.Err() != nil {
			return
		}
		n.watchers.gap()
		n.rebirths.Add(1)
		if l = n.rebirth(); l == nil {
			return
		}
	}
}

// rebirth begins another life, at the same address.
func (n *Node) rebirth() *life {
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		listener, err := listen(n.ctx, []string{n.addr})
		if err == nil {
			l, err := n.begin(listener, true)
			if err == nil {
				return l
			}
			n.opts.Logger.Error("peer: cannot come back", "err", err)
		}
		if !pauseFor(n.ctx, pause) {
			return nil
		}
	}
}

// enter makes a life the present one, or says that there is none.
func (n *Node) enter(l *life) {
	n.mu.Lock()
	n.life = l
	n.mu.Unlock()
	n.announce()
}

// announce wakes those who wait for a change of the configuration.
func (n *Node) announce() {
	n.mu.Lock()
	defer n.mu.Unlock()
	close(n.changed)
	n.changed = make(chan struct{})
}

// now returns the present life, nil if there is none, and what is closed at the next
// change.
func (n *Node) now() (*life, <-chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.life, n.changed
}

// awaitConfig waits until this process is a member.
func (n *Node) awaitConfig(ctx context.Context) error {
	startup := time.NewTimer(n.opts.Startup)
	defer startup.Stop()
	for {
		l, changed := n.now()
		if l != nil && l.config.Load() != nil {
			return nil
		}
		select {
		case <-changed:
		case <-startup.C:
			if l == nil {
				continue
			}
			if why := l.rejected.Load(); why != nil {
				return *why
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Addr returns the address that this process listens on, host:port.
func (n *Node) Addr() string { return n.addr }

// Config returns the present configuration, or nil. It is immutable.
func (n *Node) Config() *topology.Config {
	if l, _ := n.now(); l != nil {
		return l.config.Load()
	}
	return nil
}

// ID returns the identity of the present life, zero if there is none.
func (n *Node) ID() topology.ID {
	if l, _ := n.now(); l != nil {
		return l.self.ID
	}
	return 0
}

// Safe reports whether this process could end without a loss.
func (n *Node) Safe() bool {
	l, _ := n.now()
	if l == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.view.Safe()
}

// Leave hands everything over to the others, and returns when this process holds nothing
// that they lack. The node serves on meanwhile. An error is ctx's: what is not handed
// over by then is lost if the node is closed.
func (n *Node) Leave(ctx context.Context) error {
	for {
		if l, _ := n.now(); l != nil && l.leave() {
			return nil
		}
		if !pauseFor(ctx, 10*time.Millisecond) {
			return context.Cause(ctx)
		}
	}
}

// Close ends this process's part in the grid and waits for every goroutine. Operations
// fail.
func (n *Node) Close() { n.stop() }

func (n *Node) stop() {
	n.cancel()
	n.work.Wait()
}

// pauseFor reports false if ctx ended first.
func pauseFor(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// begin starts a life on a listener, which it owns from then on.
func (n *Node) begin(listener net.Listener, reborn bool) (*life, error) {
	l, err := newLife(n, listener, reborn)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return l, nil
}
