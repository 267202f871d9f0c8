package node

import (
	"context"
	"encoding/binary"
	"errors"
	"maps"
	"math/rand/v2"
	"sync"
	"syscall"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/wire"
)

// Processes that start together begin one cluster. Whoever begins it has asked everybody whom it
// has met, and everybody whom these have met, and all have agreed. Each of them has tried the
// addresses of the others before it agrees, and agrees to one process at a time. So two that begin
// have met nobody in common: they cannot reach any address at which the other one could be found.

const (
	// slowness is how many times as long as for others is waited for somebody who
	// listens and does not answer, or who should begin and does not.
	slowness = 3

	// rebornSlowness is how many times as long as others a process that had to come back
	// empty looks for the cluster that went on without it.
	rebornSlowness = 10

	// maxMet bounds the processes that an answer names.
	maxMet = 1024
)

// A founding is what a process that is no member yet knows of who begins the cluster. The lock of
// the view guards it.
type founding struct {
	began    bool  // to look for others; before that nothing is agreed to
	met      int64 // when somebody was met first
	asking   bool  // this process asks the others whether it may
	again    int64 // when it may ask again
	agreedTo topology.ID
	until    int64 // the end of the agreement
}

func (f *founding) meet(now int64) {
	if f.met == 0 {
		f.met = now
	}
}

// agree agrees that a process begins, unless another one may. Of two that ask at the same time, the
// one with the smaller ID may.
func (f *founding) agree(now int64, to, self topology.ID, until int64) bool {
	if f.agreedTo != to && now < f.until && (f.agreedTo != self || self < to) {
		return false
	}
	f.agreedTo, f.until = to, until
	return true
}

func (f *founding) withdraw(from topology.ID) {
	if f.agreedTo == from {
		f.agreedTo, f.until = 0, 0
	}
}

// foundIfDue begins a cluster, or asks those who were met whether this process may, if it is time to.
// m.mu is held.
func (m *membership) foundIfDue(ctx context.Context, now int64) {
	f := &m.founding
	if m.view.Config() != nil || f.asking || now < f.again || !m.mayFound(now) || !f.agree(now, m.self.ID, m.self.ID, now+m.agreement()) {
		return
	}
	if len(m.agent.Alive()) == 0 {
		m.view.Found(now, &m.fx)
		return
	}
	f.asking = true
	m.work.Go(func() { m.askToFound(ctx) })
}

// agreement is for how long somebody who is agreed to may begin. Those who ask give up after half of it.
func (m *membership) agreement() int64 { return 2 * int64(m.n.opts.Startup) }

// mayFound reports whether it is time to begin a cluster. It is not while there is one that
// this process should be in: an empty one beside it would say that nothing is there.
func (m *membership) mayFound(now int64) bool {
	alive := m.agent.Alive()
	first := true // among those who were met
	for id, meta := range alive {
		if meta.Joined {
			return false
		}
		first = first && m.self.ID < id
	}
	startup := int64(m.n.opts.Startup)
	switch {
	case m.rejected.Load() != nil:
		return false
	case m.agent.Alone() && m.agent.Findable():
		return true
	case !m.searched(now):
		return false
	case m.reborn:
		return len(alive) == 0 && now > rebornSlowness*startup
	case now > startup && (first || now > slowness*startup):
		return true
	}
	return first && m.founding.met != 0 && now-m.founding.met > startup/2
}

// searched reports whether this process has met everybody who could be met when it began to look.
func (m *membership) searched(now int64) bool {
	return m.agent.Answered() || now >= slowness*int64(m.n.opts.Startup)
}

