package part_test

import (
	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// adopt gives a member a configuration.
func (c *cluster) adopt(m *member, config *topology.Config) {
	c.inside(m, func(fx *part.Effects) {
		if m.adopted == nil || m.adopted.Stamp.Less(config.Stamp) {
			m.adopted = config
			m.replica.Configure(c.time(m), config, fx)
		}
	})
}

// supervise is the configuration source: it renews leases, takes out members that failed
// after their lease has run out and the others have promised the next term, and makes the
// planned changes when everybody has confirmed the last one.
func (c *cluster) supervise() {
	confirmed := true
	for _, m := range c.members {
		in := c.config.Has(m.id)
		switch {
		case m.crashed || m.cut || m.suspect:
			if in && !m.suspect {
				m.suspect = true
				term := c.config.Stamp.Term + 1
				c.after(leaseFor+200*ms, func() { c.remove(m, term) })
			}
			confirmed = confirmed && !in
		case !in:
			next := c.config.Clone()
			next.Stamp.Version++
			next.Members = append(next.Members, topology.Member{ID: m.id})
			c.publish(next)
			return
		case m.paused > c.now:
			confirmed = false
		default:
			if m.adopted != nil && m.adopted.Stamp.Term == c.config.Stamp.Term {
				m.lease = c.now + leaseFor
			}
			confirmed = confirmed && m.adopted == c.config
		}
	}
	if !confirmed {
		for _, m := range c.members {
			if !m.cut && m.adopted != c.config {
				c.after(c.rand.Int64N(20*ms), func() { c.adopt(m, c.config) })
			}
		}
		return
	}
	next := topology.Plan(c.config, topology.Goal{Copies: c.copies, HandOffs: 1,
		Synced: func(_ int, id topology.ID) bool { return id == c.synced }})
	if next != nil {
		c.publish(next)
		return
	}
	p := &c.config.Partitions[0]
	c.healthy = p.Learner == 0 && len(p.InSync) == c.copies
}

func (c *cluster) publish(config *topology.Config) {
	c.logf("config %v: %+v", config.Stamp, config.Partitions[0])
	c.healthy = false
	c.config = config
	for _, m := range c.members {
		if !m.cut && config.Has(m.id) {
			c.after(c.rand.Int64N(20*ms), func() { c.adopt(m, config) })
		}
	}
}

// remove takes a failed member out.
func (c *cluster) remove(gone *member, term uint64) {
	next := c.config.Without([]topology.ID{gone.id}, func(topology.ID) bool { return true }, c.config.Members[0].ID)
	if p := &next.Partitions[0]; p.Lost != c.config.Partitions[0].Lost {
		c.fail("the simulation lost all copies")
	}
	old := next.Stamp
	next.Stamp = topology.Stamp{Term: term, Version: 1}
	for i := range next.Partitions {
		p := &next.Partitions[i]
		if p.Epoch == old {
			p.Epoch = next.Stamp
		}
		if p.Reign == old {
			p.Reign = next.Stamp
		}
	}
	for _, m := range c.members {
		if next.Has(m.id) {
			c.inside(m, func(*part.Effects) { m.replica.Promise(term) })
		}
	}
	c.logf("member %d is taken out", gone.id)
	c.publish(next)
}
