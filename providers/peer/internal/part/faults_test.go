package part_test

import (
	"slices"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// fault does something bad to one member, or breaks a connection.
func (c *cluster) fault() {
	if c.quiet {
		return
	}
	c.after(ms*(100+c.rand.Int64N(500)), c.fault)
	if !c.healthy {
		return
	}
	m := c.find(c.config.Members[c.rand.IntN(len(c.config.Members))].ID)
	if p := &c.config.Partitions[0]; c.rand.IntN(2) == 0 {
		m = c.find(p.Primary)
	}
	switch c.rand.IntN(4) {
	case 0:
		c.logf("member %d crashes", m.id)
		m.crashed, c.healthy = true, false
		c.lose(m)
		c.after(ms*c.rand.Int64N(1500), func() { c.join() })
	case 1:
		c.logf("member %d is cut off", m.id)
		m.cut, c.healthy = true, false
		c.after(ms*c.rand.Int64N(1500), func() { c.join() })
	case 2:
		d := ms * c.rand.Int64N(800)
		c.logf("member %d pauses for %d ms", m.id, d/ms)
		m.paused, c.healthy = c.now+d, false
		c.after(d, func() {
			inbox := m.inbox
			m.inbox = nil
			for _, do := range inbox {
				do()
			}
		})
	}
}

func (c *cluster) sortedLinks() func(func([2]topology.ID, *link) bool) {
	return func(yield func([2]topology.ID, *link) bool) {
		keys := make([][2]topology.ID, 0, len(c.links))
		for k := range c.links {
			keys = append(keys, k)
		}
		slices.SortFunc(keys, func(a, b [2]topology.ID) int { return slices.Compare(a[:], b[:]) })
		for _, k := range keys {
			if !yield(k, c.links[k]) {
				return
			}
		}
	}
}

// shake breaks connections, most often those of a learner.
func (c *cluster) shake() {
	if c.quiet {
		return
	}
	c.after(ms*(5+c.rand.Int64N(50)), c.shake)
	for ids, l := range c.sortedLinks() {
		often := 60
		if ids[1] == c.config.Partitions[0].Learner {
			often = 3
		}
		if c.rand.IntN(often) == 0 {
			l.epoch++
		}
	}
}

// lose answers the requests of a crashed member, as its connections would.
func (c *cluster) lose(m *member) {
	tags := make([]uint64, 0, len(m.contents))
	for tag := range m.contents {
		tags = append(tags, tag)
	}
	slices.Sort(tags)
	for _, tag := range tags {
		done := c.tags[tag]
		delete(c.tags, tag)
		c.after(5*ms, func() { done(part.Result{Status: part.Unknown}) })
	}
}
