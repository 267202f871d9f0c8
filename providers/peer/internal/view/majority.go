package view

import (
	"slices"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/rules"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// A Split says which sides of a cut go on.
type Split uint8

const (
	// Auto has, of three members or more, only the side with most of them go on; of two,
	// both sides do, and merge later. If all others have ended, whoever is left goes on.
	Auto Split = iota
	// All has all sides go on, and merge later.
	All
	// Most has only the side with more members go on; of equal sides, that with the oldest
	// member.
	Most
)

// free reports whether every side of a cut of a cluster may go on.
func (m *Machine) free(c *topology.Config) bool {
	switch m.Split {
	case All:
		return true
	case Auto:
		return len(c.Members)+len(c.Absent) <= 2 && len(c.Voters) == 0 || !m.Rules.On(rules.OneSide)
	}
	return false
}

// Else only one goes on: the one with most members, or with half of them if the oldest is
// there. Since members come and go, both
// sides could have most of what each takes for the members. So a change of the members
// needs most of the old and most of the new ones, until it is certain that most of the
// old ones know of it: the joint consensus of Raft (Ongaro and Ousterhout, 2014).

// groups returns the lists of members of each of which most must be on a side for it to go
// on.
func groups(c *topology.Config) [][]topology.ID {
	members := make([]topology.ID, len(c.Members))
	for i := range members {
		members[i] = c.Members[i].ID
	}
	if len(c.Voters) == 0 {
		return [][]topology.ID{members}
	}
	return [][]topology.ID{members, c.Voters}
}

// mayGoOn reports whether a side of a cut may go on, in a cluster with the
// configuration c. Here says who is on the side.
func (m *Machine) mayGoOn(c *topology.Config, here func(topology.ID) bool) bool {
	if m.free(c) {
		return true
	}
	for _, group := range groups(c) {
		n := 0
		for _, id := range group {
			if here(id) {
				n++
			}
		}
		few := 2*n < len(group) || 2*n == len(group) && !here(group[0])
		if few && !m.survives(group, here) {
			return false
		}
	}
	return true
}

// survives reports whether all members of a group that are not here have ended. If only some
// have, those others may have gone on with them before.
func (m *Machine) survives(group []topology.ID, here func(topology.ID) bool) bool {
	return m.Split == Auto && !slices.ContainsFunc(group, func(id topology.ID) bool { return !here(id) && !m.over(id, m.Silence) })
}

// leasedByMost returns until when the leases last of so many members that this side of
// a cut would go on. They count if the members know a partition as it is since an
// epoch: then whoever takes over will know it too.
func (m *Machine) leasedByMost(epoch topology.Stamp) int64 {
	least := int64(leaseForever)
	for g, group := range groups(m.config) {
		until := make([]int64, len(group), 2*len(group))
		for i, id := range group {
			until[i] = never
			switch {
			case g > 0 && m.hasLeft(id): // the others are members
				until[i] = leaseForever
			case id == m.Self.ID || m.shows(id, epoch):
				until[i] = m.leasedBy(id)
			}
		}
		inOrder := append(until[len(until):], until...)
		slices.Sort(inOrder)
		n := len(inOrder)
		most := inOrder[(n-1)/2] // more than half last as long
		if n%2 == 0 {
			most = max(most, min(until[0], inOrder[n/2]))
		}
		least = min(least, max(most, m.leasedByAll(group, until, most)))
	}
	return least
}

// leasedByAll returns until when the lease lasts of everybody in a group who has not ended, or
// less than enough if that is not longer than enough.
func (m *Machine) leasedByAll(group []topology.ID, until []int64, enough int64) int64 {
	all := int64(leaseForever)
	for i, id := range group {
		if until[i] >= all || m.Split == Auto && m.over(id, m.Silence) {
			continue
		}
		if all = until[i]; all <= enough {
			break
		}
	}
	return all
}

// hasLeft reports whether a voter has shown that it knows the configuration, in which it is no
// member any more: it has left, and votes for nobody else.
func (m *Machine) hasLeft(id topology.ID) bool {
	return !m.config.Has(id) && m.shows(id, m.config.Stamp)
}

// shows reports whether a member has shown a configuration of this lineage that is at
// least as new as a stamp.
func (m *Machine) shows(id topology.ID, stamp topology.Stamp) bool {
	p := m.peers[id]
	return p != nil && p.mark.Lineage == m.config.Lineage && !p.mark.Stamp.Less(stamp)
}

// vote makes a configuration whose members differ from those of the one before need
// most of those, too.
func (m *Machine) vote(old, c *topology.Config) {
	if m.free(old) || len(c.Voters) > 0 {
		return
	}
	before, after := groups(old), groups(c)
	if !slices.Equal(before[0], after[0]) {
		c.Voters = before[len(before)-1]
	}
}

// agree ends the need for most of the old members, when they know of the new ones.
func (m *Machine) agree(c *topology.Config) *topology.Config {
	if len(c.Voters) == 0 || !m.mayGoOn(c, func(id topology.ID) bool { return id == m.Self.ID || m.shows(id, c.Stamp) }) {
		return c
	}
	d := c.Clone()
	d.Stamp.Version++
	d.Voters = nil
	return d
}
