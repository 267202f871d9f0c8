package node

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"

	"sync"
	"sync/atomic"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/member"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/view"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/wire"
)

const (
	protocol = 1

	// handOffs is how many partitions a member gives, and takes, at the same time.
	handOffs = 32

	// rebornPatience is how much longer than others a process that had to come back
	// empty looks for the cluster that went on without it.
	rebornPatience = 10

	viewTick = 25 * time.Millisecond
	partTick = 50 * time.Millisecond
)

// A life is the time that a process spends under one ID.
type life struct {
	n *Node
	// reborn: it is not the first life.
	reborn bool
	self   topology.Member
	wire   *wire.Endpoint
	agent  *member.Agent
	born   time.Time

	over   chan struct{} // closed when the view is done
	once   sync.Once
	cancel context.CancelFunc
	work   sync.WaitGroup

	// rejected is why somebody at one of the addresses does not fit to this process.
	rejected atomic.Pointer[error]

	config atomic.Pointer[topology.Config]
	peers  atomic.Pointer[map[topology.ID]*wire.Peer] // the other members
	slots  []slot
	subs   subscribers

	mu   sync.Mutex // of the view
	view *view.Machine
	fx   view.Effects
	met  int64 // when somebody was met first, before this one was a member
	gone farewells

	found findings
}

func newLife(n *Node, listener net.Listener, reborn bool) (*life, error) {
	o := n.opts
	l := &life{n: n, reborn: reborn, born: time.Now(), over: make(chan struct{}), gone: make(farewells)}
	l.self = topology.Member{ID: topology.ID(rand.Uint64() | 1), Addr: o.Advertise, Zone: o.Zone}
	l.found.wake = make(chan struct{}, 1)
	var err error
	l.wire, err = wire.Start(wire.Options{
		Self: wire.Hello{Cluster: o.Cluster, Protocol: protocol, Oldest: protocol, ID: l.self.ID, Zone: o.Zone,
			Addr: o.Advertise, Partitions: o.Partitions},
		Security: o.Security, Listener: listener, Logger: o.Logger,
	})
	if err != nil {
		return nil, err
	}
	l.self.Addr = l.wire.Self().Addr
	l.view = view.New(view.Options{
		Self: l.self, Partitions: o.Partitions, Copies: o.Copies, HandOffs: handOffs, Consistency: o.Consistency,
		Heartbeat: o.Heartbeat, Lease: o.Lease, Silence: o.Silence,
		Draw:  rand.Uint64,
		Clock: func(ago time.Duration) uint64 { return uint64(part.At(time.Now().Add(-ago))) },
	})
	l.slots = make([]slot, o.Partitions)
	for i := range l.slots {
		l.slots[i].init(l, i)
	}
	l.handle()
	l.wire.Watch(l.connection)
	l.agent, err = member.Start(member.Options{Wire: l.wire, Seeds: o.Join, Notify: l.heard, Logger: o.Logger})
	if err != nil {
		return nil, errors.Join(err, l.wire.Close())
	}
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	l.work.Go(func() { l.watchView(ctx) })
	l.work.Go(func() { l.tickParts(ctx) })
	return l, nil
}

// end stops everything and answers whoever waits.
func (l *life) end() {
	l.cancel()
	l.work.Wait()
	_ = l.agent.Close() // nobody is told that it left: the view has told them
	_ = l.wire.Close()  // the listener is of no use to anybody any more
	for i := range l.slots {
		l.slots[i].close()
	}
}

// mono returns a time of this life in nanoseconds, greater than zero.
func (l *life) mono() int64 { return int64(time.Since(l.born)) + 1 }

// since is mono for a time that was read already.
func (l *life) since(t time.Time) int64 { return int64(t.Sub(l.born)) + 1 }

// watchView ticks the view, tells it what the partitions found, and begins a cluster if
// there is none to join.
func (l *life) watchView(ctx context.Context) {
	tick := time.NewTicker(viewTick)
	defer tick.Stop()
	joined := false // and the others know
	remind := time.NewTicker(time.Second)
	defer remind.Stop()
	for {
		select {
		case <-tick.C:
			l.step(func(now int64) {
				if l.view.Config() == nil && l.mayFound(now) {
					l.view.Found(now, &l.fx)
				}
				l.view.Tick(now, &l.fx)
				for _, id := range l.gone.due(now) {
					l.wire.Forget(id)
				}
			})
			if !joined && l.config.Load() != nil {
				joined = true
				l.work.Go(func() { _ = l.agent.UpdateMeta(member.Meta{Joined: true}) }) // as long as what it began with
			}
		case <-remind.C:
			// Who is alive and no member any more may be in another cluster, and the
			// gossip, which never lost sight of him, has no news.
			for id, meta := range l.agent.Alive() {
				l.hearOf(id, meta.Addr)
			}
		case <-l.found.wake:
			found := l.found.take()
			l.step(func(now int64) {
				for _, f := range found {
					f(now, l.view)
				}
				l.view.Tick(now, &l.fx)
			})
		case <-ctx.Done():
			return
		}
	}
}

