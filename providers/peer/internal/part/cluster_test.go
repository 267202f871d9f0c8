package part_test

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/rules"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// A cluster simulates the members of one partition. Messages take time, and get lost,
// duplicated and reordered when a connection breaks; members crash, pause and are cut
// off; and a configuration source that sees everything and obeys the rules of the view
// takes failed members out and new ones in.
type cluster struct {
	rand    *rand.Rand
	rules   rules.Set
	now     int64 // nanoseconds
	queue   events
	count   uint64
	members []*member // in the order of their coming; the dead ones, too
	links   map[[2]topology.ID]*link
	config  *topology.Config
	synced  topology.ID
	copies  int
	healthy bool
	quiet   bool // no more faults
	trace   []string
	tags    map[uint64]func(part.Result)
	nextTag uint64
	nextID  topology.ID
}

type member struct {
	id       topology.ID
	replica  *part.Replica
	lease    int64
	skew     time.Duration
	crashed  bool
	cut      bool
	paused   int64
	inbox    []func()
	adopted  *topology.Config
	suspect  bool
	contents map[uint64]bool // the tags of requests that it has not answered
}

type link struct {
	at    int64 // when the latest message arrives
	epoch int   // of the connection
}

type event struct {
	at int64
	n  uint64
	do func()
}

type events []event

func (q events) Len() int { return len(q) }
func (q events) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].n < q[j].n
}
func (q events) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *events) Push(x any)   { *q = append(*q, x.(event)) }
func (q *events) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

