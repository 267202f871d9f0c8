package node

import "sync/atomic"

// A tally counts the operations on one partition. It fills a cache line, so that those on
// different partitions do not count at the same place of memory.
type tally struct {
	// local and remote count what was asked of this process and of other members, by
	// callers of this process, repetitions included; served what other members
	// asked of this one.
	local, remote, served atomic.Uint64
	// repeated counts the repetitions, and failed the operations that were not done.
	repeated, failed atomic.Uint64

	_ [24]byte
}

// ask counts what is asked of a member.
func (t *tally) ask(here bool) {
	if here {
		t.local.Add(1)
	} else {
		t.remote.Add(1)
	}
}

// end counts how an operation ended.
func (t *tally) end(err error) {
	if err != nil {
		t.failed.Add(1)
	}
}
