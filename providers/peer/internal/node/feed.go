package node

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/wire"
)

const (
	// renewEvery is how often the subscriptions are renewed, or after a failure
	// renewSoon, and renewWait how long a member may take to answer.
	renewEvery = time.Second
	renewSoon  = 100 * time.Millisecond
	renewWait  = time.Second
	// freshFor is how long what all members confirmed counts: until the next renewal
	// and its answers.
	freshFor = renewEvery + renewWait
)

// feeds are the events that come from the members, each of which has a subscription of
// this process. A subscription belongs to the connection on which it was asked for: what
// a member has queued there arrives in order, and whatever ends one ends the other. Each
// is renewed every second; where one had ended, another one begins, and what was missed in
// between is a gap.
type feeds struct {
	l     *life
	wake  chan struct{}
	parts []stream

	mu    sync.Mutex
	list  map[topology.ID]*feed
	fresh int64 // until when it is certain that nothing was missed
}

// A stream is the events of a partition, whoever its primary is.
type stream struct {
	mu    sync.Mutex // held while watchers are told
	reign topology.Stamp
}

// A feed is the subscription at a member.
type feed struct {
	session uint64
	agreed  bool     // the member has it
	n       []uint64 // of the last event, by partition; each belongs to its stream
}

func (f *feeds) init(l *life) {
	f.l, f.wake, f.list = l, make(chan struct{}, 1), make(map[topology.ID]*feed)
	f.parts = make([]stream, l.n.opts.Partitions)
}

// run renews the subscriptions until ctx ends.
func (f *feeds) run(ctx context.Context) {
	f.l.wire.Watch(f.connection)
	timer := time.NewTimer(renewEvery)
	defer timer.Stop()
	for {
		next := renewEvery
		if !f.renew(ctx) {
			next = renewSoon
		}
		timer.Reset(next)
		select {
		case <-timer.C:
		case <-f.wake:
		case <-ctx.Done():
			return
		}
	}
}

// renewNow renews the subscriptions at once.
func (f *feeds) renewNow() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// connection notes that a connection broke, and a subscription with it.
func (f *feeds) connection(e wire.Event) {
	if e.Kind != wire.Broken || e.Class != wire.Data {
		return
	}
	f.mu.Lock()
	known := f.list[e.ID] != nil
	if known {
		f.fresh = 0
	}
	f.mu.Unlock()
	if known {
		f.renewNow()
	}
}

// adopt takes in another configuration, before any event of it. Where a partition has
// another primary, the last events of the one before may never come.
func (f *feeds) adopt(old, c *topology.Config) {
	missed := false
	related := old == nil || c.Follows(old)
	for i := range c.Partitions {
		if f.parts[i].moved(c.Partitions[i].Reign, related) {
			missed = true
		}
	}
	f.mu.Lock()
	f.fresh = 0
	for id := range f.list {
		if !c.Has(id) {
			delete(f.list, id)
		}
	}
	f.mu.Unlock()
	if missed && old != nil {
		f.l.n.watchers.gap()
	}
	f.renewNow()
}

// moved notes the reign of a partition, and reports whether it is another one than was
// known. Of a cluster that comes from the one before it is never older.
func (s *stream) moved(reign topology.Stamp, related bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reign == reign || related && reign.Less(s.reign) {
		return false
	}
	s.reign = reign
	return true
}

// renew renews the subscriptions at all members, and reports whether all have agreed.
func (f *feeds) renew(ctx context.Context) bool {
	l := f.l
	began := l.mono()
	caches, waiting := l.n.watchers.wanted()
	c := l.config.Load()
	switch {
	case c == nil:
		return true // the first configuration renews them
	case len(caches) == 0:
		f.mu.Lock()
		defer f.mu.Unlock()
		clear(f.list) // the members forget it
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, renewWait)
	defer cancel()
	var wanted []byte
	for cache, keysOnly := range caches {
		wanted = appendWish(wanted, cache, keysOnly)
	}
	var failed atomic.Bool
	var work sync.WaitGroup
	for _, p := range *l.peers.Load() {
		work.Go(func() {
			if !f.renewAt(ctx, p, c, wanted) {
				failed.Store(true)
			}
		})
	}
	work.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	if failed.Load() || l.config.Load() != c {
		return false
	}
	f.fresh = began + int64(freshFor)
	for _, w := range waiting {
		w.begin()
	}
	return true
}

