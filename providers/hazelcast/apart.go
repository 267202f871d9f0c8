package hazelcast

import (
	"maps"
	"slices"
	"time"

	"github.com/hazelcast/hazelcast-go-client/types"
)

// A member that was frozen, or cut off, is expelled by the others, and serves what it had then when it
// comes back. If the others merge into it, and not the other way round, they leave their clients, who
// find that member in their place and know nothing of what is written there since. What they write
// then is later than what is missing, and wins when it is merged: so much is lost as was written while the
// member was away. Therefore calls wait until the others have joined it and merged what they have.
//
// A member that ends, or that merges into others, comes back with another identifier. So who comes back
// with its own has what it had then, or has it from its disk.

// mostExpelled is how many are remembered. Nearly all have ended, and do not come back.
const mostExpelled = 64

// expel notes that a member is gone and others stay; m.mu is held.
func (m *members) expel(id types.UUID, addr string) {
	if len(m.all) == 0 {
		return
	}
	if m.expelled == nil || len(m.expelled) >= mostExpelled {
		m.expelled = make(map[types.UUID]string)
	}
	m.expelled[id] = addr
}

// welcome notes that a member is there; m.mu is held.
func (m *members) welcome(id types.UUID) {
	if _, was := m.expelled[id]; was {
		m.apart.down()
		m.returned.signal()
	}
}

// returners reports whether members are there that have what they had when the others expelled them,
// and whether others are there, too.
func (m *members) returners() (apart, joined bool, changes int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id := range m.all {
		if _, was := m.expelled[id]; was {
			apart = true
		} else {
			joined = true
		}
	}
	return apart, joined, m.changes
}

// accept takes the members that are there for the cluster. It does not if they have changed since returners
// counted: somebody may be back once more.
func (m *members) accept(changes int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.changes != changes {
		return false
	}
	maps.DeleteFunc(m.expelled, func(id types.UUID, _ string) bool { _, here := m.all[id]; return here })
	return true
}

// expelledLast puts the addresses of those who were expelled behind the others.
func (m *members) expelledLast(addrs []string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var first, last []string
	for _, addr := range addrs {
		if slices.Contains(slices.Collect(maps.Values(m.expelled)), addr) {
			last = append(last, addr)
		} else {
			first = append(first, addr)
		}
	}
	return append(first, last...)
}

const (
	// mergeTime is what members get to merge after they have met. They do not say when they have. It is longer than
	// a member takes to notice that it is alone.
	mergeTime = 10 * time.Second
	// mergeTimeout is how long calls wait for the others, who may have ended.
	mergeTimeout = 30 * time.Second
	mergeLook    = 50 * time.Millisecond
)

// awaitMerges holds up calls from when a member is back until the others have merged with it.
func (p *Provider) awaitMerges() {
	for {
		select {
		case <-p.life.Done():
			return
		case <-p.members.returned:
		}
		p.apart.down() // it came back twice
		p.awaitMerge()
		p.apart.up()
	}
}

func (p *Provider) awaitMerge() {
	tick := time.NewTicker(mergeLook)
	defer tick.Stop()
	began := time.Now()
	together, last := began, -1
	for {
		apart, joined, changes := p.members.returners()
		if !joined || changes != last {
			together, last = time.Now(), changes
		}
		switch {
		case !apart: // the client has left it
			return
		case time.Since(together) >= mergeTime && p.members.accept(changes):
			p.log.Info("hazelcast: a member is back that the others had expelled, and they have merged", "after", time.Since(began).Round(time.Millisecond))
			return
		case time.Since(began) >= mergeTimeout && p.members.accept(changes):
			p.log.Error("hazelcast: a member is back that the others had expelled, and they do not join it; what was written without it may be lost",
				"after", time.Since(began).Round(time.Millisecond))
			return
		}
		select {
		case <-p.life.Done():
			return
		case <-tick.C:
		}
	}
}

// opened hears of each connection that a client has opened. It must not block.
//
// A client that has begun to connect to a member before that was expelled waits for the answer, and has a
// connection to it as soon as it is back. It then does not notice when the others leave it, but goes on
// there. So it is left for one without such a connection.
func (p *Provider) opened(addr string) {
	if !p.members.isGone(addr) || !p.link.down() {
		return
	}
	p.log.Debug("hazelcast: the client is connected to a member that the others have expelled, and is replaced", "member", addr)
	_ = p.task(func() { // after Close nobody needs another one
		p.members.clear()
		p.replace()
		p.awaitCluster()
	})
}
