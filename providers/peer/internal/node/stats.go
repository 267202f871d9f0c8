package node

import "github.com/keepsake-cache/keepsake/providers/peer/internal/topology"

// Stats describes this process and the grid as it sees it.
type Stats struct {
	// Members is their number, zero between two memberships. Coordinator: this one
	// makes the configurations.
	Members     int
	Coordinator bool
	// Term and Version number the configuration.
	Term, Version uint64
	// Merging: the cluster gives its records to another one, after a split.
	Merging bool
	// HandOffs is the number of partitions that are being copied, Short of those that
	// have fewer copies than they should have, and Lost of those that were lost, with
	// all their copies, at some time. All are counted over the whole grid.
	HandOffs, Short, Lost int
	// Primaries and Replicas are the partitions that this member has.
	Primaries, Replicas int
	// Entries and Tombstones are the records and the remembered deletions here, and
	// Bytes what they use.
	Entries, Tombstones int
	Bytes               int64
	// Uncommitted is the number of writes here that not all replicas have yet,
	// Waiting that of operations that are not executed yet, and Lag how many writes
	// the replica lacks that lacks most.
	Uncommitted, Waiting int
	Lag                  uint64
	// Rebirths is how often this process had to come back empty.
	Rebirths int
}

// Stats looks at every partition for a moment.
func (n *Node) Stats() Stats {
	s := Stats{Rebirths: int(n.rebirths.Load())}
	l, _ := n.now()
	if l == nil {
		return s
	}
	c := l.config.Load()
	if c == nil {
		return s
	}
	s.Members, s.Coordinator = len(c.Members), c.Coordinator() == l.self.ID
	s.Term, s.Version, s.Merging = c.Stamp.Term, c.Stamp.Version, c.Merging != 0
	for i := range c.Partitions {
		s.count(l, c, &c.Partitions[i])
	}
	for i := range l.slots {
		slot := &l.slots[i]
		slot.mu.RLock()
		of := slot.replica.Stats()
		slot.mu.RUnlock()
		s.Entries += of.Entries
		s.Tombstones += of.Tombstones
		s.Bytes += of.Bytes
		s.Uncommitted += of.Uncommitted
		s.Waiting += of.Waiting
		for _, lag := range of.Lag {
			s.Lag = max(s.Lag, lag)
		}
	}
	return s
}

// count takes in what the configuration says of a partition.
func (s *Stats) count(l *life, c *topology.Config, p *topology.Partition) {
	if p.Learner != 0 {
		s.HandOffs++
	}
	if len(p.InSync) < min(l.n.opts.Copies, len(c.Members)) {
		s.Short++
	}
	if p.Lost != (topology.Stamp{}) {
		s.Lost++
	}
	switch {
	case p.Primary == l.self.ID:
		s.Primaries++
	case p.Holds(l.self.ID):
		s.Replicas++
	}
}
