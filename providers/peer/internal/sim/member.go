package sim

import (
	"fmt"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/view"
)

// A member is a process's part in the grid until it crashes or comes back empty: the
// machines of its view and its partitions, and what a runtime does with their effects.
type member struct {
	world *world
	host  *host
	id    topology.ID
	n     int // counts members, for the trace
	clock int64

	memory *part.Budget // nil: any amount
	view   *view.Machine
	parts  []*part.Replica
	inbox  []delivery // what arrives while the process is paused

	offered  map[int]topology.ID
	requests map[uint64]*request // executed here and not answered
	tag      uint64
	ticks    int

	viewFx view.Effects
	partFx part.Effects
}

type delivery struct {
	from *member
	msg  any
}

func (m *member) String() string { return fmt.Sprintf("m%d@%s", m.n, m.host.addr) }

// start of the simulated time of day.
var day = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func newMember(w *world, h *host) *member {
	m := &member{
		world: w, host: h, id: topology.ID(w.Uint64() | 1), n: len(w.members) + 1, clock: w.between(0, 1e6*ms),
		offered: make(map[int]topology.ID), requests: make(map[uint64]*request),
	}
	w.members[m.id] = m
	s := &w.scenario
	m.view = view.New(view.Options{
		Self:       topology.Member{ID: m.id, Addr: h.addr, Reborn: h.left},
		Partitions: s.Partitions, Copies: s.Copies,
		Heartbeat: heartbeat, Lease: lease, Silence: silence,
		Split: s.Split, ForgetAfter: s.ForgetAfter, Async: s.Sync != 0 && !s.Bare,
		Draw:  w.Uint64,
		Clock: func(ago time.Duration) uint64 { return uint64(part.At(m.wall().Add(-ago))) },
		Rules: w.rules,
	})
	if s.Bare {
		return m
	}
	if s.Memory > 0 {
		m.memory = &part.Budget{Max: s.Memory}
	}
	backupTimeout := 600 * time.Millisecond
	if s.ShortBackupTimeout {
		backupTimeout = 250 * time.Millisecond
	}
	var evicts func(cache string) bool
	if s.Evicts {
		evicts = func(cache string) bool { return cache == mainCache }
	}
	for i := range s.Partitions {
		m.parts = append(m.parts, part.New(part.Options{
			Self: m.id, Partition: i, Rules: w.rules, Leased: s.Split != view.All,
			Memory: m.memory, Evicts: evicts,
			Tombstones: s.Tombstones, Brief: 3 * silence, // the clocks differ by less than forks allow for
			Merge: mergeOf, Processors: processor,
			Sync: s.Sync, Copies: s.Copies, MinCopies: s.MinCopies,
			Origin: day.Add(h.skew - time.Duration(m.clock)).UnixMicro(),
			Resend: 100 * time.Millisecond, BackupTimeout: backupTimeout, DigestEvery: time.Second,
		}))
	}
	return m
}

// mono is the member's monotonic clock. It begins anywhere.
func (m *member) mono() int64 { return m.clock + m.world.now + 1 }

// wall is the machine's wall clock.
func (m *member) wall() time.Time { return day.Add(time.Duration(m.world.now) + m.host.skew) }

func (m *member) alive() bool { return m.host.member == m }

func (m *member) primary(partition int) bool {
	c := m.view.Config()
	return c != nil && c.Partitions[partition].Primary == m.id
}

func (m *member) time(partition int) part.Now {
	now := part.Now{Mono: m.mono(), Wall: m.wall()}
	if c := m.view.Config(); c != nil {
		now.Lease = m.view.LeaseFor(&c.Partitions[partition])
	}
	return now
}

