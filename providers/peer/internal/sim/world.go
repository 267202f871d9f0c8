// Package sim runs whole clusters of the grid's state machines in one goroutine, under
// a simulated clock, network and operator, and checks what clients saw. A run is a
// function of its seed.
package sim

import (
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/rules"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/view"
)

// ms is a simulated millisecond. The simulated clock counts nanoseconds.
const ms = int64(time.Millisecond)

const never = -1

// The times of simulated clusters are shorter than real ones, so that more happens.
const (
	heartbeat = 50 * time.Millisecond
	lease     = 200 * time.Millisecond
	silence   = 400 * time.Millisecond
)

// A world is one run.
type world struct {
	*rand.Rand
	scenario Scenario
	rules    rules.Set
	trace    io.Writer // nil: none

	now   int64
	queue queue

	hosts   []*host
	members map[topology.ID]*member // all there ever were
	links   map[[2]topology.ID]*link
	cut     func(from, to *host) bool // nil: none
	stalls  bool                      // what is cut waits for TCP to send it again, and is not lost
	lossy   *host                     // packets from and to it get lost; nil: none
	far     func(from, to *host) bool // what takes long; nil: nothing
	// repeated is what arrives again; nil: nothing does.
	repeated func(from, to *host) bool

	encoded bool // messages are encoded on the way

	clients      *clients
	ephemeral    *ephemeral
	contributors [2]*contributor
	residents    *residents
	watch        watch
	busy         bool  // a fault is not over
	whole        int64 // since when the cluster is whole; never: it is not
	calm         bool  // no more operations and faults
}

// A link carries messages from one member to another, in order: those of partitions do not
// overtake those of the view.
type link struct {
	view  int64 // when the latest message of the view arrives
	part  int64 // when the latest of the others does
	fresh int64 // messages sent before were lost when the connection broke
	// renewed is likewise, but for those of the view, which may still come.
	renewed int64
	// A packet was lost: until then nothing arrives. Backoff is the time to the next
	// repetition.
	stalled int64
	backoff int64
}

// A host is a machine on which one member after the other runs.
type host struct {
	n         int
	addr      string
	skew      time.Duration // of the wall clock
	slow      bool
	late      bool // the writes that it gets are delayed
	left      bool // the next process comes back from another cluster
	secluded  bool // nobody calls its member
	pausedTil int64
	wokeAt    int64
	process   int     // counts the processes that ran on it
	wanted    bool    // a member should run on it
	member    *member // nil: none does
}

func newWorld(seed uint64, s Scenario, removed rules.Set, trace io.Writer) *world {
	w := &world{
		Rand:     rand.New(rand.NewPCG(seed, 0x6b656570)),
		scenario: s,
		rules:    removed,
		trace:    trace,
		members:  make(map[topology.ID]*member),
		links:    make(map[[2]topology.ID]*link),
		whole:    never,
	}
	w.encoded = seed%8 == 0
	w.watch.world = w
	w.clients = newClients(w)
	return w
}

// after does something later.
func (w *world) after(d int64, do func()) { w.queue.push(event{at: w.now + d, do: do}) }

// between draws a duration.
func (w *world) between(low, high int64) int64 { return low + w.Int64N(high-low+1) }

// run lets time pass until a moment.
func (w *world) run(until int64) {
	for len(w.queue.events) > 0 && w.queue.events[0].at <= until {
		e := w.queue.pop()
		w.now = e.at
		if e.do != nil {
			e.do()
		} else {
			w.deliver(e.from, e.to, e.msg, e.sent)
		}
	}
	w.now = until
}

// log writes a line of the trace.
func (w *world) log(format string, args ...any) {
	if w.trace != nil {
		fmt.Fprintf(w.trace, "%9.3f  "+format+"\n", append([]any{float64(w.now) / float64(ms)}, args...)...)
	}
}

// newHost adds a machine.
func (w *world) newHost() *host {
	h := &host{n: len(w.hosts), addr: fmt.Sprintf("host%d", len(w.hosts))}
	h.skew, h.secluded = newSkew(w), w.scenario.Shy && h.n == 0
	w.hosts = append(w.hosts, h)
	return h
}

// running returns the members that run, in the order of their hosts.
func (w *world) running() []*member {
	var list []*member
	for _, h := range w.hosts {
		if h.member != nil {
			list = append(list, h.member)
		}
	}
	return list
}

// reach reports whether messages from one host arrive at another now.
func (w *world) reach(from, to *host) bool { return from == to || w.cut == nil || !w.cut(from, to) }

// send puts a message on its way.
func (w *world) send(from, to *member, msg any) {
	if to == nil || !w.stalls && !w.reach(from.host, to.host) {
		return
	}
	if w.encoded {
		msg = w.carry(msg)
	}
	delay := w.between(ms/2, 10*ms)
	if w.IntN(20) == 0 {
		delay += w.between(0, 60*ms)
	}
	if from.host.slow || to.host.slow {
		delay += w.between(0, 60*ms)
	}
	if w.far != nil && w.far(from.host, to.host) {
		delay += int64(silence) / 2
	}
	l := w.link(from, to)
	at := max(w.now+delay, l.view+1)
	if _, ok := msg.(view.Message); ok {
		l.view = at
	} else {
		if _, ok := msg.(*part.Replicate); ok && to.host.late {
			at += w.between(0, 300*ms)
		}
		at = max(at, l.part+1)
		l.part = at
	}
	w.queue.push(event{at: at, from: from, to: to, msg: msg, sent: w.now})
	if w.repeated != nil && w.repeated(from.host, to.host) && w.IntN(3) == 0 {
		w.queue.push(event{at: at + w.between(0, 400*ms), from: from, to: to, msg: msg, sent: w.now})
	}
}

