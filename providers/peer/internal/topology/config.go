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
	// Reborn: the process was a member before, under another ID, and had left what it had
	// to others when it came back.
	Reborn bool
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
	// Held are the members that had every acknowledged write when the last of them was
	// removed because it did not answer. As long as one of them may come back, nobody can
	// know what the partition contains, and it serves nothing. Empty: it is served.
	Held []ID
	// Lost is the epoch in which the partition began empty, because everybody who had it
	// has ended, so that acknowledged writes were lost. Zero: never.
	Lost Stamp
}

// Holds reports whether id has or copies the partition.
func (p *Partition) Holds(id ID) bool {
	return p.Learner == id || slices.Contains(p.InSync, id)
}

// A Config is what the members of a cluster agree on. It is immutable: changes are
// made to a clone.
type Config struct {
	// Lineage names the line of configurations that one coordinator makes on one side of
	// any cut. A coordinator that takes over begins a new one, and so does one that goes on
	// without members that may go on as well, so that two sides are told apart.
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
	// Absent were removed because they did not answer, and may be alive: nothing proves
	// that their processes have ended. Others have left, and it is not certain yet that
	// most members know.
	Absent []Member
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
	// Shared: the other side of the fork was free to go on as well, so that each may have
	// what the other one lacks.
	Shared bool
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
	d.Absent = slices.Clone(c.Absent)
	d.Partitions = slices.Clone(c.Partitions)
	for i := range d.Partitions {
		d.Partitions[i].InSync = slices.Clone(c.Partitions[i].InSync)
		d.Partitions[i].Held = slices.Clone(c.Partitions[i].Held)
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

// CommonStamp returns the stamp of the last configuration that two clusters have in common.
// Zero: they have none.
func CommonStamp(a, b *Config) Stamp {
	if a.Lineage == b.Lineage {
		return earlier(a.Stamp, b.Stamp)
	}
	var last Stamp
	for _, f := range a.Ancestors {
		if g, ok := b.fork(f.Lineage); ok {
			last = later(last, earlier(f.Stamp, g.Stamp))
		} else if f.Lineage == b.Lineage {
			last = later(last, f.Stamp)
		}
	}
	if g, ok := b.fork(a.Lineage); ok {
		last = later(last, g.Stamp)
	}
	return last
}

func later(a, b Stamp) Stamp {
	if a.Less(b) {
		return b
	}
	return a
}

func earlier(a, b Stamp) Stamp {
	if a.Less(b) {
		return a
	}
	return b
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

// Without returns c after some members have gone, under the next version. Each partition
// that one of them was primary of gets an in-sync member in its place. Where none is left,
// fallback takes its place without the contents: the partition is held for those who have
// them, unless all of these are known to have ended.
func (c *Config) Without(gone []ID, ended func(ID) bool, fallback ID) *Config {
	d := c.Clone()
	d.Stamp.Version++
	left := func(id ID) bool { return slices.Contains(gone, id) }
	for i := range c.Members {
		if m := c.Members[i]; left(m.ID) {
			d.Absent = append(d.Absent, m)
		}
	}
	d.Members = slices.DeleteFunc(d.Members, func(m Member) bool { return left(m.ID) })
	for i := range d.Partitions {
		p := &d.Partitions[i]
		if !slices.ContainsFunc(gone, p.Holds) {
			continue
		}
		p.Epoch = d.Stamp
		had := slices.Clone(p.InSync)
		p.InSync = slices.DeleteFunc(p.InSync, left)
		if left(p.Learner) {
			p.Learner = 0
		}
		if left(p.Primary) {
			d.takeOver(p, had, ended, fallback)
		}
	}
	return d
}

// takeOver gives a partition whose primary is gone another one. Had are those who had it.
func (c *Config) takeOver(p *Partition, had []ID, ended func(ID) bool, fallback ID) {
	if len(p.InSync) == 0 {
		p.InSync = []ID{fallback}
		if len(p.Held) == 0 {
			p.Held = had
			c.unhold(p, ended)
		}
	}
	p.Primary, p.Learner, p.Reign = p.InSync[0], 0, c.Stamp
}

// unhold takes those who have ended off the list for whom a partition is held. If nobody is
// left, another absent member may have gone on with it. If nobody is absent, it begins empty.
func (c *Config) unhold(p *Partition, ended func(ID) bool) {
	if p.Held = slices.DeleteFunc(p.Held, ended); len(p.Held) > 0 {
		return
	}
	p.Held = nil
	for i := range c.Absent {
		if id := c.Absent[i].ID; !ended(id) {
			p.Held = append(p.Held, id)
		}
	}
	if p.Held == nil {
		p.Lost = c.Stamp
	}
}

// Unhold returns c after more members are known to have ended, under the next version.
func (c *Config) Unhold(ended func(ID) bool) *Config {
	d := c.Clone()
	d.Stamp.Version++
	for i := range d.Partitions {
		if p := &d.Partitions[i]; slices.ContainsFunc(p.Held, ended) {
			p.Epoch = d.Stamp
			d.unhold(p, ended)
		}
	}
	return d
}

// Forget is Unhold when some members do not count as absent any more either.
func (c *Config) Forget(gone []ID, ended func(ID) bool) *Config {
	left := func(id ID) bool { return slices.Contains(gone, id) }
	d := c.Unhold(func(id ID) bool { return left(id) || ended(id) })
	if d.Absent = slices.DeleteFunc(d.Absent, func(m Member) bool { return left(m.ID) }); len(d.Absent) == 0 {
		d.Absent = nil
	}
	return d
}

// Waits reports whether a member is absent.
func (c *Config) Waits(id ID) bool {
	return slices.ContainsFunc(c.Absent, func(m Member) bool { return m.ID == id })
}

// Successor returns the member that has the address of one that is gone, or nil.
func (c *Config) Successor(gone *Member) *Member {
	i := slices.IndexFunc(c.Members, func(m Member) bool { return m.Addr == gone.Addr && m.ID != gone.ID })
	if i < 0 {
		return nil
	}
	return &c.Members[i]
}

// HeldFor reports whether a partition is held for a member.
func (c *Config) HeldFor(id ID) bool {
	return slices.ContainsFunc(c.Partitions, func(p Partition) bool { return slices.Contains(p.Held, id) })
}

// Held returns how many partitions are held.
func (c *Config) Held() int {
	n := 0
	for i := range c.Partitions {
		if len(c.Partitions[i].Held) > 0 {
			n++
		}
	}
	return n
}

// Shared reports whether since two clusters parted either may have gone on without the other
// one, so that each may have what the other one lacks.
func Shared(a, b *Config) bool {
	return a.parted(b) || b.parted(a)
}

// parted reports whether c's way from what it has in common with o leads through a fork that
// is shared.
func (c *Config) parted(o *Config) bool {
	if _, ok := o.fork(c.Lineage); ok || c.Lineage == o.Lineage {
		return false
	}
	for _, f := range c.Ancestors {
		if f.Shared {
			return true
		}
		if _, ok := o.fork(f.Lineage); ok || f.Lineage == o.Lineage {
			return false
		}
	}
	return false
}
