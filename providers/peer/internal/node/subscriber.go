package node

import (
	"encoding/binary"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/wire"
)

// lapse is how long a subscription lasts that is not renewed.
const lapse = int64(5 * time.Second)

// subscribers are the processes, members or clients, that want the events of the
// partitions of which this one is the primary.
type subscribers struct {
	mu      sync.Mutex
	all     map[topology.ID]*subscriber
	byCache atomic.Pointer[map[string][]interest]
}

// A subscriber is a process with a subscription.
type subscriber struct {
	session uint64
	back    wire.Backchannel
	caches  map[string]bool // those that it watches, and of each whether the keys suffice
	renewed int64
	sent    []uint64    // events, by partition; each belongs to the partition's slot
	lost    atomic.Bool // an event could not be queued: the subscription has ended
}

// An interest is that of a subscriber in a cache.
type interest struct {
	*subscriber
	keysOnly bool
}

func (s *subscribers) of(cache string) []interest {
	if all := s.byCache.Load(); all != nil {
		return (*all)[cache]
	}
	return nil
}

// renew renews a subscription, or begins one, and reports whether that was possible: it
// cannot go on if it ended before.
func (s *subscribers) renew(id topology.ID, begins bool, next *subscriber) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if begins {
		if s.all == nil {
			s.all = make(map[topology.ID]*subscriber)
		}
		s.all[id] = next
		s.sort()
		return true
	}
	present := s.all[id]
	if present == nil || present.session != next.session || present.back != next.back || present.lost.Load() {
		return false
	}
	present.renewed = next.renewed
	if !maps.Equal(present.caches, next.caches) {
		present.caches = next.caches
		s.sort()
	}
	return true
}

// sort makes what is looked up from what is known. s.mu is held.
func (s *subscribers) sort() {
	all := make(map[string][]interest)
	for _, one := range s.all {
		for cache, keysOnly := range one.caches {
			all[cache] = append(all[cache], interest{one, keysOnly})
		}
	}
	s.byCache.Store(&all)
}

// prune forgets the subscriptions that ended.
func (s *subscribers) prune(now int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.all)
	maps.DeleteFunc(s.all, func(_ topology.ID, one *subscriber) bool {
		return one.lost.Load() || now-one.renewed > lapse
	})
	if len(s.all) < before {
		s.sort()
	}
}

func (m *membership) takeSubscribe(from *wire.Hello, body []byte, r wire.Responder) {
	p := parser{b: body}
	next := &subscriber{session: p.uint(1<<64 - 1), back: r.Backchannel(), caches: make(map[string]bool), renewed: m.mono()}
	begins := p.byte() != 0
	for !p.bad && len(p.b) > 0 {
		cache := p.text()
		next.caches[cache] = p.byte() != 0
	}
	c := m.config.Load()
	if p.bad || c == nil {
		_ = r.Reply(nil) // which is no agreement; it is short enough
		return
	}
	if begins {
		next.sent = make([]uint64, len(m.slots))
	}
	_ = r.Reply(appendAgreement(nil, m.subs.renew(from.ID, begins, next), c)) // likewise
}

// tell tells everybody who watches of a partition's events. s.mu is held, which keeps the
// events of a key in order.
func (s *slot) tell(events []part.Event) {
	c := s.m.config.Load()
	for i := range events {
		e := &events[i]
		s.m.n.watchers.tell(e.Cache, Event{Event: *e})
		if c == nil {
			continue
		}
		reign := c.Partitions[s.number].Reign
		for _, to := range s.m.subs.of(e.Cache) {
			s.buffer = to.send(s.buffer, s.number, reign, e)
		}
	}
}

// send sends an event, and returns the buffer that it used.
func (i interest) send(buffer []byte, partition int, reign topology.Stamp, e *part.Event) []byte {
	if i.lost.Load() {
		return buffer
	}
	if i.keysOnly {
		key := *e
		key.Record, key.Old = nil, nil
		e = &key
	}
	i.sent[partition]++
	buffer = binary.AppendUvarint(buffer[:0], i.session)
	buffer = appendEvent(buffer, partition, reign, i.sent[partition], e)
	if i.back.Post(typeEvents, buffer) != nil {
		i.lost.Store(true)
	}
	return buffer
}

func appendEvent(b []byte, partition int, reign topology.Stamp, n uint64, e *part.Event) []byte {
	b = binary.AppendUvarint(b, uint64(partition))
	b = binary.AppendUvarint(b, reign.Term)
	b = binary.AppendUvarint(b, reign.Version)
	b = binary.AppendUvarint(b, n)
	b = append(b, byte(e.Kind), byte(e.Cause))
	b = appendText(b, e.Cache)
	b = appendText(b, e.Key)
	b = binary.AppendUvarint(b, uint64(e.Version))
	b = appendRecord(b, e.Record)
	return appendRecord(b, e.Old)
}

func parseEvent(b []byte) (partition int, reign topology.Stamp, n uint64, e *part.Event, err error) {
	p := parser{b: b}
	partition = int(p.uint(1 << 20))
	reign = topology.Stamp{Term: p.uint(1<<64 - 1), Version: p.uint(1<<64 - 1)}
	n = p.uint(1<<64 - 1)
	e = &part.Event{Kind: part.ItemKind(p.byte()), Cause: part.Cause(p.byte()), Cache: p.text(), Key: p.text(),
		Version: part.Version(p.uint(1<<64 - 1)), Record: p.record(), Old: p.record()}
	if p.bad {
		return 0, reign, 0, nil, errMalformed
	}
	return partition, reign, n, e, nil
}
