package sim

import (
	"slices"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
)

// A scanner goes through a cache, page by page and at its leisure, again and again. Some of
// the keys are always there, each of which it must meet once; others come and go.
type scanner struct {
	clients *clients
	client  int
	stored  []int // keys that are always there, so far

	partition int
	always    []int // of stored, those of the partition when the scan began
	seen      []string
	cursor    uint64
	attempt   int
	scans     int // that were completed
}

const (
	scanCache = "scanned"
	fixtures  = 6 // keys that are always there
	transient = 4 // keys that come and go
	pageSize  = 2
)

// A scanRequest asks a primary for a page, and a page is its answer.
type scanRequest struct {
	scanner *scanner
	attempt int
	from    *member
}

type page struct {
	scanner *scanner
	attempt int
	items   []part.Item
	next    uint64
	status  part.Status
}

// key returns the key of a number, after those of other clients.
func (s *scanner) key(n int) int { return s.clients.world.scenario.Keys + 2 + n }

// write stores the keys that stay, and then stores and deletes the others.
func (s *scanner) write() {
	w := s.clients.world
	if w.calm {
		return
	}
	n := len(s.stored)
	if n == fixtures {
		n += w.IntN(transient)
	}
	o := s.clients.newOp(s.client, s.key(n))
	if o == nil {
		w.after(50*ms, s.write)
		return
	}
	s.clients.value++
	o.kind, o.cache, o.value = part.Put, scanCache, s.clients.value
	if n >= fixtures && w.IntN(2) == 0 {
		o.kind, o.value = part.Delete, 0
	}
	o.done = func(o *op) {
		if len(s.stored) < fixtures && o.outcome == done {
			s.stored = append(s.stored, o.key)
		}
		w.after(w.between(20*ms, 200*ms), s.write)
	}
	s.clients.open(o)
}

// begin starts a scan.
func (s *scanner) begin() {
	w := s.clients.world
	s.partition, s.cursor, s.seen = w.IntN(w.scenario.Partitions), 0, nil
	s.always = slices.DeleteFunc(slices.Clone(s.stored), func(key int) bool { return w.partition(key) != s.partition })
	s.ask()
}

// ask asks for the next page, until it comes.
func (s *scanner) ask() {
	w := s.clients.world
	if w.calm {
		return
	}
	s.attempt++
	attempt := s.attempt
	w.after(300*ms, func() {
		if s.attempt == attempt {
			s.ask()
		}
	})
	if list := w.running(); len(list) > 0 {
		m := list[w.IntN(len(list))]
		if c := m.view.Config(); c != nil && m.host.pausedTil <= w.now {
			w.send(m, w.members[c.Partitions[s.partition].Primary], &scanRequest{s, attempt, m})
		}
	}
}

// scan answers a request for a page.
func (m *member) scan(msg *scanRequest) {
	p := msg.scanner.partition
	items, next, status := m.parts[p].Scan(m.time(p), scanCache, msg.scanner.cursor, pageSize)
	m.world.send(m, msg.from, &page{msg.scanner, msg.attempt, items, next, status})
}

// turn takes in a page.
func (s *scanner) turn(p *page) {
	w := s.clients.world
	if p.attempt != s.attempt {
		return
	}
	if p.status != part.OK {
		s.attempt++
		w.after(20*ms, s.ask)
		return
	}
	for i := range p.items {
		s.seen = append(s.seen, p.items[i].Key)
	}
	s.attempt++
	if s.cursor = p.next; s.cursor != 0 {
		w.after(w.between(0, 200*ms), s.ask)
		return
	}
	s.scans++
	s.check()
	w.after(w.between(0, 50*ms), s.begin)
}

// check looks at what a scan has met.
func (s *scanner) check() {
	slices.Sort(s.seen)
	if once := slices.Compact(slices.Clone(s.seen)); len(once) != len(s.seen) {
		s.clients.world.watch.fail("a scan of partition %d meets a key twice: %v", s.partition, s.seen)
	}
	for _, key := range s.always {
		if !slices.Contains(s.seen, keyName(key)) {
			s.clients.world.watch.fail("a scan of partition %d has not met %s, which was always there: %v", s.partition, keyName(key), s.seen)
		}
	}
}
