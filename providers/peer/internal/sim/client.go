package sim

import (
	"slices"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
)

// clients are the callers on all hosts. Each issues one operation after the other, at
// a server of its choice; whoever it asks routes the operation to the primary, and
// sends it again as long as it is known not to have been executed, or cannot be
// executed twice.
type clients struct {
	world *world
	ops   []*op   // in the order in which they began
	last  []*op   // of each client
	known []token // what was seen of each key last
	value int
}

// A token is a version of a key and the value that goes with it.
type token struct {
	version part.Version
	value   int
}

const (
	opTimeout = 2500 * ms // of a client with one operation
	mainCache = "c"
)

func (w *world) partition(key int) int { return key % w.scenario.Partitions }

func newClients(w *world) *clients {
	return &clients{world: w, last: make([]*op, w.scenario.Clients+4+w.scenario.residents()), known: make([]token, w.scenario.Keys)}
}

// begin starts a client.
func (c *clients) begin(client int) {
	w := c.world
	if w.calm {
		return
	}
	o := c.newOp(client, w.IntN(w.scenario.Keys))
	if o == nil {
		w.after(50*ms, func() { c.begin(client) })
		return
	}
	c.value++
	switch x := w.IntN(100); {
	case x < 40:
		o.kind = part.Get
	case x < 58:
		o.kind, o.value = part.Put, c.value
	case x < 68:
		o.kind = part.Delete
	case x < 71:
		o.kind, o.value = part.Exchange, c.value
	case x < 74:
		o.kind, o.value = part.Process, c.value
	case x < 85:
		o.kind, o.value, o.demand = part.Swap, c.value, c.known[o.key]
	case x < 90:
		o.kind, o.value = part.Swap, c.value // if absent
	case x < 99:
		o.kind, o.demand = part.Touch, c.known[o.key]
		if x < 94 {
			o.kind = part.Swap // delete if the same
		}
		if o.demand.version == 0 {
			o.kind = part.Get
		}
	default:
		o.kind, o.key = part.Clear, w.partition(o.key)
	}
	o.done = func(o *op) { w.after(w.between(0, 100*ms), func() { c.begin(client) }) }
	c.open(o)
}

// newOp returns an operation on a key, a Get, at a server of its choice, or nil if there is
// none.
func (c *clients) newOp(client, key int) *op {
	w := c.world
	list := slices.DeleteFunc(w.running(), func(m *member) bool { return m.host.secluded })
	if len(list) == 0 {
		return nil
	}
	h := list[w.IntN(len(list))].host
	return &op{
		id: len(c.ops) + 1, client: client, kind: part.Get, key: key, cache: mainCache, start: w.now, deadline: w.now + opTimeout,
		host: h, process: h.process,
	}
}

// open begins an operation.
func (c *clients) open(o *op) {
	c.ops = append(c.ops, o)
	c.last[o.client] = o
	c.world.after(opTimeout+300*ms, func() { c.finish(o, c.despair(o), part.Result{}) })
	c.issue(o)
}

// despair is the outcome of an operation whose client cannot wait any longer.
func (c *clients) despair(o *op) outcome {
	if o.maybe || o.at != nil {
		return unknown
	}
	return nothing
}

// finish ends an operation, and its client goes on with the next one.
func (c *clients) finish(o *op, out outcome, r part.Result) {
	if o.outcome != pending {
		return
	}
	o.outcome, o.result, o.end, o.at = out, r, c.world.now, nil
	c.world.log("op%d ends: %v", o.id, o)
	o.done(o)
	if out == done && o.kind != part.Clear && o.key < c.world.scenario.Keys {
		switch {
		case o.kind == part.Get || r.Status == part.NotSwapped:
			c.known[o.key] = token{}
			if r.Present.OK {
				c.known[o.key] = token{r.Present.Version, number(r.Present.Record)}
			}
		case o.value != 0:
			c.known[o.key] = token{r.Version, o.value}
		case o.kind != part.Touch:
			c.known[o.key] = token{}
		}
	}
}

