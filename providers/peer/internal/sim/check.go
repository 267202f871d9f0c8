package sim

import (
	"fmt"
	"io"
	"reflect"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/rules"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/view"
)

// A Verdict is what a run showed.
type Verdict struct {
	// Violations are broken promises, the first ones.
	Violations []string
	// Ops is how many operations were issued, and Done how many were executed for
	// all that their clients know.
	Ops, Done int
	// Lineages is how many there were: each takeover begins one.
	Lineages int
	// End is the simulated time in nanoseconds, and Healing how long it took from the end of
	// all faults until the cluster was whole.
	End, Healing int64
}

// healing bounds that time. The times of simulated clusters are shorter than real ones, in which
// this stands for 20 s: ten in which the network is whole, and ten more.
const healing = 20 * int64(time.Second) * int64(silence) / int64(1500*time.Millisecond)

// heal lets time pass until the cluster is whole and stays so, and returns how long that took from
// the end of the last fault on.
func (w *world) heal() int64 {
	over, whole := w.now, int64(never)
	for w.now-over < healing+rest && (whole == never || w.now-whole < rest) {
		w.run(w.now + 100*ms)
		switch {
		case w.cut != nil || w.busy:
			over, whole = w.now, never
		case !w.settled():
			whole = never
		case whole == never:
			whole = w.now
		}
	}
	if whole == never {
		whole = w.now
	}
	return whole - over
}

// rest is how long a cluster must stay whole.
const rest = 1000 * ms

// Run simulates a cluster. The rules in removed do not hold. The trace may be nil.
func Run(seed uint64, s Scenario, removed rules.Set, trace io.Writer) Verdict {
	w := newWorld(seed, s, removed, trace)
	w.begin()
	w.after(0, w.nemesis)
	w.after(0, w.noise)
	w.run(w.now + 6000*ms)
	w.calm = true
	v := Verdict{Healing: w.heal()}
	for _, o := range w.clients.last {
		if o != nil {
			w.clients.finish(o, w.clients.despair(o), part.Result{})
		}
	}
	if w.ephemeral != nil {
		w.run(max(w.now, w.ephemeral.expired()))
	}
	for range 20 { // a heartbeat may be late
		if w.served() {
			break
		}
		w.run(w.now + 50*ms)
	}
	if !w.settled() || v.Healing > healing {
		w.watch.fail("stuck: the cluster does not become whole again: %d ms", v.Healing/ms)
		for i := range w.scenario.Partitions {
			w.showPartition(i)
		}
	}
	v.Ops, v.Lineages, v.End = len(w.clients.ops), len(w.watch.lineages), w.now
	for _, o := range w.clients.ops {
		if o.outcome == done {
			v.Done++
		}
	}
	if !s.Bare && len(w.watch.violations) == 0 {
		w.checkContents()
		w.checkSets()
		w.residents.check()
		w.checkHistory()
		w.checkMemory()
	}
	v.Violations = w.watch.violations
	return v
}

// begin starts the hosts, and the clients when the cluster is whole.
func (w *world) begin() {
	for i := range w.scenario.Hosts {
		h := w.newHost()
		h.wanted = true
		w.after(w.between(0, 100*ms), func() { w.start(h, i == 0 || w.scenario.Founders) })
	}
	for w.now < 10000*ms && !w.settled() {
		w.run(w.now + 50*ms)
	}
	w.log("BEGIN")
	w.residents = &residents{clients: w.clients, client: w.scenario.Clients + 4}
	written := w.scenario.residents() == 0
	w.residents.write(func() { written = true })
	for w.now < 12000*ms && !written {
		w.run(w.now + 50*ms)
	}
	for i := range w.scenario.residents() {
		w.after(int64(i)*5*ms, func() { w.residents.read(i) })
	}
	for i := range w.scenario.Clients {
		w.after(int64(i)*7*ms, func() { w.clients.begin(i) })
	}
	if w.scenario.Clients > 0 {
		n := w.scenario.Clients
		w.ephemeral = &ephemeral{clients: w.clients, client: n, key: w.scenario.Keys}
		w.after(0, w.ephemeral.begin)
		for i := range w.contributors {
			w.contributors[i] = &contributor{clients: w.clients, client: n + 1 + i}
			if w.scenario.Sets {
				w.after(0, w.contributors[i].begin)
			}
		}
		if w.scenario.Scans {
			s := &scanner{clients: w.clients, client: n + 3}
			w.after(0, s.write)
			w.after(0, s.begin)
		}
	}
}

