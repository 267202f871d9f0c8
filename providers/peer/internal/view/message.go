package view

import "github.com/keepsake-cache/keepsake/providers/peer/internal/topology"

// A Mark names a configuration.
type Mark struct {
	Lineage uint64
	Stamp   topology.Stamp
}

// mark returns the mark of a configuration, zero of none.
func mark(c *topology.Config) Mark {
	if c == nil {
		return Mark{}
	}
	return Mark{c.Lineage, c.Stamp}
}

// followed reports whether c is, or comes from, the configuration of a mark.
func followed(m Mark, c *topology.Config) bool {
	if c == nil || m.Lineage == 0 {
		return false
	}
	if c.Lineage == m.Lineage {
		return !c.Stamp.Less(m.Stamp)
	}
	return c.Follows(&topology.Config{Lineage: m.Lineage, Stamp: m.Stamp})
}

// A Message is what members' views send each other. Messages are immutable: one may be
// sent to many.
type Message interface{ message() }

// Heartbeat says that the sender is alive, and shows what it has.
type Heartbeat struct {
	Mark     Mark
	Promised uint64
	// Winner is the newest configuration that it has of the cluster into which its
	// own is merging.
	Winner Mark
	// Sent is the sender's monotonic time, which the answer carries back.
	Sent int64
	// Lease is for how long the sender asks for one, in nanoseconds.
	Lease int64
}

// HeartbeatAck answers a Heartbeat.
type HeartbeatAck struct {
	Mark     Mark
	Promised uint64
	Winner   Mark
	Sent     int64
	// Lease: for so many nanoseconds from Sent on, nobody takes over from the receiver with
	// the sender's help.
	Lease int64
}

// Publish carries a configuration: a newer one to a member, or that of another
// cluster.
type Publish struct {
	// Base is what the receiver is known to have. Encoded, the message leaves out
	// the partitions that have not changed since. The zero stamp leaves out none.
	Base   topology.Stamp
	Config *topology.Config
	// Winner: this is not the receiver's own configuration, but that of the cluster
	// into which it is merging.
	Winner bool
}

// Probe asks somebody outside the cluster for its configuration.
type Probe struct {
	Mark Mark
	// Known is what the sender already has of the receiver's cluster.
	Known Mark
}

// Here answers a Probe that has nothing to learn.
type Here struct {
	Mark Mark
}

// Join asks for admission. Whoever is not the coordinator passes it on.
type Join struct {
	Member topology.Member
	// Invited is the lineage of a configuration that its coordinator has sent to the
	// member itself, so that both are known to reach each other. Zero: there is none.
	Invited uint64
}

// Leave asks for a member to be drained and dismissed.
type Leave struct {
	ID topology.ID
}

// Claim asks the receiver to follow the sender as coordinator from now on.
type Claim struct {
	Term uint64
	Mark Mark
	// Ancestors of the sender's configuration, for a receiver that does not have
	// it.
	Ancestors []topology.Fork
	// Without are the members that the sender is about to remove.
	Without []topology.ID
}

// ClaimAnswer answers a Claim.
type ClaimAnswer struct {
	Term     uint64
	OK       bool
	Promised uint64
	Mark     Mark
	// Config is set if it is newer than the claimant's.
	Config *topology.Config
	// Left is for how long, in nanoseconds, a lease may still count that the sender has
	// given to any of those who are about to be removed.
	Left int64
}

// A Report is what primaries tell the coordinator, again and again until it has obeyed
// or the finding is not true any more.
type Report struct {
	Mark Mark
	// Synced: learners that have everything, or primaries all of whose replicas have.
	Synced []Finding
	// Silent: members in sync, or learners, that do not acknowledge.
	Silent []Finding
	// Merged: partitions whose data the winner of a split has acknowledged.
	Merged []Finding
	// Restored: partitions that were held, and that somebody who had them has given back.
	Restored []Finding
}

// A Finding is about one member of one partition.
type Finding struct {
	Partition int
	// Epoch of the partition when it was found. Of a merged partition, the reign of
	// the winner's primary.
	Epoch  topology.Stamp
	Member topology.ID
}

// Disband tells the members of a cluster that has merged into another to come back
// empty.
type Disband struct {
	Mark Mark
}

func (*Heartbeat) message()    {}
func (*HeartbeatAck) message() {}
func (*Publish) message()      {}
func (*Probe) message()        {}
func (*Here) message()         {}
func (*Join) message()         {}
func (*Leave) message()        {}
func (*Claim) message()        {}
func (*ClaimAnswer) message()  {}
func (*Report) message()       {}
func (*Disband) message()      {}
