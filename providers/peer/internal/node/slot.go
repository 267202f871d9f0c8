package node

import (
	"bytes"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/view"
)

// A slot is a partition's place in this process: its replica and what belongs to it.
type slot struct {
	m      *membership
	number int
	lease  atomic.Int64

	mu      sync.RWMutex
	replica *part.Replica
	epoch   topology.Stamp // of the partition, as the replica knows it
	fx      part.Effects
	tag     uint64
	waiting map[uint64]waiter
	early   []early
	earlyAt int64 // when the first of them came
	buffer  []byte
	offered topology.ID // to whom the contents are offered
}

// early is a message of a configuration that has not arrived here yet, or one that came
// after such a message from the same member.
type early struct {
	from    topology.ID
	encoded []byte
}

// What waits for a configuration is bounded, in number and in time. What is dropped is
// sent again by its sender.
const (
	maxEarly  = 64
	earlyWait = int64(500 * time.Millisecond)
)

func (s *slot) init(m *membership, number int) {
	o := m.n.opts.Replica
	o.Self, o.Partition, o.Origin = m.self.ID, number, m.born.UnixMicro()
	o.Leased = m.n.opts.Split != view.All
	o.Brief = view.MaxSkew + 3*m.n.opts.Silence // a fork lies that far back when it is noticed
	s.m, s.number, s.replica = m, number, part.New(o)
	s.waiting = make(map[uint64]waiter)
	s.lease.Store(-1)
}

// now returns the time of a step.
func (s *slot) now() part.Now {
	t := time.Now()
	return part.Now{Mono: s.m.since(t), Wall: s.m.n.wall(t), Lease: s.lease.Load()}
}

// do runs a step of the replica and carries out its effects.
func (s *slot) do(step func(now part.Now)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	step(s.now())
	s.finish()
}

func (s *slot) promise(term uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replica.Promise(term)
}

func (s *slot) configure(c *topology.Config) {
	s.do(func(now part.Now) {
		s.epoch = c.Partitions[s.number].Epoch
		s.replica.Configure(now, c, &s.fx)
		waiting := s.early
		s.early = nil
		for _, e := range waiting {
			if msg, err := part.Parse(e.encoded); err == nil { // it was parsed before
				s.replica.Step(now, e.from, msg, &s.fx)
			}
		}
	})
}

func (s *slot) tick() {
	s.do(func(now part.Now) {
		if len(s.early) > 0 && now.Mono-s.earlyAt > earlyWait {
			s.early = nil
		}
		s.replica.Tick(now, &s.fx)
	})
}

// step gives the replica a message, which is a view of its encoding, unless the
// configuration that it belongs to has not arrived: it is on its way, and comes from
// another member.
func (s *slot) step(from topology.ID, msg part.Message, encoded []byte) {
	s.do(func(now part.Now) {
		switch {
		case !s.isEarly(from, msg):
			s.replica.Step(now, from, msg, &s.fx)
		case len(s.early) < maxEarly:
			if len(s.early) == 0 {
				s.earlyAt = now.Mono
			}
			s.early = append(s.early, early{from, bytes.Clone(encoded)})
		}
	})
}

func (s *slot) isEarly(from topology.ID, msg part.Message) bool {
	if epoch, ok := part.EpochOf(msg); ok && s.epoch.Less(epoch) {
		return true
	}
	return slices.ContainsFunc(s.early, func(e early) bool { return e.from == from })
}

// offer gives the contents to another cluster, or stops that.
func (s *slot) offer(o view.Offer) {
	s.do(func(now part.Now) {
		s.offered = o.To
		if o.To == 0 {
			s.replica.CancelOffer()
			return
		}
		s.replica.Offer(now, o.To, part.Version(o.Common), o.Whole, &s.fx)
	})
}

// exposed reports whether acknowledged writes are on fewer members than they should be.
func (s *slot) exposed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.replica.Exposed()
}

// close answers whoever waits.
func (s *slot) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replica.Close(&s.fx)
	s.finish()
	s.excuse()
}

// dismiss tells whoever waits to ask the member that has taken over.
func (s *slot) dismiss() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replica.GiveUp(&s.fx)
	s.finish()
	s.excuse()
}

// excuse answers whoever waits that the outcome is not known here.
func (s *slot) excuse() {
	for tag, w := range s.waiting {
		delete(s.waiting, tag)
		w.answer(&part.Result{Status: part.Unknown})
	}
}

// finish carries out the effects of a step. s.mu is held, so that messages leave in the
// order of the steps.
func (s *slot) finish() {
	fx := &s.fx
	for i := range fx.Send {
		s.buffer = s.m.sendPart(s.buffer, fx.Send[i])
	}
	for i := range fx.Replies {
		r := &fx.Replies[i]
		if w, ok := s.waiting[r.Tag]; ok {
			delete(s.waiting, r.Tag)
			w.answer(&r.Result)
		}
	}
	if len(fx.Events) > 0 {
		s.tell(fx.Events)
	}
	if fx.Synced != 0 || len(fx.Silent) > 0 || fx.Merged || fx.Restored != 0 {
		s.report(fx)
	}
	fx.Reset()
}

// report tells the view what the replica found.
func (s *slot) report(fx *part.Effects) {
	p := s.number
	if fx.Merged {
		to := s.offered
		s.m.found.add(func(now int64, m *view.Machine) { m.Merged(now, p, to) })
	}
	c := s.m.config.Load()
	if c == nil {
		return
	}
	epoch := c.Partitions[p].Epoch
	if learner := fx.Synced; learner != 0 {
		s.m.found.add(func(now int64, m *view.Machine) { m.Synced(now, p, epoch, learner) })
	}
	if by := fx.Restored; by != 0 {
		s.m.found.add(func(now int64, m *view.Machine) { m.Restored(now, p, epoch, by) })
	}
	for _, id := range fx.Silent {
		s.m.found.add(func(now int64, m *view.Machine) { m.Silent(now, p, epoch, id) })
	}
}