// A watch looks on while a run goes on.
type watch struct {
	world      *world
	violations []string
	configs    map[view.Mark]*topology.Config
	lineages   map[uint64]*topology.Config // the newest of each
	order      []*topology.Config          // all, as they came up
	dropped    func(*topology.Partition)   // is told of partitions that have a copy less; nil: nobody is
}

// fail notes a violation.
func (x *watch) fail(format string, args ...any) {
	if len(x.violations) < 5 {
		line := fmt.Sprintf(format, args...)
		x.violations = append(x.violations, line)
		x.world.log("VIOLATION %s", line)
	}
}

// adopted looks at a configuration that a member adopts.
func (x *watch) adopted(m *member, c *topology.Config) {
	w := x.world
	if w.trace != nil {
		w.log("%v adopts %s", m, w.show(c))
	}
	if x.configs == nil {
		x.configs = make(map[view.Mark]*topology.Config)
		x.lineages = make(map[uint64]*topology.Config)
	}
	mark := view.Mark{Lineage: c.Lineage, Stamp: c.Stamp}
	switch known := x.configs[mark]; {
	case known == nil:
		x.configs[mark] = c
		x.order = append(x.order, c)
		if newest := x.lineages[c.Lineage]; newest == nil || c.Newer(newest) {
			if newest != nil && w.scenario.Graceful {
				x.planned(newest, c)
			}
			if newest != nil {
				x.drops(newest, c)
			}
			x.lineages[c.Lineage] = c
		}
	case known != c && !reflect.DeepEqual(known, c):
		x.fail("two configurations have one name, at %v", m)
	}
}

// drops tells of partitions that have a copy less.
func (x *watch) drops(old, c *topology.Config) {
	for i := range c.Partitions {
		if x.dropped != nil && len(c.Partitions[i].InSync) < len(old.Partitions[i].InSync) {
			x.dropped(&c.Partitions[i])
		}
	}
}

// planned checks that a change leaves no partition with fewer copies than it had, or
// than it should have.
func (x *watch) planned(old, c *topology.Config) {
	staying := 0
	for i := range c.Members {
		if !c.Members[i].Leaving {
			staying++
		}
	}
	for i := range c.Partitions {
		n := len(c.Partitions[i].InSync)
		if n < len(old.Partitions[i].InSync) && n < min(x.world.scenario.Copies, staying) {
			x.fail("partition %d has %d copies, and had %d", i, n, len(old.Partitions[i].InSync))
		}
	}
}

// ticked checks that no two members serve a partition of one lineage.
func (x *watch) ticked(m *member) {
	c := m.view.Config()
	if m.parts == nil || c == nil || m.ticks%3 != 0 {
		return
	}
	for i := range m.parts {
		if !m.serves(i) {
			continue
		}
		for _, h := range x.world.hosts {
			o := h.member
			if o != nil && o != m && h.pausedTil <= x.world.now && o.view.Config() != nil &&
				o.view.Config().Lineage == c.Lineage && o.serves(i) {
				x.fail("%v and %v both serve partition %d", m, o, i)
			}
		}
	}
}

// serves reports whether a member would answer reads of a partition.
func (m *member) serves(partition int) bool {
	if !m.primary(partition) {
		return false
	}
	_, status := m.parts[partition].Get(m.time(partition), mainCache, "")
	return status == part.OK
}

// final reads a key of the clients at rest.
func (w *world) final(key int) (part.Found, bool) { return w.finally(mainCache, key) }

