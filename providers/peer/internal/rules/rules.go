// Package rules names the rules of the grid's protocol, so that tests can remove one
// and see that they notice. Nothing else may set them.
package rules

// A Set is the rules that are removed. The zero Set removes none, which is how the
// grid runs.
type Set uint64

// The rules. Each says what holds while it is not removed.
const (
	// Fence: replicas refuse replication of an older epoch or term.
	Fence Set = 1 << iota
	// PromoteInSync: only a member in sync becomes primary.
	PromoteInSync
	// WaitAll: a write is acknowledged when every member in sync has it.
	WaitAll
	// LearnerAck: from the end of the snapshot on, a learner's acknowledgement is
	// needed too.
	LearnerAck
	// Versioned: replicas keep the newer version of a key, and deletions leave
	// tombstones.
	Versioned
	// Lease: a primary serves only while the coordinator and everybody in sync
	// have acknowledged its heartbeats lately.
	Lease
	// Barrier: operations on a key wait for a write to it that is not committed.
	Barrier
	// CollectNewest: a takeover starts from the newest configuration that anybody
	// it can reach has.
	CollectNewest
	// NoticePause: a process that was paused does not take the silence for the
	// others' failure.
	NoticePause
	// ClaimCheck: members refuse a takeover while they hear from somebody older
	// than the claimant.
	ClaimCheck
	// KeepUntilMerged: the loser of a split keeps its data until the winner has
	// acknowledged it.
	KeepUntilMerged
	// MergeTombstones: deletions take part in a merge.
	MergeTombstones
	// Monotone: a version is greater than the one before, whatever the clock
	// says.
	Monotone
	// CopyThenDrop: a copy is dropped after its replacement is in sync.
	CopyThenDrop
	// NumberedStream: a learner confirms a snapshot only if it has every write
	// that followed its beginning.
	NumberedStream
	// Reclaim: a coordinator that learns of a higher promised term claims again.
	Reclaim
	// Ancestry: a configuration of another lineage is followed only if it comes
	// from one's own.
	Ancestry
	// CoordinatorFresh: a coordinator changes the configuration only while every
	// member that it does not suspect has acknowledged it lately.
	CoordinatorFresh
	// KeepLost: a member that was left behind offers what it has of partitions that
	// were lost without it, before it comes back empty.
	KeepLost
	// Dedup: an operation that is sent again is not executed again.
	Dedup
	// RollForward: a new primary first collects what the others in sync have and it
	// may lack.
	RollForward
	// ConfirmConfig: the next planned change waits until everybody has confirmed
	// the last one.
	ConfirmConfig
	// KeepTail: replicas keep acknowledged writes for a new primary as long as somebody
	// in sync may lack them.
	KeepTail
	// SettleFirst: a copy is dropped when all the others have every acknowledged write.
	SettleFirst
	// ReportUnheard: a primary reports replicas that it does not hear, even if nothing is
	// to be written.
	ReportUnheard
	// GreetLearner: a learner gets a snapshot, and is waited for, only if it answers.
	GreetLearner
	// JoinBothWays: the coordinator lets in only who has shown that both reach each other.
	JoinBothWays
	// DeafIsSilent: who has no lease of the coordinator blames nobody.
	DeafIsSilent
	// Hold: a partition is not served without its contents as long as somebody who has them
	// may come back.
	Hold
	// OneSide: of a cut of three members or more, only the side with most of them goes on,
	// unless both are asked to.
	OneSide
	// FenceRequests: a member executes only what was sent under a configuration of its own
	// lineage.
	FenceRequests
	// ForkAlone: a coordinator that removes members which may go on as well begins a new
	// lineage, so that no lineage has two sides.
	ForkAlone
	// Outnumber: members do not give themselves up for fewer that have gone on without them,
	// if all sides may go on.
	Outnumber
	// FreshConnection: nobody is replaced for silence before a fresh connection has failed.
	FreshConnection
	// Mute: while it gives what it has to another cluster, one serves nothing.
	Mute
	// Seal: who was left behind takes no more writes before giving what the others lack.
	Seal
	// DistantLease: leases last longer where answers take longer.
	DistantLease
)

// Names are the rules in order, for tests' output.
var Names = []string{
	"Fence", "PromoteInSync", "WaitAll", "LearnerAck", "Versioned", "Lease", "Barrier", "CollectNewest", "NoticePause",
	"ClaimCheck", "KeepUntilMerged", "MergeTombstones", "Monotone", "CopyThenDrop", "NumberedStream", "Reclaim", "Ancestry",
	"CoordinatorFresh", "KeepLost", "Dedup", "RollForward", "ConfirmConfig", "KeepTail", "SettleFirst",
	"ReportUnheard", "GreetLearner", "JoinBothWays", "DeafIsSilent",
	"Hold", "OneSide", "FenceRequests", "ForkAlone", "Outnumber", "FreshConnection", "Mute", "Seal", "DistantLease",
}

// On reports whether a rule holds.
func (s Set) On(rule Set) bool { return s&rule == 0 }
