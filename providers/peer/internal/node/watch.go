package node

import (
	"context"
	"encoding/binary"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/wire"
)

// watchers are those of this process who want to know of changes. What happens at a
// partition's primary here they are told at once; members that are primaries elsewhere
// send it, numbered for each partition, and what is missing shows as a gap.
type watchers struct {
	mu    sync.Mutex
	list  atomic.Pointer[map[string][]*watcher] // by cache
	parts []stream
}

// stream is the state of a partition's events as they arrive here.
type stream struct {
	mu    sync.Mutex
	reign topology.Stamp
	n     uint64
}

type watcher struct {
	mu      sync.Mutex // held while on runs
	on      func(Event)
	stopped bool
}

// An Event is a change of a record, or a gap.
type Event struct {
	part.Event
	// Gap: changes were missed; any key may have changed.
	Gap bool
}

func (w *watchers) init(partitions int) {
	w.parts = make([]stream, partitions)
	w.list.Store(&map[string][]*watcher{})
}

func (w *watchers) of(cache string) []*watcher { return (*w.list.Load())[cache] }

// change edits the watchers of a cache.
func (w *watchers) change(cache string, edit func([]*watcher) []*watcher) {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := maps.Clone(*w.list.Load())
	if list := edit(slices.Clone(all[cache])); len(list) > 0 {
		all[cache] = list
	} else {
		delete(all, cache)
	}
	w.list.Store(&all)
}

func (w *watchers) tell(cache string, e Event) {
	for _, one := range w.of(cache) {
		one.tell(e)
	}
}

func (w *watcher) tell(e Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.stopped {
		w.on(e)
	}
}

// gap tells everybody that changes may have been missed.
func (w *watchers) gap() {
	for _, list := range *w.list.Load() {
		for _, one := range list {
			one.tell(Event{Gap: true})
		}
	}
}

// Watch calls on for each change of a cache, wherever it is made, from now until stop is
// called. Changes of one key come in order and one at a time. When stop returns, on is
// not running and will not be called again.
func (n *Node) Watch(ctx context.Context, cache string, on func(Event)) (stop func(), err error) {
	w := &watcher{on: on}
	n.watchers.change(cache, func(list []*watcher) []*watcher { return append(list, w) })
	stop = func() {
		n.watchers.change(cache, func(list []*watcher) []*watcher {
			return slices.DeleteFunc(list, func(other *watcher) bool { return other == w })
		})
		w.mu.Lock()
		defer w.mu.Unlock()
		w.stopped = true
	}
	for {
		l, changed := n.now()
		if l != nil && l.subscribe(ctx, cache) {
			return stop, nil
		}
		if ctx.Err() != nil {
			stop()
			return nil, ended(false, ctx.Err(), nil)
		}
		await(ctx, changed)
	}
}

// subscribe asks all members for the events of a cache, and reports whether all agreed.
func (l *life) subscribe(ctx context.Context, cache string) bool {
	c, peers := l.config.Load(), l.peers.Load()
	if c == nil || peers == nil {
		return false
	}
	for _, p := range *peers {
		if _, err := p.Call(ctx, wire.Data, typeSubscribe, []byte(cache)); err != nil {
			return false
		}
	}
	return l.config.Load() == c
}

// subscribeTo asks members that are new for what is watched here, and notes where
// events may have been missed.
func (l *life) subscribeTo(old, c *topology.Config) {
	w := &l.n.watchers
	all := *w.list.Load()
	lost := false
	for i := range c.Partitions {
		if w.parts[i].moved(c.Partitions[i].Reign) {
			lost = true
		}
	}
	if len(all) == 0 {
		return
	}
	for id, p := range *l.peers.Load() {
		if old == nil || !old.Has(id) {
			for cache := range all {
				// If it does not arrive there is no connection, and when there is one
				// again the member is not a new one, but its partitions are.
				_ = p.Post(wire.Data, typeSubscribe, []byte(cache))
			}
		}
	}
	if lost && old != nil {
		w.gap()
	}
}

// moved notes that a partition has another primary, and reports whether that is news.
func (s *stream) moved(reign topology.Stamp) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reign.Compare(reign) >= 0 {
		return false
	}
	s.reign, s.n = reign, 0
	return true
}

// subscribers are the members that want the events of a cache.
type subscribers struct {
	mu   sync.Mutex
	list atomic.Pointer[map[string][]topology.ID]
}

func (s *subscribers) of(cache string) []topology.ID {
	if list := s.list.Load(); list != nil {
		return (*list)[cache]
	}
	return nil
}

func (s *subscribers) add(cache string, id topology.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[string][]topology.ID)
	if list := s.list.Load(); list != nil {
		all = maps.Clone(*list)
	}
	if !slices.Contains(all[cache], id) {
		all[cache] = append(slices.Clone(all[cache]), id)
	}
	s.list.Store(&all)
}

// retain forgets who is not a member any more.
func (s *subscribers) retain(c *topology.Config) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.list.Load()
	if list == nil {
		return
	}
	all := make(map[string][]topology.ID)
	for cache, ids := range *list {
		if ids = slices.DeleteFunc(slices.Clone(ids), func(id topology.ID) bool { return !c.Has(id) }); len(ids) > 0 {
			all[cache] = ids
		}
	}
	s.list.Store(&all)
}

func (l *life) takeSubscribe(from *wire.Hello, body []byte, r wire.Responder) {
	l.subs.add(string(body), from.ID)
	_ = r.Reply(nil)
}

// sentEvents counts what a partition has sent to each subscriber in a reign.
type sentEvents struct {
	reign topology.Stamp
	n     map[topology.ID]uint64
}

// next returns the number of the next message to a subscriber.
func (e *sentEvents) next(reign topology.Stamp, to topology.ID) uint64 {
	if e.reign != reign || e.n == nil {
		e.reign, e.n = reign, make(map[topology.ID]uint64)
	}
	e.n[to]++
	return e.n[to]
}

// tell tells everybody who watches of a partition's events. s.mu is held, which keeps the
// events of a key in order.
func (s *slot) tell(events []part.Event) {
	c := s.l.config.Load()
	for i := range events {
		e := &events[i]
		s.l.n.watchers.tell(e.Cache, Event{Event: *e})
		if c == nil {
			continue
		}
		reign := c.Partitions[s.number].Reign
		for _, id := range s.l.subs.of(e.Cache) {
			s.buffer = appendEvent(s.buffer[:0], s.number, reign, s.events.next(reign, id), e)
			_ = s.l.peer(id, "").Post(wire.Data, typeEvents, s.buffer) // what is lost shows in the numbers
		}
	}
}

func (l *life) takeEvents(from *wire.Hello, body []byte, _ wire.Responder) {
	partition, reign, n, e, err := parseEvent(body)
	if err == nil && partition >= len(l.slots) {
		err = errNoPartition
	}
	if err != nil {
		l.n.opts.Logger.Warn("peer: an event cannot be read", "from", from.Addr, "err", err)
		return
	}
	w := &l.n.watchers
	s := &w.parts[partition]
	s.mu.Lock()
	defer s.mu.Unlock()
	if reign.Less(s.reign) {
		return // that it was missed has been told
	}
	// Under a new reign the last events of the one before may not have come. The numbers
	// count the events of all caches.
	missed := reign != s.reign || n != s.n+1
	s.reign, s.n = reign, n
	if missed {
		w.gap()
	}
	w.tell(e.Cache, Event{Event: *e})
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