const (
	ms       = int64(time.Millisecond)
	leaseFor = 350 * ms
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func newCluster(seed uint64, removed rules.Set, members, copies int) *cluster {
	c := &cluster{rand: rand.New(rand.NewPCG(seed, 1)), rules: removed, now: int64(time.Second),
		links: map[[2]topology.ID]*link{}, copies: copies, tags: map[uint64]func(part.Result){}, nextID: 100}
	first := c.join()
	c.config = topology.Found(1, topology.Member{ID: first.id}, 1)
	c.adopt(first, c.config)
	for range members - 1 {
		c.join()
	}
	c.every(40*ms, c.supervise)
	return c
}

func (c *cluster) logf(format string, args ...any) {
	c.trace = append(c.trace, fmt.Sprintf("%7.1f ", float64(c.now)/float64(ms))+fmt.Sprintf(format, args...))
}

// A failure ends a simulation.
type failure string

func (c *cluster) fail(format string, args ...any) { panic(failure(fmt.Sprintf(format, args...))) }

func (c *cluster) after(d int64, do func()) {
	c.count++
	heap.Push(&c.queue, event{c.now + d, c.count, do})
}

func (c *cluster) every(d int64, do func()) {
	do()
	c.after(d, func() { c.every(d, do) })
}

func (c *cluster) run(d int64) {
	for end := c.now + d; len(c.queue) > 0 && c.queue[0].at <= end; {
		e := heap.Pop(&c.queue).(event)
		c.now = e.at
		e.do()
	}
}

// join starts an empty member.
func (c *cluster) join() *member {
	c.nextID += 7
	m := &member{id: c.nextID, skew: time.Duration(c.rand.IntN(400)-200) * time.Millisecond, contents: map[uint64]bool{}}
	m.replica = part.New(part.Options{Self: m.id, Rules: c.rules, Processors: func(string) part.Processor { return appendArgs }})
	c.members = append(c.members, m)
	c.every(50*ms, func() {
		c.inside(m, func(fx *part.Effects) { m.replica.Tick(c.time(m), fx) })
	})
	return m
}

// appendArgs appends the arguments to the record.
func appendArgs(present part.Found, args []byte) part.Decision {
	return part.Decision{Change: part.Store, Record: append(slices.Clone(present.Record), args...)}
}

func (c *cluster) time(m *member) part.Now {
	return part.Now{Mono: c.now, Wall: start.Add(time.Duration(c.now) + m.skew), Lease: m.lease}
}

// inside runs a step of a member, or has it wait while the member is paused.
func (c *cluster) inside(m *member, step func(*part.Effects)) {
	if m.crashed {
		return
	}
	if m.paused > c.now {
		m.inbox = append(m.inbox, func() { c.inside(m, step) })
		return
	}
	var fx part.Effects
	step(&fx)
	if err := m.replica.Recount(); err != nil {
		c.fail("member %d: %v", m.id, err)
	}
	for _, e := range fx.Send {
		c.send(m, e.To, e.Msg)
	}
	for _, reply := range fx.Replies {
		delete(m.contents, reply.Tag)
		done, ok := c.tags[reply.Tag]
		if !ok {
			c.fail("request %d is answered twice", reply.Tag)
		}
		delete(c.tags, reply.Tag)
		done(reply.Result)
	}
	if fx.Synced != 0 && c.config.Partitions[0].Primary == m.id && !m.cut {
		c.synced = fx.Synced
	}
}

func (c *cluster) find(id topology.ID) *member {
	for _, m := range c.members {
		if m.id == id {
			return m
		}
	}
	return nil
}

// send carries a message, through the codec.
func (c *cluster) send(from *member, to topology.ID, msg part.Message) {
	target := c.find(to)
	if target == nil || from.cut || target.cut {
		return
	}
	key := [2]topology.ID{from.id, to}
	l := c.links[key]
	if l == nil {
		l = &link{}
		c.links[key] = l
	}
	l.at = max(l.at, c.now+ms/2+c.rand.Int64N(8*ms))
	if c.rand.IntN(30) == 0 {
		l.at += c.rand.Int64N(60 * ms)
	}
	epoch := l.epoch
	frame := part.Append(nil, msg)
	deliver := func() {
		if target.crashed || target.cut || from.cut {
			return
		}
		parsed, err := part.Parse(frame)
		if err != nil {
			c.fail("%v", err)
		}
		c.inside(target, func(fx *part.Effects) { target.replica.Step(c.time(target), from.id, parsed, fx) })
	}
	c.after(l.at-c.now, func() {
		if l.epoch == epoch {
			deliver()
			return
		}
		switch c.rand.IntN(4) { // the connection broke meanwhile
		case 0:
			deliver()
		case 1: // it arrives after messages of the next connection, perhaps twice
			c.after(c.rand.Int64N(30*ms), deliver)
			if c.rand.IntN(2) == 0 {
				c.after(c.rand.Int64N(60*ms), deliver)
			}
		}
	})
}

// do sends a request to the primary that a random member knows.
func (c *cluster) do(req part.Request, done func(part.Result)) {
	via := c.members[c.rand.IntN(len(c.members))]
	if via.crashed || via.adopted == nil || via.cut && (c.quiet || c.rand.IntN(4) > 0) {
		via = c.find(c.config.Members[0].ID)
	}
	m := via
	if via.adopted != nil {
		m = c.find(via.adopted.Partitions[0].Primary)
	}
	if m.crashed || via.adopted == nil {
		c.after(ms, func() { done(part.Result{Status: part.NotPrimary}) })
		return
	}
	c.nextTag++
	req.Tag = c.nextTag
	c.tags[req.Tag] = done
	m.contents[req.Tag] = true
	c.inside(m, func(fx *part.Effects) {
		now := c.time(m)
		if req.Kind == part.Get && c.rand.IntN(2) == 0 {
			if found, status := m.replica.Get(now, req.Cache, req.Key); status == part.OK {
				fx.Replies = append(fx.Replies, part.Reply{Tag: req.Tag, Result: part.Result{Present: found}})
				return
			}
		}
		m.replica.Do(now, &req, fx)
		if c.rand.IntN(2) == 0 {
			m.replica.Flush(now, fx)
		} else {
			c.after(ms, func() {
				c.inside(m, func(fx *part.Effects) { m.replica.Flush(c.time(m), fx) })
			})
		}
	})
}