// do takes a step of the view, and does what it asks for.
func (m *member) do(step func(now int64, fx *view.Effects)) {
	fx := &m.viewFx
	fx.Reset()
	step(m.mono(), fx)
	for _, line := range fx.Log {
		m.world.log("%v: %s", m, line)
	}
	if fx.Promised != 0 {
		m.world.log("%v promises term %x", m, fx.Promised)
		for _, p := range m.parts {
			p.Promise(fx.Promised)
		}
	}
	for _, e := range fx.Send {
		m.world.send(m, m.world.members[e.To], e.Msg)
	}
	if fx.Config != nil {
		m.adopt(fx.Config)
	}
	for _, id := range fx.Redial {
		m.redial(m.world.members[id])
	}
	for _, o := range fx.Offers {
		m.offer(o)
	}
	if fx.Rejoin {
		m.rejoin()
	}
}

func (m *member) adopt(c *topology.Config) {
	m.world.watch.adopted(m, c)
	for i := range m.parts {
		m.step(i, func(now part.Now, p *part.Replica, fx *part.Effects) { p.Configure(now, c, fx) })
	}
	if m.parts == nil {
		m.pretend(c)
	}
}

// pretend stands for partitions that hold nothing and hand over at once.
func (m *member) pretend(c *topology.Config) {
	for i := range c.Partitions {
		if p := c.Partitions[i]; p.Primary == m.id && p.Learner != 0 {
			m.handOver(i, p)
		}
	}
}

func (m *member) handOver(i int, p topology.Partition) {
	w := m.world
	w.after(w.between(5*ms, 100*ms), func() {
		if !m.alive() || m.view.Config().Partitions[i].Epoch != p.Epoch {
			return
		}
		if to := w.members[p.Learner]; to.alive() && w.reach(m.host, to.host) && w.reach(to.host, m.host) {
			m.view.Synced(m.mono(), i, p.Epoch, p.Learner)
			return
		}
		m.handOver(i, p)
	})
}

func (m *member) offer(o view.Offer) {
	m.offered[o.Partition] = o.To
	to := m.world.members[o.To]
	m.world.log("%v offers partition %d to %v", m, o.Partition, to)
	if m.parts == nil {
		m.handOut(o)
		return
	}
	m.step(o.Partition, func(now part.Now, p *part.Replica, fx *part.Effects) {
		if o.To == 0 {
			p.CancelOffer()
		} else {
			p.Offer(now, o.To, part.Version(o.Common), o.Whole, fx)
		}
	})
}

func (m *member) handOut(o view.Offer) {
	w, partition, to := m.world, o.Partition, o.To
	w.after(w.between(10*ms, 100*ms), func() {
		other := w.members[to]
		if !m.alive() || m.offered[partition] != to || other == nil {
			return
		}
		if other.alive() && other.atWork(partition) && w.reach(m.host, other.host) && w.reach(other.host, m.host) {
			m.view.Merged(m.mono(), partition, to)
			if o.Whole {
				other.restore(partition, m.id)
			}
			return
		}
		m.handOut(o)
	})
}

// restore says that somebody has given everything of a partition, until it is not held.
func (m *member) restore(partition int, by topology.ID) {
	if !m.alive() || !m.primary(partition) || len(m.view.Config().Partitions[partition].Held) == 0 {
		return
	}
	m.view.Restored(m.mono(), partition, m.view.Config().Partitions[partition].Epoch, by)
	m.world.after(50*ms, func() { m.restore(partition, by) })
}

// step takes a step of a partition, and does what it asks for.
func (m *member) step(partition int, step func(now part.Now, p *part.Replica, fx *part.Effects)) {
	fx := &m.partFx
	fx.Reset()
	step(m.time(partition), m.parts[partition], fx)
	for _, e := range fx.Send {
		if m.world.trace != nil {
			m.world.log("        %v -> %v %s", m, m.world.members[e.To], describe(e.Msg))
		}
		m.world.send(m, m.world.members[e.To], e.Msg)
	}
	for i := range fx.Replies {
		m.reply(&fx.Replies[i])
	}
	c := m.view.Config()
	if c == nil {
		return
	}
	epoch := c.Partitions[partition].Epoch
	if fx.Synced != 0 {
		m.view.Synced(m.mono(), partition, epoch, fx.Synced)
	}
	if fx.Restored != 0 {
		m.view.Restored(m.mono(), partition, epoch, fx.Restored)
	}
	for _, id := range fx.Silent {
		m.world.log("%v finds %v silent in partition %d", m, m.world.members[id], partition)
		m.view.Silent(m.mono(), partition, epoch, id)
	}
	if fx.Merged {
		m.view.Merged(m.mono(), partition, m.offered[partition])
	}
}

