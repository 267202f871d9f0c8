package main

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// A brief entry expires. Its life begins when it is written: after its call began and
// before that ended.
type brief struct {
	life    time.Duration
	written record
}

const (
	// Lives are from shortestBrief to longestBrief.
	shortestBrief = 500 * time.Millisecond
	longestBrief  = 3500 * time.Millisecond
	// maxBrief bounds the entries of which one client waits for the end.
	maxBrief = 50
	// tardiness is how much longer an entry may be seen.
	tardiness = 100 * time.Millisecond
)

// judge says what is wrong with what a read found of an entry.
func (b brief) judge(r record) string {
	switch {
	case r.yes && r.answer.value != b.written.call.value:
		return "a brief entry has a value that nobody wrote"
	case !r.yes && r.ended < b.written.began+b.life:
		return "an entry expired early"
	case r.yes && r.began > b.written.ended+b.life+tardiness:
		return "an entry did not expire"
	}
	return ""
}

// briefClient returns what the client does that writes entries which expire: its own, each
// of them once.
func (ld *load) briefClient(client, number int, rng *rand.Rand) (next func()) {
	var entries []brief
	written := 0
	return func() {
		if len(entries) == 0 || len(entries) < maxBrief && rng.IntN(3) == 0 {
			written++
			b := brief{life: shortestBrief + time.Duration(rng.Int64N(int64(longestBrief-shortestBrief)))}
			c := call{kind: put, key: fmt.Sprintf("brief-%d-%d", number, written), value: newValue(), life: b.life}
			b.written = record{client, c, ld.do(rng, c)}
			if b.written.outcome == done {
				entries = append(entries, b)
			}
			return
		}
		at := rng.IntN(len(entries))
		b := entries[at]
		c := call{kind: get, key: b.written.key}
		r := record{client, c, ld.do(rng, c)}
		if r.outcome != done {
			return
		}
		if broken := b.judge(r); broken != "" && !ld.unseen(b, r) {
			ld.broken("%s:\n      %v\n      %v", broken, b.written, r)
		}
		if !r.yes {
			entries[at] = entries[len(entries)-1]
			entries = entries[:len(entries)-1]
		}
	}
}

// unseen reports whether a read may not find an entry because it was written on the other side of a fork.
func (ld *load) unseen(b brief, r record) bool {
	return !r.yes && ld.forked.meets(b.written.answer) && ld.forked.meets(r.answer)
}
