package topology

import "slices"

// Goal is what a plan moves towards.
type Goal struct {
	// Copies is how many members shall hold each partition.
	Copies int
	// HandOffs is how many partitions a member may give, and how many it may take,
	// at the same time.
	HandOffs int
	// Synced reports whether a partition's learner has everything.
	Synced func(partition int, learner ID) bool
	// Settled reports whether every member in sync has all acknowledged writes of a
	// partition, and will have those to come: a copy may be dropped only then. Nil:
	// they always have.
	Settled func(partition int) bool
}

// Plan returns the next configuration on the way to the goal, or nil if there is
// nothing to do but wait. Every member must have confirmed c before.
//
// The way of a partition is: a learner copies it; the learner becomes in sync; the
// primary moves; and only then, one configuration later, a copy that is too many is
// dropped. So there are never fewer copies than before. Each step is a configuration
// of its own, which everybody confirms, since a primary that has not heard that it was
// replaced would go on serving.
func Plan(c *Config, g Goal) *Config {
	target := Target(c.Members, len(c.Partitions), g.Copies)
	d := c.Clone()
	d.Stamp.Version++
	p := planner{Config: d, goal: g, giving: map[ID]int{}, taking: map[ID]int{}}
	for i := range d.Partitions {
		if l := d.Partitions[i].Learner; l != 0 {
			p.giving[d.Partitions[i].Primary]++
			p.taking[l]++
		}
	}
	for i := range d.Partitions {
		p.advance(i, target[i])
	}
	// Partitions with too few copies come before those that are only in the
	// wrong place.
	for _, short := range []bool{true, false} {
		for i := range d.Partitions {
			if (len(d.Partitions[i].InSync) < len(target[i])) == short {
				p.teach(i, target[i])
			}
		}
	}
	p.dismiss()
	if !p.changed {
		return nil
	}
	return d
}

type planner struct {
	*Config
	goal           Goal
	giving, taking map[ID]int // hand-offs under way
	changed        bool
}

// touch marks a partition as changed.
func (p *planner) touch(part *Partition) {
	part.Epoch = p.Stamp
	p.changed = true
}

// advance takes one step with a partition that needs no learner, or whose learner is
// done.
func (p *planner) advance(i int, want []ID) {
	part := &p.Partitions[i]
	switch l := part.Learner; {
	case len(want) == 0:
	case l != 0 && p.goal.Synced(i, l):
		part.InSync = append(part.InSync, l)
		part.Learner = 0
		p.touch(part)
	case l != 0 && !slices.Contains(want, l) && len(part.InSync) >= len(want):
		part.Learner = 0 // the goal has moved
		p.touch(part)
	case l != 0:
	case missing(part, want) != 0:
	case part.Primary != want[0]:
		part.Primary, part.Reign = want[0], p.Stamp
		p.touch(part)
	case len(part.InSync) > len(want) && (p.goal.Settled == nil || p.goal.Settled(i)):
		part.InSync = slices.DeleteFunc(part.InSync, func(id ID) bool { return !slices.Contains(want, id) })
		p.touch(part)
	}
}

// teach gives a partition a learner, if it needs one and both ends are free.
func (p *planner) teach(i int, want []ID) {
	part := &p.Partitions[i]
	l := missing(part, want)
	if l == 0 || part.Learner != 0 || part.Epoch == p.Stamp ||
		p.giving[part.Primary] >= p.goal.HandOffs || p.taking[l] >= p.goal.HandOffs {
		return
	}
	part.Learner = l
	p.giving[part.Primary]++
	p.taking[l]++
	p.touch(part)
}

// missing returns the first of the wanted members that is not in sync, or 0.
func missing(part *Partition, want []ID) ID {
	for _, id := range want {
		if !slices.Contains(part.InSync, id) {
			return id
		}
	}
	return 0
}

// dismiss removes members that are leaving and hold nothing any more.
func (p *planner) dismiss() {
	p.Members = slices.DeleteFunc(p.Members, func(m Member) bool {
		if !m.Leaving {
			return false
		}
		for i := range p.Partitions {
			if p.Partitions[i].Holds(m.ID) {
				return false
			}
		}
		p.changed = true
		p.Absent = append(p.Absent, m) // until most know
		return true
	})
}
