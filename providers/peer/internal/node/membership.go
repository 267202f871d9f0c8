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
	// handOffs is how many partitions a member gives, and takes, at the same time.
	handOffs = 32

	viewTick = 25 * time.Millisecond
	partTick = 50 * time.Millisecond
)

// A membership is what a life is if the process holds records: it takes part in the
// gossip and in the decisions, and has its place in the partitions.
type membership struct {
	*life
	// reborn: it is not the first life.
	reborn bool
	agent  *member.Agent
	slots  []slot
	subs   subscribers
	polls  polls

	mu       sync.Mutex // of the view
	view     *view.Machine
	fx       view.Effects
	gone     departures
	founding founding

	losses      losses
	accompanied atomic.Bool // there were other members

	found findings
}

// newMember starts a life as a member.
func newMember(n *Node, listener net.Listener, reborn bool) (*life, error) {
	o := n.opts
	l, err := newLife(n, listener)
	if err != nil {
		return nil, err
	}
	m := &membership{life: l, reborn: reborn, gone: make(departures)}
	l.member = m
	m.found.wake = make(chan struct{}, 1)
	m.self.Reborn = reborn
	m.view = view.New(view.Options{
		Self: m.self, Partitions: o.Partitions, Copies: o.Copies, HandOffs: handOffs,
		Split: o.Split, ForgetAfter: o.ForgetAfter,
		Async:     o.Replica.Sync != 0,
		Heartbeat: o.Heartbeat, Lease: o.Lease, Silence: o.Silence,
		Draw:  rand.Uint64,
		Clock: func(ago time.Duration) uint64 { return uint64(part.At(n.wall(time.Now()).Add(-ago))) },
	})
	m.slots = make([]slot, o.Partitions)
	for i := range m.slots {
		m.slots[i].init(m, i)
	}
	m.handle()
	m.wire.Watch(m.connection)
	agent, err := member.Start(member.Options{Wire: m.wire, Seeds: o.Join, Notify: m.heard, Logger: o.Logger})
	if err != nil {
		l.cancel()
		return nil, errors.Join(err, m.wire.Close())
	}
	m.mu.Lock()
	m.agent, m.founding.began = agent, true
	m.mu.Unlock()
	l.work.Go(func() { m.watchView(l.ctx) })
	l.work.Go(func() { l.feeds.run(l.ctx) })
	l.work.Go(func() { m.tickParts(l.ctx) })
	return l, nil
}

// end ends the gossip. Nobody is told that this process left: the view has told them.
func (m *membership) end() { _ = m.agent.Close() }

// close answers whoever waits for a partition.
func (m *membership) close() {
	for i := range m.slots {
		m.slots[i].close()
	}
}

// watchView ticks the view, tells it what the partitions found, and begins a cluster if
// there is none to join.
func (m *membership) watchView(ctx context.Context) {
	tick := time.NewTicker(viewTick)
	defer tick.Stop()
	joined := false // and the others know
	remind := time.NewTicker(time.Second)
	defer remind.Stop()
	for {
		select {
		case <-tick.C:
			m.step(func(now int64) {
				m.foundIfDue(ctx, now)
				m.view.Tick(now, &m.fx)
				m.polls.tick(now)
				for _, id := range m.gone.due(now) {
					m.wire.Forget(id)
				}
			})
			if !joined && m.config.Load() != nil {
				joined = true
				m.work.Go(func() { _ = m.agent.UpdateMeta(member.Meta{Joined: true}) }) // as long as what it began with
			}
		case <-remind.C:
			m.subs.prune(m.mono())
			// A process that is alive and no member any more may be in another cluster, and the
			// gossip, which never lost sight of it, has no news.
			for id, meta := range m.agent.Alive() {
				m.hearOf(id, meta.Addr)
			}
		case <-m.found.wake:
			found := m.found.take()
			m.step(func(now int64) {
				for _, f := range found {
					f(now, m.view)
				}
				m.view.Tick(now, &m.fx)
			})
		case <-ctx.Done():
			return
		}
	}
}

