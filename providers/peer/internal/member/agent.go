// Package member finds the other processes of a cluster and notices when they are
// gone, by gossip. What it says is a hint: who owns what is never decided by it.
//
// It runs hashicorp/memberlist over the connections of package wire, so that gossip
// needs no port and no security of its own, and fails when the data's way fails.
package member

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/wire"
)

// The gossip is tuned for few members in one place: a silent death is noticed in two
// to three seconds.
const (
	probeEvery    = 500 * time.Millisecond
	probeWait     = 300 * time.Millisecond
	gossipEvery   = 100 * time.Millisecond
	syncEvery     = 15 * time.Second
	streamWait    = 3 * time.Second
	suspicionMult = 3 // probes without an answer until a suspect is gone
	slowdown      = 2 // of probes if this process seems to be the sick one
	reclaim       = 30 * time.Second
	leaveWait     = 500 * time.Millisecond
)

// Options configures an agent.
type Options struct {
	// Wire carries the gossip. The agent handles its type Gossip and its streams.
	Wire *wire.Endpoint
	// Meta is what the others learn of this process. Its address and all that is
	// zero are taken from what Wire says in its hello.
	Meta Meta
	// Seeds are addresses, host:port, where others may be. All addresses of a host
	// name are tried. This process's own may be among them.
	Seeds []string
	// Resolve looks host names up. Nil: the system's resolver.
	Resolve func(ctx context.Context, host string) ([]string, error)
	// Notify gets the events, one at a time. It must not block, nor call the agent.
	Notify func(Event)
	// Logger gets what happens. Nil: slog.Default().
	Logger *slog.Logger
}

// An Event is news of another process.
type Event struct {
	Kind EventKind
	// ID is of the process; zero for Rejected.
	ID topology.ID
	// Addr is where it is reached.
	Addr string
	// Meta is set for Met.
	Meta Meta
	// Err is why, for Suspected and Rejected.
	Err error
}

// EventKind is what happened.
type EventKind uint8

// The kinds of events.
const (
	// Met: the process was found, or found again, or its Meta changed.
	Met EventKind = iota + 1
	// Suspected: its address refuses connections. It is probably gone.
	Suspected
	// Gone: it left, or did not answer anybody for long.
	Gone
	// Rejected: a process at an address that was tried does not fit to this one, or
	// the two do not trust each other.
	Rejected
)

// An Agent takes part in the gossip until it is closed. Its methods may be called
// concurrently.
type Agent struct {
	opts   Options
	self   topology.ID
	list   *memberlist.Memberlist
	net    *transport
	cancel context.CancelFunc
	work   sync.WaitGroup
	once   sync.Once

	notify sync.Mutex // events come one at a time

	result atomic.Int32 // of the last search

	mu    sync.Mutex
	meta  []byte // of this process
	alive map[topology.ID]Meta
	seen  []string          // addresses where somebody was, the latest last
	said  map[string]string // the last trouble with an address that was logged
}

// Start begins to look for others. It does not wait until any are found.
func Start(opts Options) (*Agent, error) {
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	if opts.Resolve == nil {
		opts.Resolve = lookUp
	}
	self := opts.Wire.Self()
	opts.Meta = opts.Meta.or(self)
	meta, err := opts.Meta.encode()
	if err != nil {
		return nil, err
	}
	a := &Agent{
		opts: opts, self: self.ID, meta: meta,
		alive: make(map[topology.ID]Meta), said: make(map[string]string),
	}
	ctx, cancel := context.WithCancel(context.Background())
	a.net, a.cancel = newTransport(ctx, opts.Wire), cancel
	a.list, err = memberlist.Create(a.config())
	if err != nil {
		cancel()
		return nil, fmt.Errorf("gossip: %w", err)
	}
	opts.Wire.Watch(a.watch)
	a.work.Go(func() { a.search(ctx) })
	return a, nil
}

