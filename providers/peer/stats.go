package peer

// Stats describes a member, and the grid as it sees it.
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

// Stats returns numbers for an operator. It looks at every partition for a moment, so that
// it may be asked every few seconds.
func (p *Provider) Stats() Stats { return Stats(p.node.Stats()) }
