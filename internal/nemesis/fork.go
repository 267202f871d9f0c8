package main

import (
	"sync"
	"time"
)

// A fork is the time in which the sides of a cut may both serve, and in which somebody
// calls both: from the beginning of a fault until there is one cluster again. Outside of it
// every call must have its result as if there were one server only. The zero fork is none.
type fork struct {
	mu       sync.Mutex
	from, to time.Duration
	side     func(server int) bool // which of two sides; nil: they change
}

// open begins the fork.
func (f *fork) open(now time.Duration, side func(server int) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.from, f.to, f.side = now, forever, side
}

// close ends it: there is one cluster again.
func (f *fork) close(now time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.to == forever {
		f.to = now
	}
}

// began returns when it began; ok is false if it did not.
func (f *fork) began() (from time.Duration, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.from, f.to != 0
}

// meets reports whether a side of the fork may have answered a call.
func (f *fork) meets(a answer) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.from <= a.ended && a.began < f.to
}

// sideOf returns the side that a server is on, if that is known.
func (f *fork) sideOf(server int) (side, known bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.side == nil {
		return false, false
	}
	return f.side(server), true
}

// fork says that both sides of a cut may serve from now on, if they may and somebody calls
// both: server belongs to one if side says so, to the other if not. Without side, they
// change.
func (r *runner) fork(side func(server int) bool) {
	if r.round.others || !r.forks() {
		return
	}
	r.load.fork()
	r.round.fork.open(r.fleet.since(), side)
}

// forks reports whether both sides of a cut may serve.
func (r *runner) forks() bool {
	_, ours := r.cluster.(grid)
	return !ours || r.onSplit == "availability" || r.onSplit == "auto" && r.servers == 2
}

// onlyOthers decides whether clients call only the others of a member that is hurt.
func (r *runner) onlyOthers() bool {
	chance := r.rng.IntN(2) == 0
	return r.callers == callOthers || r.callers == callMixed && chance
}

const (
	callAll    = "all"
	callOthers = "others"
	callMixed  = "mixed"
)