// receive takes in a message.
func (m *member) receive(from *member, msg any) {
	switch msg := msg.(type) {
	case view.Message:
		m.do(func(now int64, fx *view.Effects) { m.view.Step(now, from.id, msg, fx) })
	case part.Message:
		m.step(msg.Of(), func(now part.Now, p *part.Replica, fx *part.Effects) { p.Step(now, from.id, msg, fx) })
	case *request:
		m.execute(msg)
	case *scanRequest:
		m.scan(msg)
	case *page:
		msg.scanner.turn(msg)
	case *response:
		m.world.clients.answered(msg)
	}
}

// refused says that somebody's connection was reset and its port is closed, or that another
// process is there.
func (m *member) refused(gone *member) {
	if !m.alive() || m.host.pausedTil > m.world.now {
		return
	}
	if gone.host.member == nil {
		m.view.Refused(m.mono(), gone.id)
	} else {
		m.view.Replaced(m.mono(), gone.id)
	}
}

// redial makes a fresh connection, if that is possible now. What waited on the old one is lost.
func (m *member) redial(to *member) {
	w := m.world
	w.log("%v redials %v", m, to)
	w.after(w.between(2*ms, 30*ms), func() {
		reached := w.reach(m.host, to.host) && w.reach(to.host, m.host)
		lossy := w.lossy != nil && (m.host == w.lossy || to.host == w.lossy)
		switch {
		case !m.alive() || !reached || lossy && w.IntN(3) > 0:
		case !to.alive():
			m.refused(to)
		case to.host.pausedTil <= w.now && m.host.pausedTil <= w.now:
			w.log("%v has reached %v", m, to)
			w.renew(m, to)
			m.do(func(now int64, fx *view.Effects) { m.view.Reached(now, to.id, fx) })
		}
	})
}

// tick lets the machines do what time demands.
func (m *member) tick() {
	w := m.world
	if !m.alive() {
		return
	}
	if m.host.pausedTil > w.now {
		w.after(m.host.pausedTil-w.now, m.tick)
		return
	}
	w.after(w.between(20*ms, 40*ms), m.tick)
	m.ticks++
	if m.ticks%8 == 1 {
		m.discover()
	}
	m.do(func(now int64, fx *view.Effects) { m.view.Tick(now, fx) })
	if !m.alive() {
		return
	}
	for i := range m.parts {
		m.step(i, func(now part.Now, p *part.Replica, fx *part.Effects) { p.Tick(now, fx) })
	}
	w.watch.ticked(m)
	w.clients.check(m)
}

// discover is what a gossip library does: it finds who else is there.
func (m *member) discover() {
	w := m.world
	var found []*member
	for _, other := range w.running() {
		if other != m && w.reach(m.host, other.host) && w.reach(other.host, m.host) && other.host.pausedTil <= w.now {
			m.view.Met(m.mono(), other.id, other.host.addr)
			if other.view.Config() != nil {
				found = append(found, other)
			}
		}
	}
	if m.view.Config() == nil && len(found) > 0 {
		contact := found[w.IntN(len(found))]
		m.do(func(now int64, fx *view.Effects) { m.view.Join(now, contact.id, contact.host.addr, fx) })
	}
}

// rejoin ends the member; its process comes back with another, empty one.
func (m *member) rejoin() {
	w := m.world
	h := m.host
	w.clients.gone(m)
	h.member = nil
	w.after(w.between(10*ms, 50*ms), func() {
		if h.member == nil {
			h.left = true
			w.start(h, false)
			h.left = false
		}
	})
}
