package view_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/view"
)

const ms = int64(time.Millisecond)

// A cluster is a few machines that hear each other without delay, unless they are cut
// off. Learners have everything as soon as they are named.
type cluster struct {
	*testing.T
	now     int64
	options view.Options
	nodes   []*node
	lineage uint64
	deaf    func(from, to topology.ID) bool // nil: everybody hears everybody
	loses   func(l letter) bool             // nil: nothing is lost
	slow    bool                            // learners never have everything
	queue   []letter
}

type node struct {
	*view.Machine
	id       topology.ID
	down     bool
	rejoin   bool
	promised uint64
	offers   []view.Offer
	log      []string
}

type letter struct {
	from, to topology.ID
	msg      view.Message
}

func newCluster(t *testing.T, n int, change func(*view.Options)) *cluster {
	c := &cluster{T: t, now: 1e9, options: view.Options{Partitions: 4, Split: view.All}}
	if change != nil {
		change(&c.options)
	}
	c.options.Draw = func() uint64 { c.lineage++; return c.lineage }
	c.options.Clock = func(ago time.Duration) uint64 { return uint64(max(1, c.now-int64(ago)+1e12)) }
	c.start(true)
	for range n - 1 {
		c.start(false)
	}
	c.wait("the cluster to form", func() bool { return c.whole(n) })
	c.run(3 * time.Second) // partitions move to where they should be
	return c
}

func (c *cluster) start(found bool) *node {
	return c.startAt(fmt.Sprint("addr", len(c.nodes)+1), found)
}

// replace starts another process where one was.
func (c *cluster) replace(id topology.ID) { c.startAt(fmt.Sprint("addr", id), false) }

func (c *cluster) startAt(addr string, found bool) *node {
	o := c.options
	o.Self = topology.Member{ID: topology.ID(len(c.nodes) + 1), Addr: addr}
	n := &node{Machine: view.New(o), id: o.Self.ID}
	c.nodes = append(c.nodes, n)
	c.do(n, func(fx *view.Effects) {
		if found {
			n.Found(c.now, fx)
		} else {
			n.Join(c.now, c.nodes[0].id, "addr1", fx)
		}
	})
	return n
}

func (c *cluster) node(id topology.ID) *node { return c.nodes[id-1] }

// do takes a step and what follows from it.
func (c *cluster) do(n *node, step func(fx *view.Effects)) {
	c.take(n, step)
	for len(c.queue) > 0 {
		l := c.queue[0]
		c.queue = c.queue[1:]
		to := c.node(l.to)
		if to.down || to.rejoin || c.deaf != nil && c.deaf(l.from, l.to) || c.loses != nil && c.loses(l) {
			continue
		}
		msg, err := view.Parse(view.Append(nil, l.msg))
		if err != nil {
			c.Fatalf("%T: %v", l.msg, err)
		}
		c.take(to, func(fx *view.Effects) { to.Step(c.now, l.from, msg, fx) })
	}
}

func (c *cluster) take(n *node, step func(fx *view.Effects)) {
	var fx view.Effects
	step(&fx)
	n.promised = max(n.promised, fx.Promised)
	n.rejoin = n.rejoin || fx.Rejoin
	n.offers = append(n.offers, fx.Offers...)
	n.log = append(n.log, fx.Log...)
	for _, e := range fx.Send {
		c.queue = append(c.queue, letter{n.id, e.To, e.Msg})
	}
	if fx.Config == nil || c.slow {
		return
	}
	for i, p := range fx.Config.Partitions {
		if p.Primary == n.id && p.Learner != 0 {
			n.Synced(c.now, i, p.Epoch, p.Learner)
		}
	}
}

// run lets time pass, in ticks of all who are there.
func (c *cluster) run(d time.Duration) {
	for end := c.now + int64(d); c.now < end; {
		c.now += 25 * ms
		for _, n := range c.nodes {
			if !n.down && !n.rejoin {
				c.do(n, func(fx *view.Effects) { n.Tick(c.now, fx) })
			}
		}
	}
}

// wait runs until something is the case.
func (c *cluster) wait(what string, ok func() bool) {
	c.Helper()
	for range 4000 {
		if ok() {
			return
		}
		c.run(25 * time.Millisecond)
	}
	for _, n := range c.nodes {
		c.Logf("member %d, down %v, rejoin %v: %+v", n.id, n.down, n.rejoin, n.Config())
	}
	c.Fatal("waited too long for ", what)
}

// whole reports whether n members agree, and all partitions are safe.
func (c *cluster) whole(n int) bool {
	var first *topology.Config
	count := 0
	for _, n := range c.nodes {
		switch {
		case n.down || n.rejoin:
			continue
		case n.Config() == nil || !n.Safe():
			return false
		case first == nil:
			first = n.Config()
		case !first.Same(n.Config()):
			return false
		}
		count++
	}
	return count == n && first != nil && len(first.Members) == n
}

// copied reports whether every partition is on two members, as one of them sees it.
func (c *cluster) copied(id topology.ID) bool {
	return !slices.ContainsFunc(c.node(id).Config().Partitions, func(p topology.Partition) bool { return len(p.InSync) < 2 || p.Learner != 0 })
}

// split cuts some members off from the others.
func (c *cluster) split(side ...topology.ID) {
	c.deaf = func(from, to topology.ID) bool { return slices.Contains(side, from) != slices.Contains(side, to) }
}

// meet lets everybody see everybody else, as gossip does.
func (c *cluster) meet() {
	for _, n := range c.nodes {
		for _, o := range c.nodes {
			if o != n && !o.down && !o.rejoin {
				n.Met(c.now, o.id, fmt.Sprint("addr", o.id))
			}
		}
	}
}

// leased reports whether a member may serve all partitions of which it is the primary.
func (c *cluster) leased(n *node) bool {
	for i := range n.Config().Partitions {
		if p := &n.Config().Partitions[i]; p.Primary == n.id && n.LeaseFor(p) <= c.now {
			return false
		}
	}
	return true
}