// step advances the view and carries out what it asks for.
func (m *membership) step(do func(now int64)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	do(m.mono())
	m.carry()
}

// carry does what the view asks for. m.mu is held.
func (m *membership) carry() {
	fx := &m.fx
	if fx.Promised != 0 {
		for i := range m.slots {
			m.slots[i].promise(fx.Promised)
		}
	}
	if fx.Config != nil {
		m.meet(fx.Config)
	}
	for _, env := range fx.Send {
		m.sendView(env)
	}
	if fx.Config != nil {
		m.adopt(fx.Config)
	}
	for _, id := range fx.Redial {
		m.wire.Renew(id)
	}
	m.renewLeases()
	for _, o := range fx.Offers {
		m.wire.Peer(o.To, o.Addr)
		m.slots[o.Partition].offer(o)
	}
	for _, line := range fx.Log {
		m.n.opts.Logger.Info("peer: " + line)
	}
	if fx.Rejoin {
		m.once.Do(func() { close(m.over) })
	}
	fx.Reset()
}

// adopt makes a configuration the present one. The leases are new before the partitions
// act on it.
func (m *membership) adopt(c *topology.Config) {
	old := m.config.Load()
	m.config.Store(c)
	m.renewLeases()
	m.feeds.adopt(old, c)
	for i := range m.slots {
		m.slots[i].configure(c)
	}
	m.polls.adopt(c)
	m.gone.change(old, c, m.mono())
	m.tell(old, c)
	m.n.announce()
}

// renewLeases tells each partition until when it may serve.
func (m *membership) renewLeases() {
	c := m.view.Config()
	if c == nil {
		return
	}
	for i := range c.Partitions {
		p := &c.Partitions[i]
		if p.Holds(m.self.ID) {
			m.slots[i].lease.Store(m.view.LeaseFor(p))
		}
	}
}

// tickParts ticks the partitions.
func (m *membership) tickParts(ctx context.Context) {
	tick := time.NewTicker(partTick)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			for i := range m.slots {
				m.slots[i].tick()
			}
		case <-ctx.Done():
			return
		}
	}
}

// leave asks to leave, and reports whether that is done.
func (m *membership) leave() (left bool) {
	m.step(func(now int64) {
		m.view.Leave(now, &m.fx)
		left = m.view.Left(now)
	})
	if left {
		for i := range m.slots {
			m.slots[i].dismiss()
		}
	}
	return left
}

// heard takes in what the gossip says.
func (m *membership) heard(e member.Event) {
	switch e.Kind {
	case member.Met:
		m.n.compare(&wire.Hello{ID: e.ID, Addr: e.Addr, Mode: e.Meta.Mode})
		m.hearOf(e.ID, e.Addr)
	case member.Rejected:
		err := fmt.Errorf("%s: %w", e.Addr, e.Err)
		m.rejected.Store(&err)
		m.n.announce()
	}
}

// hearOf tells the view of somebody who is alive, as the gossip says. At the address of a
// member the gossip may speak of that process's life before: whether the member is gone
// is for its connection to say.
func (m *membership) hearOf(id topology.ID, addr string) {
	m.step(func(now int64) {
		c := m.view.Config()
		switch {
		case c == nil:
			m.founding.meet(now)
			m.view.Join(now, id, addr, &m.fx)
		case !slices.ContainsFunc(c.Members, func(m topology.Member) bool { return m.Addr == addr }):
			m.view.Met(now, id, addr)
		}
	})
}

// connection takes in what the connections say.
func (m *membership) connection(e wire.Event) {
	if e.ID == 0 {
		return
	}
	switch e.Kind {
	case wire.Connected:
		if e.Class == wire.Control {
			m.step(func(now int64) { m.view.Reached(now, e.ID, &m.fx) })
		}
	case wire.Refused:
		m.step(func(now int64) { m.view.Refused(now, e.ID) })
	case wire.Replaced:
		m.step(func(now int64) { m.view.Replaced(now, e.ID) })
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