// renewAt renews the subscription at a member, or begins one there.
func (f *feeds) renewAt(ctx context.Context, p *wire.Peer, c *topology.Config, wanted []byte) bool {
	for {
		fd, begins := f.feed(p.ID)
		answer, err := p.Call(ctx, wire.Data, typeSubscribe, appendSession(nil, fd.session, begins), wanted)
		var known bool
		var lineage uint64
		var stamp topology.Stamp
		if err == nil {
			known, lineage, stamp, err = parseAgreement(answer)
		}
		switch {
		case err != nil && begins, err == nil && !known:
			f.drop(p.ID, fd)
		}
		switch {
		case err != nil || begins && !known:
			f.l.doubt(0)
			return false
		case !known:
			continue
		}
		f.agree(p.ID, fd, begins)
		if lineage != c.Lineage || c.Stamp.Less(stamp) {
			f.l.doubt(p.ID)
			return false
		}
		return true
	}
}

// feed returns the subscription at a member, and whether it must begin.
func (f *feeds) feed(id topology.ID) (fd *feed, begins bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if fd = f.list[id]; fd == nil {
		fd = &feed{session: rand.Uint64(), n: make([]uint64, len(f.parts))}
		f.list[id] = fd
	}
	return fd, !fd.agreed
}

func (f *feeds) drop(id topology.ID, fd *feed) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.list[id] == fd {
		delete(f.list, id)
	}
}

// agree notes that a member has a subscription. What it executed as a primary before it
// had it was missed.
func (f *feeds) agree(id topology.ID, fd *feed, begins bool) {
	f.mu.Lock()
	fd.agreed = true
	f.mu.Unlock()
	c := f.l.config.Load()
	if begins && slices.ContainsFunc(c.Partitions, func(p topology.Partition) bool { return p.Primary == id }) {
		f.l.n.watchers.gap()
	}
}

// Fresh reports whether every member has confirmed that this process was told of all
// changes that it watches, up to two seconds ago at the most.
func (n *Node) Fresh() bool {
	l, _ := n.now()
	if l == nil {
		return false
	}
	l.feeds.mu.Lock()
	defer l.feeds.mu.Unlock()
	return l.mono() < l.feeds.fresh
}

func (l *life) takeEvents(from *wire.Hello, body []byte, _ wire.Responder) {
	p := parser{b: body}
	session := p.uint(1<<64 - 1)
	partition, reign, n, e, err := parseEvent(p.b)
	if err == nil && partition >= len(l.feeds.parts) {
		err = errNoPartition
	}
	if err != nil {
		l.n.opts.Logger.Warn("peer: an event cannot be read", "from", from.Addr, "err", err)
		return
	}
	s := &l.feeds.parts[partition]
	s.mu.Lock()
	defer s.mu.Unlock()
	fd := l.feeds.of(from.ID, session)
	if fd == nil || reign.Less(s.reign) {
		return // that it was missed has been told
	}
	// Under a new reign the last events of the one before may not have come. The numbers
	// count the events of all caches.
	missed := reign != s.reign || n != fd.n[partition]+1
	s.reign, fd.n[partition] = reign, n
	w := &l.n.watchers
	if missed {
		w.gap()
	}
	w.tell(e.Cache, Event{Event: *e})
}

// of returns the subscription at a member if it is still the one of a session.
func (f *feeds) of(id topology.ID, session uint64) *feed {
	f.mu.Lock()
	defer f.mu.Unlock()
	if fd := f.list[id]; fd != nil && fd.session == session {
		return fd
	}
	return nil
}

func appendSession(b []byte, session uint64, begins bool) []byte {
	return appendBool(binary.AppendUvarint(b, session), begins)
}

func appendWish(b []byte, cache string, keysOnly bool) []byte {
	return appendBool(appendText(b, cache), keysOnly)
}

func appendAgreement(b []byte, known bool, c *topology.Config) []byte {
	b = appendBool(b, known)
	b = binary.AppendUvarint(b, c.Lineage)
	b = binary.AppendUvarint(b, c.Stamp.Term)
	return binary.AppendUvarint(b, c.Stamp.Version)
}

func parseAgreement(b []byte) (known bool, lineage uint64, stamp topology.Stamp, err error) {
	p := parser{b: b}
	known = p.byte() != 0
	lineage = p.uint(1<<64 - 1)
	stamp = topology.Stamp{Term: p.uint(1<<64 - 1), Version: p.uint(1<<64 - 1)}
	if p.bad {
		return false, 0, stamp, errMalformed
	}
	return known, lineage, stamp, nil
}