// issue sends an operation to the primary.
func (c *clients) issue(o *op) {
	w := c.world
	if o.outcome != pending || o.at != nil {
		return
	}
	if o.host.process != o.process {
		c.finish(o, c.despair(o), part.Result{}) // the server that asked has crashed
		return
	}
	m := o.host.member
	if w.now >= o.deadline {
		c.finish(o, c.despair(o), part.Result{})
		return
	}
	if m == nil || m.view.Config() == nil || o.host.pausedTil > w.now {
		w.after(20*ms, func() { c.issue(o) })
		return
	}
	p := o.key
	if o.kind != part.Clear {
		p = w.partition(o.key)
	}
	to := w.members[m.view.Config().Partitions[p].Primary]
	o.attempt++
	o.at = to
	if o.attempt == 1 {
		w.log("op%d begins at %v: %s %s value=%d demand=%d", o.id, m, kinds[o.kind], keyName(o.key), o.value, o.demand.value)
	}
	msg := &request{op: o, attempt: o.attempt, from: m, lineage: m.view.Config().Lineage}
	if to == m {
		m.execute(msg)
	} else {
		w.send(m, to, msg)
	}
}

// answered takes in the answer to an attempt.
func (c *clients) answered(msg *response) {
	o, w := msg.op, c.world
	if o.outcome != pending || msg.attempt != o.attempt || o.at == nil {
		return
	}
	o.at = nil
	msg.result = msg.result.Under(o.host.member.view.Config().Lineage)
	switch msg.result.Status {
	case part.NotPrimary:
		w.after(w.between(10*ms, 30*ms), func() { c.issue(o) })
	case part.Timeout, part.NoSpace:
		c.finish(o, c.despair(o), msg.result)
	case part.Unknown:
		c.uncertain(o)
	default:
		c.finish(o, done, msg.result)
	}
}

// uncertain handles an attempt that may have been executed: the operation is sent
// again, as the same, or given up.
func (c *clients) uncertain(o *op) {
	w := c.world
	o.at = nil
	o.maybe = o.maybe || o.kind != part.Get
	if o.kind != part.Get && w.IntN(3) == 0 {
		c.finish(o, unknown, part.Result{})
		return
	}
	w.after(w.between(5*ms, 30*ms), func() { c.issue(o) })
}

// lost says that what a server sent to another one, and the answers, are lost.
func (c *clients) lost(from, to *member) {
	for _, o := range c.last {
		if o != nil && o.outcome == pending && o.at == to && o.host == from.host && from != to {
			c.uncertain(o)
		}
	}
}

// crashed says that a process ended, and with it the clients that it served.
func (c *clients) crashed(m *member) {
	m.host.process++
	c.gone(m)
}

// seclude says that the callers of a host do not reach it any more. What they asked for may
// happen.
func (c *clients) seclude(h *host) {
	for _, o := range c.last {
		if o != nil && o.outcome == pending && o.host == h {
			c.finish(o, c.despair(o), part.Result{})
		}
	}
}

// gone says that a member does not answer any more.
func (c *clients) gone(m *member) {
	for _, o := range c.last {
		if o != nil && o.outcome == pending && o.at == m {
			c.uncertain(o)
		}
	}
}

// check finds the attempts whose primary is not in the cluster any more, and requests
// that should have been answered.
func (c *clients) check(m *member) {
	cfg := m.view.Config()
	if cfg == nil {
		return
	}
	for _, o := range c.last {
		if o != nil && o.outcome == pending && o.host == m.host && o.at != nil && o.at != m && !cfg.Has(o.at.id) {
			c.uncertain(o)
		}
	}
	for _, r := range m.requests {
		if r.expires+150*ms < c.world.now && m.host.wokeAt+200*ms < c.world.now {
			c.world.watch.fail("%v has not answered op%d by its deadline", m, r.op.id)
		}
	}
}