// mayFound reports whether it is time to begin a cluster. It is not while there is one that
// this process should be in: an empty one beside it would say that nothing is there.
func (l *life) mayFound(now int64) bool {
	alive := l.agent.Alive()
	first := true // among those who were met
	for id, meta := range alive {
		if meta.Joined {
			return false
		}
		first = first && l.self.ID < id
	}
	startup := int64(l.n.opts.Startup)
	switch {
	case l.rejected.Load() != nil:
		return false
	case l.agent.Alone():
		return true
	case l.reborn:
		return len(alive) == 0 && now > rebornPatience*startup
	case now > startup:
		return true
	}
	return first && l.met != 0 && now-l.met > startup/2
}

// step advances the view and carries out what it asks for.
func (l *life) step(do func(now int64)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	do(l.mono())
	l.carry()
}

// carry does what the view asks for. l.mu is held.
func (l *life) carry() {
	fx := &l.fx
	if fx.Promised != 0 {
		for i := range l.slots {
			l.slots[i].promise(fx.Promised)
		}
	}
	if fx.Config != nil {
		l.meet(fx.Config)
	}
	for _, env := range fx.Send {
		l.sendView(env)
	}
	if fx.Config != nil {
		l.adopt(fx.Config)
	}
	l.renewLeases()
	for _, o := range fx.Offers {
		l.wire.Peer(o.To, o.Addr)
		l.slots[o.Partition].offer(o)
	}
	for _, line := range fx.Log {
		l.n.opts.Logger.Info("peer: " + line)
	}
	if fx.Rejoin {
		l.once.Do(func() { close(l.over) })
	}
	fx.Reset()
}

// meet notes how the members of a configuration are reached.
func (l *life) meet(c *topology.Config) {
	peers := make(map[topology.ID]*wire.Peer, len(c.Members))
	for _, m := range c.Members {
		if m.ID != l.self.ID {
			peers[m.ID] = l.wire.Peer(m.ID, m.Addr)
		}
	}
	l.peers.Store(&peers)
}

// adopt makes a configuration the present one. The leases are new before the partitions
// act on it.
func (l *life) adopt(c *topology.Config) {
	old := l.config.Load()
	l.config.Store(c)
	l.renewLeases()
	for i := range l.slots {
		l.slots[i].configure(c)
	}
	l.subs.retain(c)
	l.subscribeTo(old, c)
	l.gone.change(old, c, l.mono())
	l.n.announce()
}

// renewLeases tells each partition until when it may serve.
func (l *life) renewLeases() {
	c := l.view.Config()
	if c == nil {
		return
	}
	for i := range c.Partitions {
		p := &c.Partitions[i]
		if p.Holds(l.self.ID) {
			l.slots[i].lease.Store(l.view.LeaseFor(p))
		}
	}
}

// tickParts ticks the partitions.
func (l *life) tickParts(ctx context.Context) {
	tick := time.NewTicker(partTick)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			for i := range l.slots {
				l.slots[i].tick()
			}
		case <-ctx.Done():
			return
		}
	}
}

// leave asks to leave, and reports whether that is done.
func (l *life) leave() (left bool) {
	l.step(func(now int64) {
		l.view.Leave(now, &l.fx)
		left = l.view.Left(now)
	})
	return left
}

// heard takes in what the gossip says.
func (l *life) heard(e member.Event) {
	switch e.Kind {
	case member.Met:
		l.hearOf(e.ID, e.Addr)
	case member.Rejected:
		err := fmt.Errorf("%s: %w", e.Addr, e.Err)
		l.rejected.Store(&err)
	}
}

// hearOf tells the view of somebody who is alive, as the gossip says. At the address of a
// member the gossip may speak of that process's life before: whether the member is gone
// is for its connection to say.
func (l *life) hearOf(id topology.ID, addr string) {
	l.step(func(now int64) {
		c := l.view.Config()
		switch {
		case c == nil:
			if l.met == 0 {
				l.met = now
			}
			l.view.Join(now, id, addr, &l.fx)
		case !slices.ContainsFunc(c.Members, func(m topology.Member) bool { return m.Addr == addr }):
			l.view.Met(now, id, addr)
		}
	})
}

// connection takes in what the connections say.
func (l *life) connection(e wire.Event) {
	if e.Kind == wire.Refused && e.ID != 0 {
		l.step(func(now int64) { l.view.Refused(now, e.ID) })
	}
}

// findings are what partitions found that the view must know. They are told apart from
// the partition's lock.
type findings struct {
	mu   sync.Mutex
	list []func(now int64, m *view.Machine)
	wake chan struct{}
}

func (f *findings) add(tell func(now int64, m *view.Machine)) {
	f.mu.Lock()
	f.list = append(f.list, tell)
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

func (f *findings) take() []func(now int64, m *view.Machine) {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := f.list
	f.list = nil
	return list
}
