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
	// have fewer copies than they should have, Held of those that are not served because
	// nobody who has them answers, and Lost of those that were lost, with all their copies,
	// at some time. All are counted over the whole grid.
	HandOffs, Short, Held, Lost int
	// Primaries and Replicas are the partitions that this member has.
	Primaries, Replicas int
	// Entries and Tombstones are the records and the remembered deletions here, and
	// Bytes what they use.
	Entries, Tombstones int
	Bytes               int64
	// MaxBytes is the bound on Bytes, zero if there is none.
	MaxBytes int64
	// Uncommitted is the number of writes here that not all replicas have yet,
	// Waiting that of operations that are not executed yet, and Lag how many writes
	// the replica lacks that lacks most.
	Uncommitted, Waiting int
	Lag                  uint64
	// Handing is how many records and deletions others have not confirmed that copy
	// partitions of this member, or that it gives its records to after a split.
	Handing int
	// Rebirths is how often this process had to come back empty.
	Rebirths int

	// Merged are the records and deletions that were taken over here after a split, or
	// from a member that was left behind. Conflicts are the keys that both sides had changed, and
	// Discarded the versions that lost to a later one. Expired are the records whose
	// deadlines had passed, and Evicted those that were dropped for lack of memory,
	// where this member is the primary. All are counted since it became a member.
	Merged, Conflicts, Discarded, Expired, Evicted uint64
	// Connections are those to and from other members at the moment, and QueuedBytes
	// wait to be sent to them. SentBytes were sent, and RoundTrips begun, since this
	// process became a member.
	Connections, QueuedBytes int
	SentBytes, RoundTrips    uint64
	// Local and Remote count what callers of this process asked of it and of other
	// members: operations on one key, and their repetitions, since the process began. Served is what
	// other members asked of this one.
	Local, Remote, Served uint64
	// Repeated is how many of them were repetitions, because who was asked could
	// not answer. Failed counts the operations that ended with an error.
	Repeated, Failed uint64
}

// Stats looks at every partition for a moment.
func (n *Node) Stats() Stats {
	s := Stats{Rebirths: int(n.rebirths.Load())}
	if m := n.opts.Replica.Memory; m != nil {
		s.MaxBytes = m.Max
	}
	for i := range n.counters {
		s.add(&n.counters[i])
	}
	l, _ := n.now()
	if l == nil {
		return s
	}
	w := l.wire.Stats()
	s.Connections, s.QueuedBytes, s.SentBytes, s.RoundTrips = w.Connections, w.QueuedBytes, w.SentBytes, w.Calls
	c := l.config.Load()
	if c == nil {
		return s
	}
	s.Members, s.Coordinator = len(c.Members), c.Coordinator() == l.self.ID
	s.Term, s.Version, s.Merging = c.Stamp.Term, c.Stamp.Version, c.Merging != 0
	for i := range c.Partitions {
		s.count(l, c, &c.Partitions[i])
	}
	if l.member != nil {
		l.member.stats(&s)
	}
	return s
}

// stats takes in what the partitions say.
func (m *membership) stats(s *Stats) {
	for i := range m.slots {
		slot := &m.slots[i]
		slot.mu.RLock()
		of := slot.replica.Stats()
		slot.mu.RUnlock()
		s.Entries += of.Entries
		s.Tombstones += of.Tombstones
		s.Bytes += of.Bytes
		s.Uncommitted += of.Uncommitted
		s.Waiting += of.Waiting
		s.Handing += of.Handing
		s.Merged += of.Merged
		s.Conflicts += of.Conflicts
		s.Discarded += of.Discarded
		s.Expired += of.Expired
		s.Evicted += of.Evicted
		for _, lag := range of.Lag {
			s.Lag = max(s.Lag, lag)
		}
	}
}

// add takes in the operations on a partition.
func (s *Stats) add(t *opCounters) {
	s.Local += t.local.Load()
	s.Remote += t.remote.Load()
	s.Served += t.served.Load()
	s.Repeated += t.repeated.Load()
	s.Failed += t.failed.Load()
}

// count takes in what the configuration says of a partition.
func (s *Stats) count(l *life, c *topology.Config, p *topology.Partition) {
	if p.Learner != 0 {
		s.HandOffs++
	}
	if len(p.InSync) < min(l.n.opts.Copies, len(c.Members)) {
		s.Short++
	}
	if len(p.Held) > 0 {
		s.Held++
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
