package view

import (
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/rules"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// Options says who a member is and how it behaves. All members of a cluster have the
// same, but for Self.
type Options struct {
	// Self is this member. Its ID must be new.
	Self topology.Member
	// Partitions is the number of partitions. Default: 271.
	Partitions int
	// Copies is on how many members each partition should be. Default: 2.
	Copies int
	// HandOffs is how many partitions a member may give, and take, at the same
	// time. Default: 4.
	HandOffs int
	// Heartbeat is the time between heartbeats. Default: 100 ms.
	Heartbeat time.Duration
	// Lease is for how long an acknowledged heartbeat allows to serve, after the
	// time that an answer takes. Default: 350 ms.
	Lease time.Duration
	// Silence is after how long without an answer a member has failed. It must be
	// longer than Lease. Default: 1.5 s.
	Silence time.Duration
	// Async: a write may be acknowledged before everybody in sync has it, so that a copy
	// is dropped only when the primary has said, with Synced, that all of them have
	// everything.
	Async bool
	// Split says which sides of a cluster that is cut in two go on.
	Split Split
	// ForgetAfter is for how long partitions are held for members that do not answer. Zero: for
	// ever.
	ForgetAfter time.Duration
	// Draw returns a random number, to name lineages.
	Draw func() uint64
	// Clock returns the time of some while ago as versions count it.
	Clock func(ago time.Duration) uint64
	// Rules are removed by tests only.
	Rules rules.Set
}

func (o Options) withDefaults() Options {
	if o.Partitions == 0 {
		o.Partitions = 271
	}
	if o.Copies == 0 {
		o.Copies = 2
	}
	if o.HandOffs == 0 {
		o.HandOffs = 4
	}
	if o.Heartbeat == 0 {
		o.Heartbeat = 100 * time.Millisecond
	}
	if o.Lease == 0 {
		o.Lease = 350 * time.Millisecond
	}
	if o.Silence == 0 {
		o.Silence = 1500 * time.Millisecond
	}
	return o
}
