package hazelcast

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	hzcluster "github.com/hazelcast/hazelcast-go-client/cluster"
	"github.com/hazelcast/hazelcast-go-client/types"
)

// A signal tells a goroutine that something has happened, and not how often.
type signal chan struct{}

// signal does not block.
func (s signal) signal() {
	select {
	case s <- struct{}{}:
	default: // it is noted already
	}
}

// members are those of the cluster, as the client was told.
type members struct {
	changed  signal       // one has joined, or there is a connection again
	returned signal       // one is back with what it had when the others expelled it
	apart    *link        // down from then on
	rejoined atomic.Int64 // when that happened last, in nanoseconds since 1970

	mu   sync.Mutex
	log  *slog.Logger          // nil while all are told anew
	all  map[types.UUID]string // their addresses
	gone map[string]time.Time  // addresses, and since when nobody is there

	changes  int                   // how often they changed
	expelled map[types.UUID]string // addresses of those who left others behind, or were made to
}

// unsettled notes that there may be members with entries of another time.
func (m *members) unsettled() {
	m.rejoined.Store(time.Now().UnixNano())
	m.changed.signal()
}

// heard takes in what the client was told of a member.
func (m *members) heard(e hzcluster.MembershipStateChanged) {
	m.mu.Lock()
	defer m.mu.Unlock()
	id, addr := e.Member.UUID, e.Member.Address.String()
	_, known := m.all[id]
	if e.Member.LiteMember {
		return // it has no entries
	}
	m.changes++
	if e.State == hzcluster.MembershipStateRemoved {
		delete(m.all, id)
		m.expel(id, addr)
		if known && m.log != nil {
			m.gone[addr] = time.Now()
			m.log.Warn("hazelcast: a member is gone; its entries are served from their backups", "member", addr, "members", len(m.all))
		}
		return
	}
	if m.all == nil {
		m.all, m.gone = make(map[types.UUID]string), make(map[string]time.Time)
	}
	m.welcome(id)
	m.all[id] = addr
	m.unsettled()
	if known || m.log == nil {
		return
	}
	attrs := []any{"member", addr, "members", len(m.all)}
	if since, was := m.gone[addr]; was {
		attrs = append(attrs, "after", time.Since(since).Round(time.Millisecond))
		delete(m.gone, addr)
	}
	m.log.Info("hazelcast: a member has joined", attrs...)
}

// tell tells the log of members that come and go from now on; those who were there do not count as
// coming.
func (m *members) tell(log *slog.Logger) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.log = log
}

// clear forgets all members, of which there are others after a reconnect.
func (m *members) clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.log = nil
	m.changes++
	clear(m.all)
	clear(m.gone)
}

// isGone reports whether a member was at an address, and nobody since.
func (m *members) isGone(addr string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, gone := m.gone[addr]
	return gone
}

// count returns how many there are, at least one, and how often that has changed.
func (m *members) count() (n, changes int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return max(1, len(m.all)), m.changes
}

// lookDelays are when the open maps are probed after a member has joined. It is given entries
// some seconds after that, or minutes if there are many.
var lookDelays = []time.Duration{time.Second, 5 * time.Second, 15 * time.Second, time.Minute, 5 * time.Minute}

// lookAgain probes the open maps again when members may be there that nobody has looked at.
func (p *Provider) lookAgain() {
	next := len(lookDelays)
	var due <-chan time.Time
	for {
		select {
		case <-p.life.Done():
			return
		case <-p.members.changed:
			next = 0
		case <-due:
			p.lookAtMaps()
			next++
		}
		if due = nil; next < len(lookDelays) {
			due = time.After(lookDelays[next])
		}
	}
}

func (p *Provider) lookAtMaps() {
	p.directory.forget()
	p.mu.Lock()
	open := make([]*cache, 0, len(p.caches))
	for c := range p.caches {
		open = append(open, c)
	}
	p.mu.Unlock()
	for _, c := range open {
		ctx, cancel := context.WithTimeout(p.life, p.plan.requestTimeout)
		err := c.look(ctx)
		if errors.Is(err, errors.ErrUnsupported) {
			err = c.look(ctx) // members that merge, or give entries away, may lose one
		}
		cancel()
		misfit := ""
		switch {
		case errors.Is(err, errors.ErrUnsupported):
			misfit = err.Error()
		case err != nil:
			continue // the cluster has other troubles, and is looked at again after them
		}
		p.mu.Lock()
		before, stillOpen := p.caches[c]
		if stillOpen {
			p.caches[c] = misfit
		}
		p.mu.Unlock()
		if stillOpen && misfit != "" && before == "" {
			p.log.Error("hazelcast: a member that has joined is configured otherwise than the others, and loses what is stored", "map", c.name, "why", misfit)
		}
	}
}

// Rejoined implements driver.Splitter. After a split of the network, and after a freeze of a
// member, some members join the others and merge what they have; a client is only told that
// they join, or loses its connection.
func (p *Provider) Rejoined() time.Time { return time.Unix(0, p.members.rejoined.Load()) }

// forget notes that a cache is closed.
func (p *Provider) forget(c *cache) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.caches, c)
}
