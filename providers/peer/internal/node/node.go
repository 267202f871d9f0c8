// Package node is one process of the grid at work. The decisions are those of the pure
// machines in packages view and part; here they get a clock, locks and connections.
//
// A process may have to come back empty under another ID, when the others went on
// without it. A Node outlives that: it has one life after the other, and operations that
// meet the end of one go on in the next.
package node

import (
	"cmp"
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
	"github.com/keepsake-cache/keepsake/providers/peer/internal/view"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/wire"
)

// Options configures a node.
type Options struct {
	// Listen is where the others are accepted, host:port; the first one that is free
	// is taken. Port 0 is any.
	Listen []string
	// Advertise is the address by which the others reach this process. Empty: the
	// address that it listens on. AdvertiseHost is for one whose port is that which it
	// listens on.
	Advertise, AdvertiseHost string
	// Join are addresses where others may be; this process's own may be among them.
	Join []string
	// Cluster is the name that all members have in common, and Zone what fails
	// together with this one.
	Cluster, Zone string
	Security      wire.Security
	// Mode is the part that this process has. A Client does not listen, and of the
	// options below only those of Partitions, Startup and Logger are for it.
	Mode Mode
	// Network is what listens and dials. Its zero value is TCP.
	Network Network
	// Partitions and Copies are the same for all members.
	Partitions, Copies int
	// Split and ForgetAfter are as in view.Options.
	Split       view.Split
	ForgetAfter time.Duration
	// LocalReads lets any replica in sync answer a Get, not only the primary.
	LocalReads bool
	// Startup is how long others are looked for before a cluster of its own is
	// begun.
	Startup time.Duration
	// Heartbeat, Lease and Silence are as in view.Options.
	Heartbeat, Lease, Silence time.Duration
	// Replica is what the replicas of the partitions have in common.
	Replica part.Options
	// Clock returns the time of day, which the versions of writes count. Nil:
	// time.Now.
	Clock  func() time.Time
	Logger *slog.Logger
}

// A Node takes part in the grid until it is closed. Its methods may be called
// concurrently.
type Node struct {
	opts     Options
	addr     string
	client   uint64
	ops      atomic.Uint64
	watchers watchers
	mixture  mixture
	rebirths atomic.Int64
	counters []opCounters // of the partitions

	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup

	bound atomic.Pointer[bound]

	mu      sync.Mutex // of those who change the present
	present atomic.Pointer[moment]
}

// A moment lasts from one change of the configuration to the next.
type moment struct {
	life    *life         // nil between two lives
	changed chan struct{} // closed at the end
}

// Start joins the cluster that is found, or begins one; a client finds one. It returns
// when this process is a member and serves, or knows the members, or ctx ends.
func Start(ctx context.Context, opts Options) (*Node, error) {
	n := &Node{opts: opts, client: rand.Uint64() | 1, counters: make([]opCounters, opts.Partitions)}
	n.present.Store(&moment{changed: make(chan struct{})})
	n.ctx, n.cancel = context.WithCancel(context.Background())
	n.watchers.init()
	first, err := n.begin(ctx)
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

// wall returns the time of day at which it is now, as this process sees it.
func (n *Node) wall(now time.Time) time.Time {
	if n.opts.Clock != nil {
		return n.opts.Clock()
	}
	return now
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
		listener, err := n.opts.Network.listen(n.ctx, []string{n.addr})
		if err == nil {
			l, err := newMember(n, listener, true)
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
	defer n.mu.Unlock()
	n.turn(l)
}

// turn ends a moment and begins another one. n.mu is held.
func (n *Node) turn(l *life) {
	old := n.present.Swap(&moment{life: l, changed: make(chan struct{})})
	close(old.changed)
}

// announce wakes those who wait for a change of the configuration.
func (n *Node) announce() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.turn(n.present.Load().life)
}

// now returns the present life, nil if there is none, and what is closed at the next
// change.
func (n *Node) now() (*life, <-chan struct{}) {
	m := n.present.Load()
	return m.life, m.changed
}

// awaitConfig waits until this process is a member.
func (n *Node) awaitConfig(ctx context.Context) error {
	startup := time.NewTimer(n.opts.Startup)
	defer startup.Stop()
	late := false
	for {
		l, changed := n.now()
		if l != nil && l.config.Load() != nil {
			return nil
		}
		if l != nil && late {
			if why := l.rejected.Load(); why != nil {
				return *why
			}
		}
		select {
		case <-changed:
		case <-startup.C:
			late = true
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Addr returns the address at which others reach this process, host:port. It is empty if this
// is a client.
func (n *Node) Addr() string { return cmp.Or(n.opts.Advertise, n.addr) }

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

// Leave hands everything over to the others, and returns when this process holds nothing
// that they lack. The node serves on meanwhile. An error is ctx's: what is not handed
// over by then is lost if the node is closed.
func (n *Node) Leave(ctx context.Context) error {
	for {
		if l, _ := n.now(); l != nil && (l.member == nil || l.member.leave()) {
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

// begin starts the first life.
func (n *Node) begin(ctx context.Context) (*life, error) {
	if n.opts.Mode == Client {
		return newClient(n)
	}
	listener, err := n.opts.Network.listen(ctx, n.opts.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	n.addr = listener.Addr().String()
	if host := n.opts.AdvertiseHost; host != "" {
		_, port, err := net.SplitHostPort(n.addr)
		if err != nil {
			return nil, errors.Join(err, listener.Close())
		}
		n.opts.Advertise = net.JoinHostPort(host, port)
		n.opts.Logger.Info("peer: tells the others where it is reached", "listen", n.addr, "advertise", n.opts.Advertise)
	}
	return newMember(n, listener, false)
}