// askToFound asks everybody who was met, here or by one of them, and begins the cluster if all agree.
func (m *membership) askToFound(ctx context.Context) {
	limit, cancel := context.WithTimeout(ctx, m.n.opts.Startup)
	defer cancel()
	asked := make(map[topology.ID]string)
	agreed := true
	for ask := m.alive(); agreed && len(ask) > 0; {
		maps.Copy(asked, ask)
		var theirs map[topology.ID]string
		theirs, agreed = m.askAll(limit, ask)
		maps.Copy(theirs, m.alive())
		maps.DeleteFunc(theirs, func(id topology.ID, _ string) bool { return id == m.self.ID || asked[id] != "" })
		ask = theirs
	}
	founded := false
	m.step(func(now int64) {
		f := &m.founding
		f.asking = false
		if agreed && limit.Err() == nil && m.view.Config() == nil && f.agreedTo == m.self.ID {
			m.view.Found(now, &m.fx)
			founded = true
			return
		}
		f.withdraw(m.self.ID)
		f.again = now + rand.Int64N(int64(m.n.opts.Startup)/4+1)
	})
	if founded {
		return
	}
	for id, addr := range asked {
		_ = m.wire.Peer(id, addr).Post(wire.Control, typeFound, appendBool(nil, false)) // else the agreement ends by itself
	}
}

// alive returns where those are who were met.
func (m *membership) alive() map[topology.ID]string {
	addrs := make(map[topology.ID]string)
	for id, meta := range m.agent.Alive() {
		addrs[id] = meta.Addr
	}
	return addrs
}

// askAll asks some processes at once. It returns whom they have met, and whether all agree.
func (m *membership) askAll(ctx context.Context, ask map[topology.ID]string) (met map[topology.ID]string, agreed bool) {
	var mu sync.Mutex
	met, agreed = make(map[topology.ID]string), true
	var work sync.WaitGroup
	for id, addr := range ask {
		work.Go(func() {
			theirs, ok := m.askOne(ctx, id, addr)
			mu.Lock()
			defer mu.Unlock()
			maps.Copy(met, theirs)
			agreed = agreed && ok
		})
	}
	work.Wait()
	return met, agreed
}

// askOne asks one process. One that has ended, or is of a version that does not know the question, agrees.
func (m *membership) askOne(ctx context.Context, id topology.ID, addr string) (met map[topology.ID]string, agreed bool) {
	answer, err := m.wire.Peer(id, addr).Call(ctx, wire.Control, typeFound, appendBool(nil, true))
	switch {
	case errors.Is(err, wire.ErrUnknownType), errors.Is(err, wire.ErrReplaced), errors.Is(err, syscall.ECONNREFUSED):
		return nil, true
	case err != nil:
		return nil, false
	}
	return parseAgreed(answer)
}

// takeFound answers whether somebody may begin the cluster, or takes note that it does not.
func (m *membership) takeFound(from *wire.Hello, body []byte, r wire.Responder) {
	p := parser{b: body}
	asks, agreed := p.byte() != 0, false
	m.mu.Lock()
	defer m.mu.Unlock()
	if p.bad || !m.founding.began {
		_ = r.Reply(appendAgreed(nil, false, nil)) // it is short enough
		return
	}
	now := m.mono()
	switch {
	case !asks:
		m.founding.withdraw(from.ID)
	case m.view.Config() == nil && m.searched(now):
		agreed = m.founding.agree(now, from.ID, m.self.ID, now+m.agreement())
	}
	_ = r.Reply(appendAgreed(nil, agreed, m.alive())) // likewise
}

func appendAgreed(b []byte, agreed bool, met map[topology.ID]string) []byte {
	b = appendBool(b, agreed)
	b = binary.AppendUvarint(b, uint64(min(len(met), maxMet)))
	left := maxMet
	for id, addr := range met {
		if left--; left < 0 {
			break
		}
		b = binary.AppendUvarint(b, uint64(id))
		b = appendText(b, addr)
	}
	return b
}

func parseAgreed(b []byte) (met map[topology.ID]string, agreed bool) {
	p := parser{b: b}
	agreed = p.byte() != 0
	met = make(map[topology.ID]string)
	for range p.uint(maxMet) {
		id := topology.ID(p.uint(1<<64 - 1))
		if addr := p.text(); id != 0 && addr != "" {
			met[id] = addr
		}
		if p.bad {
			break
		}
	}
	return met, agreed && !p.bad
}
