package part_test

import (
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// A lab is a few replicas of one partition that are stepped by hand. Messages wait until
// they are delivered.
type lab struct {
	t        testing.TB
	mono     int64
	replicas map[topology.ID]*part.Replica
	config   *topology.Config
	fx       part.Effects
	mail     []mail
	replies  map[uint64]part.Result
	events   []part.Event
	synced   topology.ID
	silent   []topology.ID
	merged   bool
	restored topology.ID
	tag      uint64
	wall     time.Duration // by which the time of day is wrong
}

type mail struct {
	from, to topology.ID
	msg      part.Message
}

// newLab returns a cluster whose member 1 is primary.
func newLab(t testing.TB, o part.Options) *lab {
	return newLabOf(t, 1, o)
}

// newLabOf is newLab with another primary.
func newLabOf(t testing.TB, id topology.ID, o part.Options) *lab {
	l := &lab{t: t, mono: int64(time.Hour), replicas: map[topology.ID]*part.Replica{}, replies: map[uint64]part.Result{}}
	l.config = topology.Found(1, topology.Member{ID: id}, 1)
	l.add(id, o)
	l.configure()
	return l
}

func (l *lab) add(id topology.ID, o part.Options) *part.Replica {
	o.Self = id
	l.replicas[id] = part.New(o)
	return l.replicas[id]
}

func (l *lab) now() part.Now {
	return part.Now{Mono: l.mono, Wall: start.Add(time.Duration(l.mono) + l.wall), Lease: l.mono + int64(time.Second)}
}

// change makes the next configuration, which the given members adopt, or all.
func (l *lab) change(change func(p *topology.Partition), members ...topology.ID) {
	l.config = l.config.Clone()
	l.config.Stamp.Version++
	p := &l.config.Partitions[0]
	before := p.Primary
	change(p)
	p.Epoch = l.config.Stamp
	if p.Primary != before {
		p.Reign = l.config.Stamp
	}
	l.configure(members...)
}

func (l *lab) configure(members ...topology.ID) {
	if len(members) == 0 {
		for id := topology.ID(1); id < 100; id++ {
			members = append(members, id)
		}
	}
	for _, id := range members {
		if r := l.replicas[id]; r != nil {
			r.Configure(l.now(), l.config, &l.fx)
			l.collect(id)
		}
	}
}

// collect takes over what a step of a member asked for.
func (l *lab) collect(id topology.ID) {
	if err := l.replicas[id].Recount(); err != nil {
		l.t.Fatalf("member %d: %v", id, err)
	}
	for _, e := range l.fx.Send {
		l.mail = append(l.mail, mail{id, e.To, e.Msg})
	}
	for _, r := range l.fx.Replies {
		if _, ok := l.replies[r.Tag]; ok {
			l.t.Fatalf("request %d is answered twice", r.Tag)
		}
		l.replies[r.Tag] = r.Result
	}
	l.events = append(l.events, l.fx.Events...)
	if l.fx.Synced != 0 {
		l.synced = l.fx.Synced
	}
	l.silent = append(l.silent, l.fx.Silent...)
	l.merged = l.merged || l.fx.Merged
	if l.fx.Restored != 0 {
		l.restored = l.fx.Restored
	}
	l.fx.Reset()
}

// deliver delivers all messages and those that follow, but those that lose picks.
func (l *lab) deliver(lose ...func(mail) bool) {
	for len(l.mail) > 0 {
		m := l.mail[0]
		l.mail = l.mail[1:]
		lost := false
		for _, f := range lose {
			lost = lost || f(m)
		}
		if r := l.replicas[m.to]; r != nil && !lost {
			r.Step(l.now(), m.from, m.msg, &l.fx)
			l.collect(m.to)
		}
	}
}

// tick lets time pass, and ticks all members.
func (l *lab) tick(d time.Duration) {
	l.mono += int64(d)
	for id := topology.ID(1); id < 100; id++ {
		if r := l.replicas[id]; r != nil {
			r.Tick(l.now(), &l.fx)
			l.collect(id)
		}
	}
}

// pass lets time pass, with ticks but without messages.
func (l *lab) pass(d time.Duration) {
	for ; d > 0; d -= 50 * time.Millisecond {
		l.tick(50 * time.Millisecond)
	}
}

// begin sends a request to a member and returns its tag.
func (l *lab) begin(id topology.ID, req part.Request) uint64 {
	l.tag++
	req.Tag = l.tag
	if req.Expires == 0 {
		req.Expires = l.mono + int64(10*time.Second)
	}
	l.replicas[id].Do(l.now(), &req, &l.fx)
	l.replicas[id].Flush(l.now(), &l.fx)
	l.collect(id)
	return req.Tag
}

// do sends a request to a member, delivers everything and returns the result.
func (l *lab) do(id topology.ID, req part.Request) part.Result {
	l.t.Helper()
	tag := l.begin(id, req)
	l.deliver()
	res, ok := l.replies[tag]
	if !ok {
		l.t.Fatalf("%+v is not answered", req)
	}
	delete(l.replies, tag)
	return res
}

func (l *lab) put(id topology.ID, key, record string, ttl time.Duration) part.Result {
	l.t.Helper()
	res := l.do(id, part.Request{Kind: part.Put, Cache: "cache", Key: key, Record: []byte(record), TTL: ttl})
	if res.Status != part.OK {
		l.t.Fatalf("put %s: status %d", key, res.Status)
	}
	return res
}

// get returns a record, or "" if there is none.
func (l *lab) get(id topology.ID, key string) string {
	l.t.Helper()
	return string(l.do(id, part.Request{Kind: part.Get, Cache: "cache", Key: key}).Present.Record)
}

// teach makes a member a learner and then a member in sync.
func (l *lab) teach(id topology.ID) {
	l.t.Helper()
	l.synced = 0
	l.change(func(p *topology.Partition) { p.Learner = id })
	for range 100 {
		l.deliver()
		if l.synced == id {
			l.change(func(p *topology.Partition) { p.InSync, p.Learner = append(p.InSync, id), 0 })
			l.deliver()
			return
		}
		l.tick(50 * time.Millisecond)
	}
	l.t.Fatalf("member %d does not learn", id)
}

// same checks that members have equal contents.
func (l *lab) same(ids ...topology.ID) {
	l.t.Helper()
	want := l.replicas[ids[0]].Stats()
	for _, id := range ids[1:] {
		if got := l.replicas[id].Stats(); got.Digest != want.Digest || got.Entries != want.Entries {
			l.t.Errorf("member %d has %d entries with digest %x, member %d has %d with %x",
				id, got.Entries, got.Digest, ids[0], want.Entries, want.Digest)
		}
	}
}
