package node

import "sync/atomic"

// The opCounters count the operations on one partition. They fill a cache line, so that those on
// different partitions do not count at the same place of memory.
type opCounters struct {
	// local and remote count what was asked of this process and of other members, by
	// callers of this process, repetitions included; served what other members
	// asked of this one.
	local, remote, served atomic.Uint64
	// repeated counts the repetitions, and failed the operations that were not done.
	repeated, failed atomic.Uint64

	_ [24]byte
}

// ask counts what is asked of a member.
func (c *opCounters) ask(here bool) {
	if here {
		c.local.Add(1)
	} else {
		c.remote.Add(1)
	}
}

// end counts how an operation ended.
func (c *opCounters) end(err error) {
	if err != nil {
		c.failed.Add(1)
	}
}
