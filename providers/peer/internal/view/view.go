// Package view is one member's view of its cluster: who is in it, who coordinates it,
// and who holds which partition.
//
// The oldest member coordinates: it alone changes the configuration. Heartbeats, once
// acknowledged, are leases: as long as the coordinator and the other holders of a
// partition have acknowledged a primary's heartbeats lately, nobody replaces it. Who
// does not hear from anybody older any more claims: it asks everybody whom it can reach
// for the newest configuration and for the promise to follow nobody less, and makes a
// configuration without the others, of a new lineage. So does a coordinator that removes
// members which may go on as well. Two lineages that do not come from each other are the
// sides of a split; they merge.
//
// It is view-based primary/backup replication in the manner of PacificA (Lin et al.,
// 2008), with the oldest member in the place of an external configuration manager. So
// it goes on with one member of two, and may split.
//
// A Machine is pure: it has no goroutine, clock or source of randomness. Every step
// gets the time and says what to do.
package view

import (
	"math"
	"slices"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// A Machine is the state of one member. It is not safe for concurrent use. All times
// are monotonic, in nanoseconds since any moment.
type Machine struct {
	Options
	config   *topology.Config // nil: not yet a member
	promised uint64           // the highest term; lower ones are refused
	chosen   topology.ID      // to whom it was promised
	chosenAt int64            // when
	ahead    uint64           // a lineage that follows this one and may not be followed yet
	peers    map[topology.ID]*peer

	ticked int64 // time of the last Tick
	beaten int64 // time of the last heartbeats

	contacts []stranger // to join through, or met
	probed   int        // contacts probed so far
	joining  bool
	invited  uint64 // see Join
	leaving  bool
	done     bool // no step does anything any more

	claim *claim // under way

	// What this member, as a primary, has found and its coordinator has not obeyed.
	found Report
	news  bool // there is something that was not reported yet

	// The coordinator's work.
	joiners []topology.Member
	leavers []topology.ID
	synced  map[int]Finding
	silent  []Finding
	idle    bool // there is nothing to plan under this configuration
	absence absence

	merge  merge
	behind *behind // the cluster has gone on without this member
}

// A stranger is a process that is not a member, as far as this one knows.
type stranger struct {
	id   topology.ID
	addr string
	seen int64
}

// New returns the machine of a process that is not a member yet. Call Found or Join.
func New(o Options) *Machine {
	return &Machine{
		Options: o.withDefaults(),
		peers:   make(map[topology.ID]*peer),
		synced:  make(map[int]Finding),
		ticked:  never,
		beaten:  never,
	}
}

// never is before all times, and far enough from the limit to count from.
const never = math.MinInt64 / 4

// Found begins a cluster of this member alone.
func (m *Machine) Found(now int64, fx *Effects) {
	if m.config != nil || m.done {
		return
	}
	c := topology.Found(m.Draw(), m.Self, m.Partitions)
	c.Stamp.Term = m.term(0)
	for i := range c.Partitions {
		c.Partitions[i].Epoch, c.Partitions[i].Reign = c.Stamp, c.Stamp
	}
	m.adopt(now, c, fx)
}

// Join asks a member of a cluster for admission, and goes on asking. It may be called
// again with another one.
func (m *Machine) Join(now int64, contact topology.ID, addr string, fx *Effects) {
	if m.config != nil || m.done {
		return
	}
	m.joining = true
	m.remember(now, contact, addr)
	m.send(fx, contact, &Join{m.Self, m.invited})
}

// Leave begins to hand everything over. The member goes on serving until Left.
func (m *Machine) Leave(now int64, fx *Effects) {
	if m.leaving || m.done {
		return
	}
	m.leaving = true
	m.askToLeave(now, fx)
}

// Met says that a process was seen at an address. It may belong to another cluster.
// Say it again from time to time as long as it is there. If a member had the same
// address, it has ended.
func (m *Machine) Met(now int64, id topology.ID, addr string) {
	if id == m.Self.ID || m.config != nil && m.config.Has(id) {
		return
	}
	m.remember(now, id, addr)
	if m.config == nil {
		return
	}
	for i := range m.config.Members {
		if other := &m.config.Members[i]; other.Addr == addr && addr != "" && other.ID != m.Self.ID {
			m.peer(now, other.ID).end(now, true)
		}
	}
}

// Refused says that a connection to a process was reset and that its port refuses
// another: it has ended.
func (m *Machine) Refused(now int64, id topology.ID) {
	if p := m.peers[id]; p != nil || m.config != nil && m.config.Waits(id) {
		m.peer(now, id).end(now, false)
	}
	m.forget(id)
}

// Replaced says that another process is at the address of one: that one has ended, or come
// back under another ID.
func (m *Machine) Replaced(now int64, id topology.ID) {
	if p := m.peers[id]; p != nil || m.config != nil && m.config.Waits(id) {
		m.peer(now, id).end(now, true)
	}
	m.forget(id)
}

// Synced says that the learner of a partition, of which this member is the primary,
// has everything. If it names this member itself, everybody in sync has everything, and
// will have what is acknowledged in this epoch. Epoch is the partition's.
func (m *Machine) Synced(_ int64, partition int, epoch topology.Stamp, learner topology.ID) {
	m.note(&m.found.Synced, Finding{partition, epoch, learner})
}

// Restored says that somebody who had every acknowledged write of a partition that is held,
// and of which this member is the primary, has given it all. Epoch is the partition's.
func (m *Machine) Restored(_ int64, partition int, epoch topology.Stamp, by topology.ID) {
	m.note(&m.found.Restored, Finding{partition, epoch, by})
}

// Silent says that a member in sync, or the learner, of a partition of which this
// member is the primary does not acknowledge. Say it again as long as it is true.
func (m *Machine) Silent(_ int64, partition int, epoch topology.Stamp, member topology.ID) {
	m.note(&m.found.Silent, Finding{partition, epoch, member})
}

// note adds a finding once.
func (m *Machine) note(list *[]Finding, f Finding) {
	if !slices.Contains(*list, f) {
		*list = append(*list, f)
		m.news = true
	}
}

// Config returns the present configuration, nil before the first. It is immutable.
func (m *Machine) Config() *topology.Config { return m.config }

// Safe reports whether this member could fail without a loss: every partition is on as
// many members as it should be, and none is being handed over.
func (m *Machine) Safe() bool {
	if m.config == nil || m.behind != nil || m.config.Merging != 0 || m.config.Held() > 0 {
		return false
	}
	staying := m.config.Staying()
	for i := range m.config.Partitions {
		p := &m.config.Partitions[i]
		if p.Learner != 0 || len(p.InSync) < min(m.Copies, staying) {
			return false
		}
	}
	return true
}

// Behind reports whether the cluster has gone on without this member, which holds what the
// others lack.
func (m *Machine) Behind() bool { return m.behind != nil }

// Left reports whether this member, which is leaving, may end: it holds nothing and the
// others know, or there is nobody who stays.
func (m *Machine) Left(now int64) bool {
	switch {
	case !m.leaving:
		return false
	case m.done || m.config == nil:
		return true
	}
	stays := false
	for i := range m.config.Members {
		id := m.config.Members[i].ID
		stays = stays || !m.config.Members[i].Leaving && !m.suspects(now, id)
	}
	if !stays {
		return true
	}
	if m.config.Has(m.Self.ID) {
		return false
	}
	for i := range m.config.Members {
		if id := m.config.Members[i].ID; !m.suspects(now, id) && m.peer(now, id).mark != mark(m.config) {
			return false
		}
	}
	return true
}

// Step takes in a message. From is who sent it, as the connection knows.
func (m *Machine) Step(now int64, from topology.ID, msg Message, fx *Effects) {
	if m.done {
		return
	}
	m.hear(now, from, fx)
	switch msg := msg.(type) {
	case *Heartbeat:
		m.heartbeat(now, from, msg, fx)
	case *HeartbeatAck:
		m.acknowledged(now, from, msg, fx)
	case *Publish:
		m.published(now, from, msg, fx)
	case *Probe:
		m.probe(now, from, msg, fx)
	case *Here:
		m.here(now, msg.Mark)
	case *Join:
		m.join(now, from, msg, fx)
	case *Leave:
		m.leave(msg, fx)
	case *Claim:
		m.claimed(now, from, msg, fx)
	case *ClaimAnswer:
		m.answered(now, from, msg, fx)
	case *Report:
		m.reported(msg)
	case *Disband:
		if m.config != nil && m.config.Lineage == msg.Mark.Lineage && m.config.Merging != 0 {
			m.rejoin(fx, "merged into another cluster")
		}
	}
}

// Tick must be called every 25 to 50 ms.
func (m *Machine) Tick(now int64, fx *Effects) {
	if m.done {
		return
	}
	m.noticePause(now)
	beat := now-m.beaten >= int64(m.Heartbeat)
	if beat {
		m.beaten = now
	}
	switch {
	case m.behind != nil:
		m.catchUp(now, beat, fx)
	case m.config == nil:
		if beat && m.joining {
			m.askToJoin(now, fx)
		}
	default:
		if beat {
			m.beat(now, fx)
		} else if m.news {
			m.report(now, fx)
		}
		m.redialSilent(now, fx)
		m.coordinate(now, fx)
		if !m.done {
			m.tryClaim(now, fx)
			m.give(now, fx)
		}
	}
}

func (m *Machine) coordinates() bool { return m.config.Coordinator() == m.Self.ID }

// send addresses a message to somebody whom m knows.
func (m *Machine) send(fx *Effects, to topology.ID, msg Message) {
	fx.Send = append(fx.Send, Envelope{To: to, Addr: m.addr(to), Msg: msg})
}

func (m *Machine) rejoin(fx *Effects, reason string) {
	m.done = true
	fx.Rejoin = true
	fx.Log = append(fx.Log, "coming back empty: "+reason)
}