func (a *Agent) config() *memberlist.Config {
	c := memberlist.DefaultLANConfig()
	c.Name = name(a.self)
	c.Transport = a.net
	c.Logger = log.New(&logger{a.opts.Logger}, "", 0)
	c.Delegate, c.Events, c.Alive = delegate{a}, delegate{a}, delegate{a}
	c.ProbeInterval, c.ProbeTimeout = probeEvery, probeWait
	c.SuspicionMult, c.AwarenessMaxMultiplier = suspicionMult, slowdown
	c.SuspicionMaxTimeoutMult = 1
	c.GossipInterval, c.PushPullInterval = gossipEvery, syncEvery
	c.TCPTimeout, c.DeadNodeReclaimTime = streamWait, reclaim
	c.EnableCompression = false // packets stay in one machine room
	return c
}

// name returns the name of a process in the gossip.
func name(id topology.ID) string { return fmt.Sprintf("%016x", uint64(id)) }

func parseName(s string) (topology.ID, error) {
	id, err := strconv.ParseUint(s, 16, 64)
	if err != nil || id == 0 {
		return 0, errors.New("gossip: a name that is no ID")
	}
	return topology.ID(id), nil
}

// UpdateMeta changes what the others learn of this process.
func (a *Agent) UpdateMeta(m Meta) error {
	meta, err := m.or(a.opts.Wire.Self()).encode()
	if err != nil {
		return err
	}
	a.mu.Lock()
	a.meta = meta
	a.mu.Unlock()
	// If nobody confirms in time, they learn it with the next exchange.
	_ = a.list.UpdateNode(leaveWait)
	return nil
}

// Alive returns the processes that answer, without this one.
func (a *Agent) Alive() map[topology.ID]Meta {
	a.mu.Lock()
	defer a.mu.Unlock()
	return maps.Clone(a.alive)
}

// What the last search of all addresses found.
const (
	unsearched = iota // it is still under way
	unanswered        // somebody listens, and did not say who that is
	unreached         // nobody was reached, and some may be behind a cut
	refused           // nobody listens at any address
)

// Alone reports whether nobody else listens at any of the addresses. It is false before all were
// tried, and if it is not certain.
func (a *Agent) Alone() bool { return a.result.Load() == refused && len(a.Alive()) == 0 }

// Answered reports whether all addresses were tried, and none is left at which somebody
// listens who has not said yet who that is: whoever has too much to do, for instance.
func (a *Agent) Answered() bool { return a.result.Load() >= unreached }

// Close tells the others that this process leaves, and ends the gossip. Probes that
// are under way end by themselves within a second. There are no events after it
// returns.
func (a *Agent) Close() error {
	var err error
	a.once.Do(func() {
		a.cancel()
		a.work.Wait()
		// That nobody hears it is no reason to stay.
		_ = a.list.Leave(leaveWait)
		err = a.list.Shutdown()
		a.notify.Lock()
		defer a.notify.Unlock()
		a.opts.Notify = nil
	})
	return err
}

func (a *Agent) tell(ev Event) {
	a.notify.Lock()
	defer a.notify.Unlock()
	if a.opts.Notify != nil {
		a.opts.Notify(ev)
	}
}

// watch makes suspicions of connections that are refused: the gossip itself notices a
// death only after seconds.
func (a *Agent) watch(ev wire.Event) {
	if ev.Kind != wire.Refused && ev.Kind != wire.Replaced {
		return
	}
	a.mu.Lock()
	_, known := a.alive[ev.ID]
	a.mu.Unlock()
	if known {
		a.tell(Event{Kind: Suspected, ID: ev.ID, Addr: ev.Addr, Err: ev.Err})
	}
}

// met notes a process that answers.
func (a *Agent) met(id topology.ID, m Meta) {
	a.mu.Lock()
	a.alive[id] = m
	a.remember(m.Addr)
	a.mu.Unlock()
	a.tell(Event{Kind: Met, ID: id, Addr: m.Addr, Meta: m})
}

func (a *Agent) lost(id topology.ID) {
	a.mu.Lock()
	m, known := a.alive[id]
	delete(a.alive, id)
	a.mu.Unlock()
	a.net.forget(id)
	if known {
		a.tell(Event{Kind: Gone, ID: id, Addr: m.Addr})
	}
}

// remember keeps an address in order to try it again.
func (a *Agent) remember(addr string) {
	a.seen = append(slices.DeleteFunc(a.seen, func(s string) bool { return s == addr }), addr)
	if len(a.seen) > maxSeen {
		a.seen = a.seen[1:]
	}
}