func (w *world) link(from, to *member) *link {
	key := [2]topology.ID{from.id, to.id}
	l := w.links[key]
	if l == nil {
		l = &link{}
		w.links[key] = l
	}
	return l
}

// deliver hands a message over, unless it was lost on the way.
func (w *world) deliver(from, to *member, msg any, sent int64) {
	if _, probes := msg.(*view.Probe); probes && to.host.member != to && w.reach(from.host, to.host) && w.reach(to.host, from.host) {
		from.refused(to)
	}
	_, views := msg.(view.Message)
	if to.host.member != to || from != to && (w.link(from, to).lost(sent, views) || w.detained(from, to, msg, sent)) {
		return
	}
	if to.host.pausedTil > w.now {
		to.inbox = append(to.inbox, delivery{from, msg})
		return
	}
	to.receive(from, msg)
}

// firstBackoff is after how long TCP sends a packet again that was lost. It doubles each
// time.
const firstBackoff = 50 * ms

// detained reports whether a message does not arrive now: it is lost, or comes when TCP has
// sent it again, and those behind it no sooner.
func (w *world) detained(from, to *member, msg any, sent int64) bool {
	l := w.link(from, to)
	again := func() bool {
		w.queue.push(event{at: l.stalled, from: from, to: to, msg: msg, sent: sent})
		return true
	}
	lossy := w.lossy != nil && (from.host == w.lossy || to.host == w.lossy)
	switch reached := w.reach(from.host, to.host); {
	case l.stalled > w.now:
		return again()
	case !reached && !w.stalls:
		return true
	case !reached, lossy && w.IntN(4) == 0:
		l.backoff = max(firstBackoff, 2*l.backoff)
		l.stalled = w.now + l.backoff
		return again()
	}
	l.stalled, l.backoff = 0, 0
	return false
}

// reset breaks the connections between two members: what is on its way is lost.
func (w *world) reset(a, b *member) {
	for _, l := range []*link{w.link(a, b), w.link(b, a)} {
		l.fresh, l.stalled, l.backoff = w.now+1, 0, 0
	}
	w.clients.lost(a, b)
	w.clients.lost(b, a)
}

// lost reports whether a message was lost with the connection on which it was sent.
func (l *link) lost(sent int64, views bool) bool { return l.fresh > sent || l.renewed > sent && !views }

// renew replaces the connections by which a member sends to another one.
func (w *world) renew(from, to *member) {
	l := w.link(from, to)
	l.renewed, l.stalled, l.backoff = w.now+1, 0, 0
	w.clients.lost(from, to)
}

// crash ends a member. Its connections break, which most others notice.
func (w *world) crash(h *host) {
	gone := h.member
	h.member = nil
	h.pausedTil = 0
	w.log("CRASH %v", gone)
	w.clients.crashed(gone)
	lost := w.IntN(2) == 0 // what it had sent, with it
	for _, m := range w.running() {
		if w.reach(m.host, h) && w.IntN(4) > 0 {
			w.after(w.between(ms, 20*ms), func() { m.refused(gone) })
		}
		if lost {
			w.link(gone, m).fresh = w.now
		}
	}
}

// start runs a new member on a machine.
func (w *world) start(h *host, found bool) *member {
	m := newMember(w, h)
	h.member, h.wanted = m, true
	w.log("START %v", m)
	if found {
		m.do(func(now int64, fx *view.Effects) { m.view.Found(now, fx) })
	}
	w.after(w.between(0, 10*ms), m.tick)
	return m
}

// settled reports whether the cluster is whole: all hosts run members of one
// configuration, and every partition has its copies.
func (w *world) settled() bool {
	var c *topology.Config
	n := 0
	for _, h := range w.hosts {
		if !h.wanted {
			continue
		}
		n++
		m := h.member
		if m == nil || m.view.Config() == nil || h.pausedTil > w.now || !m.view.Safe() {
			return false
		}
		if c == nil {
			c = m.view.Config()
		}
		if !c.Same(m.view.Config()) {
			return false
		}
	}
	return c != nil && len(c.Members) == n && c.Members[0].ID != 0
}

// A queue orders events by time, then by when they were added.
type queue struct {
	events []event
	n      uint64
}

// An event is a message that arrives, or something to do.
type event struct {
	at   int64
	n    uint64
	do   func()
	from *member
	to   *member
	msg  any
	sent int64
}

func (e *event) before(o *event) bool { return e.at < o.at || e.at == o.at && e.n < o.n }

func (q *queue) push(e event) {
	q.n++
	e.n = q.n
	q.events = append(q.events, e)
	for i := len(q.events) - 1; i > 0; {
		parent := (i - 1) / 2
		if !q.events[i].before(&q.events[parent]) {
			break
		}
		q.events[i], q.events[parent] = q.events[parent], q.events[i]
		i = parent
	}
}

func (q *queue) pop() event {
	top := q.events[0]
	last := len(q.events) - 1
	q.events[0] = q.events[last]
	q.events[last] = event{}
	q.events = q.events[:last]
	for i := 0; ; {
		child := 2*i + 1
		if child >= last {
			break
		}
		if child+1 < last && q.events[child+1].before(&q.events[child]) {
			child++
		}
		if !q.events[child].before(&q.events[i]) {
			break
		}
		q.events[i], q.events[child] = q.events[child], q.events[i]
		i = child
	}
	return top
}
