package view

import (
	"slices"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// config encodes a configuration but for the partitions that have not changed since
// base. Where a partition names members, it gives their position in the list, from 1,
// and stamps are positions in a table of those that occur.
func (e *encoder) config(c *topology.Config, base topology.Stamp) {
	e.stamp(base)
	e.uint(c.Lineage)
	e.stamp(c.Stamp)
	e.uint(c.Merging)
	e.members(c.Members)
	e.members(c.Absent)
	position := make(map[topology.ID]uint64, len(c.Members))
	for i := range c.Members {
		position[c.Members[i].ID] = uint64(i + 1)
	}
	e.forks(c.Ancestors)
	e.ids(c.Voters)
	stamps := []topology.Stamp{{}}
	known := map[topology.Stamp]uint64{{}: 0}
	changed := 0
	for i := range c.Partitions {
		p := &c.Partitions[i]
		if !base.Less(p.Epoch) {
			continue
		}
		changed++
		for _, s := range [...]topology.Stamp{p.Epoch, p.Reign, p.Lost} {
			if _, ok := known[s]; !ok {
				known[s] = uint64(len(stamps))
				stamps = append(stamps, s)
			}
		}
	}
	e.uint(uint64(len(stamps) - 1))
	for _, s := range stamps[1:] {
		e.stamp(s)
	}
	e.uint(uint64(len(c.Partitions)))
	e.uint(uint64(changed))
	next := 0
	for i := range c.Partitions {
		p := &c.Partitions[i]
		if !base.Less(p.Epoch) {
			continue
		}
		e.uint(uint64(i - next)) // how many were left out
		next = i + 1
		e.uint(known[p.Epoch])
		e.uint(known[p.Reign])
		e.uint(known[p.Lost])
		e.uint(position[p.Primary])
		e.uint(position[p.Learner])
		e.uint(uint64(len(p.InSync)))
		for _, id := range p.InSync {
			e.uint(position[id])
		}
		e.ids(p.Held)
	}
}

// maxPartitions is how many partitions a configuration can have.
const maxPartitions = 1 << 14

func (d *decoder) config() (*topology.Config, topology.Stamp) {
	base := d.stamp()
	c := &topology.Config{Lineage: d.uint(), Stamp: d.stamp(), Merging: d.uint()}
	c.Members, c.Absent = d.members(), d.members()
	ids := make([]topology.ID, 1, len(c.Members)+1)
	for i := range c.Members {
		ids = append(ids, c.Members[i].ID)
	}
	c.Ancestors = d.forks()
	c.Voters = d.ids()
	stamps := make([]topology.Stamp, 1, 8)
	for range d.count(2) {
		stamps = append(stamps, d.stamp())
	}
	partitions := d.index(maxPartitions + 1)
	changed := d.count(8)
	if d.bad || len(c.Members) == 0 || changed > partitions || changed < partitions && (base == topology.Stamp{}) {
		d.fail()
		return nil, base
	}
	c.Partitions = make([]topology.Partition, partitions)
	next := 0
	for range changed {
		i := next + d.index(maxPartitions)
		if i >= partitions {
			d.fail()
		}
		if d.bad {
			return nil, base
		}
		next = i + 1
		p := &c.Partitions[i]
		p.Epoch, p.Reign, p.Lost = stamps[d.index(len(stamps))], stamps[d.index(len(stamps))], stamps[d.index(len(stamps))]
		p.Primary, p.Learner = ids[d.index(len(ids))], ids[d.index(len(ids))]
		p.InSync = make([]topology.ID, d.count(1))
		for j := range p.InSync {
			p.InSync[j] = ids[d.index(len(ids))]
		}
		p.Held = d.ids()
		if p.Epoch == (topology.Stamp{}) || p.Primary == 0 || !slices.Contains(p.InSync, p.Primary) {
			d.fail()
		}
	}
	if d.bad {
		return nil, base
	}
	return c, base
}
