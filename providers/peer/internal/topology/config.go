// Package topology describes who is in the grid and which member holds which
// partition: the data that the members agree on, and the pure functions over it.
package topology

import (
	"cmp"
	"slices"
)

// An ID names one incarnation of a process. A process that restarts, or comes back
// empty, has another one. Zero is nobody.
type ID uint64

// A Member is a process that holds data.
type Member struct {
	ID ID
	// Addr is where the others reach it.
	Addr string
	// Zone names what fails together: a rack, a machine room. Members of one zone
	// do not back each other up if there are other zones.
	Zone string
	// Leaving members hand their partitions over and take no others.
	Leaving bool
}

// A Stamp orders the configurations of one lineage. A term belongs to one
// coordinator, which counts its versions.
type Stamp struct {
	Term, Version uint64
}

// Compare orders stamps by term, then version.
func (s Stamp) Compare(o Stamp) int {
	return cmp.Or(cmp.Compare(s.Term, o.Term), cmp.Compare(s.Version, o.Version))
}

// Less reports whether s is older than o.
func (s Stamp) Less(o Stamp) bool { return s.Compare(o) < 0 }

// A Partition says who holds one part of the keys.
type Partition struct {
	// Epoch is the stamp of the configuration that changed the partition last.
	// Replication under another epoch is refused.
	Epoch Stamp
	// Reign is the epoch in which Primary became primary. It names the stream of
	// its writes.
	Reign Stamp
	// Primary serves the partition. It is one of InSync.
	Primary ID
	// InSync are the members that have every acknowledged write.
	InSync []ID
	// Learner is copying the partition in order to be in sync. Zero: nobody.
	Learner ID
	// Lost is the epoch of the last takeover when nobody in sync was left, so
	// that acknowledged writes may have been lost. Zero: never.
	Lost Stamp
}

// Holds reports whether id has or copies the partition.
func (p *Partition) Holds(id ID) bool {
	return p.Learner == id || slices.Contains(p.InSync, id)
}

// A Config is what the members of a cluster agree on. It is immutable: changes are
// made to a clone.
type Config struct {
	// Lineage names the line of configurations that one coordinator makes. A
	// coordinator that takes over begins a new one, so that two that took over
	// from the same predecessor, on two sides of a cut, are told apart.
	Lineage uint64
	Stamp   Stamp
	// Members are in the order in which they joined. The first one coordinates.
	Members    []Member
	Partitions []Partition
	// Ancestors are the lineages that this one comes from, the latest first, and
	// where it left them.
	Ancestors []Fork
	// Merging is the lineage that this cluster is giving its data to. Zero:
	// none. While it merges it takes no writes.
	Merging uint64
	// Voters are the members before the last changes of them, as long as it is not
	// certain that most of them know. If only one side of a cut may go on, it must
	// be most of these, and of Members as well. Empty: Members are all that count.
	Voters []ID
}

// A Fork is the point at which a lineage was left for a new one.
type Fork struct {
	Lineage uint64
	// Stamp of the last configuration before the fork.
	Stamp Stamp
	// Clock is the time of the fork, as versions count it: what was written up to
	// then was known before.
	Clock uint64
}

// MaxAncestors bounds Ancestors. A member that was away for more takeovers is taken
// for another cluster, and its data is merged.
const MaxAncestors = 64

// Found returns the first configuration of a new cluster.
func Found(lineage uint64, self Member, partitions int) *Config {
	c := &Config{Lineage: lineage, Stamp: Stamp{1, 1}, Members: []Member{self}, Partitions: make([]Partition, partitions)}
	for i := range c.Partitions {
		c.Partitions[i] = Partition{Epoch: c.Stamp, Reign: c.Stamp, Primary: self.ID, InSync: []ID{self.ID}}
	}
	return c
}

// Clone returns a deep copy.
func (c *Config) Clone() *Config {
	d := *c
	d.Members = slices.Clone(c.Members)
	d.Ancestors = slices.Clone(c.Ancestors)
	d.Voters = slices.Clone(c.Voters)
	d.Partitions = slices.Clone(c.Partitions)
	for i := range d.Partitions {
		d.Partitions[i].InSync = slices.Clone(c.Partitions[i].InSync)
	}
	return &d
}

// Same reports whether two configurations are one.
func (c *Config) Same(o *Config) bool { return c.Lineage == o.Lineage && c.Stamp == o.Stamp }

// Newer reports whether c was made after o, if one comes from the other.
func (c *Config) Newer(o *Config) bool { return o.Stamp.Less(c.Stamp) }

// Follows reports whether c comes from o: it is of the same lineage, or of one that
// left it at o or later. What o's members wrote is then known to c's.
func (c *Config) Follows(o *Config) bool {
	if c.Lineage == o.Lineage {
		return true
	}
	f, ok := c.fork(o.Lineage)
	return ok && !f.Stamp.Less(o.Stamp)
}

func (c *Config) fork(lineage uint64) (Fork, bool) {
	for _, f := range c.Ancestors {
		if f.Lineage == lineage {
			return f, true
		}
	}
	return Fork{}, false
}

// CommonClock returns the time of the last fork that two clusters have in common:
// what was written up to then was known to both. Zero: they have nothing in common.
func CommonClock(a, b *Config) uint64 {
	clock := uint64(0)
	for _, f := range a.Ancestors {
		if g, ok := b.fork(f.Lineage); ok {
			clock = max(clock, min(f.Clock, g.Clock))
		} else if f.Lineage == b.Lineage {
			clock = max(clock, f.Clock)
		}
	}
	if g, ok := b.fork(a.Lineage); ok {
		clock = max(clock, g.Clock)
	}
	return clock
}

// Coordinator returns the member that may change the configuration.
func (c *Config) Coordinator() ID {
	if len(c.Members) == 0 {
		return 0
	}
	return c.Members[0].ID
}

// Member returns the member of that id, or nil.
func (c *Config) Member(id ID) *Member {
	for i := range c.Members {
		if c.Members[i].ID == id {
			return &c.Members[i]
		}
	}
	return nil
}

// Has reports whether id is a member.
func (c *Config) Has(id ID) bool { return c.Member(id) != nil }

// Staying returns how many members do not want to leave.
func (c *Config) Staying() int {
	n := 0
	for i := range c.Members {
		if !c.Members[i].Leaving {
			n++
		}
	}
	return n
}

// Without returns c after a member has gone, under the next version. Each partition
// that it was primary of gets an in-sync member in its place. Where none is left,
// fallback takes an empty one over, and that is noted in Lost.
func (c *Config) Without(gone ID, fallback ID) *Config {
	d := c.Clone()
	d.Stamp.Version++
	d.Members = slices.DeleteFunc(d.Members, func(m Member) bool { return m.ID == gone })
	for i := range d.Partitions {
		p := &d.Partitions[i]
		if !p.Holds(gone) {
			continue
		}
		p.Epoch = d.Stamp
		p.InSync = slices.DeleteFunc(p.InSync, func(id ID) bool { return id == gone })
		if p.Learner == gone {
			p.Learner = 0
		}
		if p.Primary == gone {
			d.takeOver(p, fallback)
		}
	}
	return d
}

// takeOver gives a partition whose primary is gone another one.
func (c *Config) takeOver(p *Partition, fallback ID) {
	if len(p.InSync) == 0 {
		p.InSync = []ID{fallback}
		p.Lost = c.Stamp
	}
	p.Primary, p.Learner, p.Reign = p.InSync[0], 0, c.Stamp
}