// finally reads a key of any cache at rest.
func (w *world) finally(cache string, key int) (part.Found, bool) {
	p := w.partition(key)
	for _, m := range w.running() {
		if m.primary(p) {
			found, status := m.parts[p].Get(m.time(p), cache, keyName(key))
			return found, status == part.OK
		}
	}
	return part.Found{}, false
}

// served reports whether every key is.
func (w *world) served() bool {
	for key := range w.scenario.Keys {
		if w.scenario.Bare {
			break
		}
		if _, ok := w.final(key); !ok {
			return false
		}
	}
	return true
}

// checkContents compares what the members hold at rest, with each other and with what
// clients were told.
func (w *world) checkContents() {
	config := w.running()[0].view.Config()
	for i := range config.Partitions {
		p := &config.Partitions[i]
		first := w.members[p.InSync[0]].parts[i].Stats()
		for _, id := range p.InSync {
			if s := w.members[id].parts[i].Stats(); s.Digest != first.Digest || s.Entries != first.Entries {
				w.watch.fail("%v has another content of partition %d than %v", w.members[id], i, w.members[p.InSync[0]])
			}
		}
	}
	for key := range w.scenario.Keys {
		found, ok := w.final(key)
		if !ok {
			w.watch.fail("%s is not served", keyName(key))
			w.showPartition(w.partition(key))
			continue
		}
		var top *op
		removed := false // by somebody who does not know, or who was told of another attempt
		for _, o := range w.clients.ops {
			if !o.concerns(w, key) {
				continue
			}
			if o.value == 0 && (o.outcome == unknown || o.maybe) {
				removed = true
			}
			if o.outcome == done && o.result.Version != 0 && (top == nil || top.result.Version < o.result.Version) {
				top = o
			}
		}
		switch {
		case top == nil:
		case found.OK && found.Version < top.result.Version:
			w.watch.fail("%s: %v has been undone by version %x", keyName(key), top, uint64(found.Version))
		case !found.OK && top.value != 0 && !removed && !w.scenario.Evicts:
			w.watch.fail("%s: %v is lost", keyName(key), top)
		}
	}
}

// checkSets checks that every element is there that was added.
func (w *world) checkSets() {
	found, _ := w.finally(setCache, w.setKey())
	for _, c := range w.contributors {
		if c == nil {
			continue
		}
		if lost := c.missing(found.Record); len(lost) > 0 {
			w.watch.fail("the set %s lacks %v, which were added", found.Record, lost)
		}
	}
}

// checkMemory checks that every member's budget is what its partitions use, and that
// nothing is used when everything has been deleted.
func (w *world) checkMemory() {
	if w.scenario.Memory == 0 {
		return
	}
	for _, m := range w.running() {
		used := int64(0)
		for _, p := range m.parts {
			used += p.Stats().Bytes
		}
		if used != m.memory.Used() {
			w.watch.fail("%v uses %d bytes, and counts %d", m, used, m.memory.Used())
		}
		for i := range m.parts {
			if !m.primary(i) {
				continue
			}
			for _, cache := range []string{mainCache, ephemeralCache} {
				m.step(i, func(now part.Now, p *part.Replica, fx *part.Effects) {
					p.Do(now, &part.Request{Kind: part.Clear, Cache: cache, Expires: now.Mono + 1000*ms, Tag: unasked}, fx)
					p.Flush(now, fx)
				})
			}
		}
	}
	w.run(w.now + 500*ms)
	for _, m := range w.running() {
		if used := m.memory.Used(); used != 0 {
			w.watch.fail("%v still counts %d bytes when everything has been deleted", m, used)
		}
	}
}

// concerns reports whether an operation may change a key.
func (o *op) concerns(w *world, key int) bool {
	switch o.kind {
	case part.Get, part.Touch:
		return false
	case part.Clear:
		return o.key == w.partition(key)
	}
	return o.key == key && o.cache == mainCache
}
