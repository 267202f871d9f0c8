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

// beforeFork returns the calls of a history that no side of a fork may have answered; a call
// during which it began may have been done or not.
func (h *history) beforeFork(f *fork) (calls []record) {
	h.mu.Lock()
	defer h.mu.Unlock()
	from, _ := f.began()
	for _, r := range h.calls {
		if r.began >= from {
			continue
		}
		if r.ended >= from {
			r.outcome = unknown
		}
		calls = append(calls, r)
	}
	return calls
}

// judgeFork says what is wrong with what the sides of a fork, or who came out of it, answered:
// nobody may see what was overwritten or deleted when it began.
func (h *history) judgeFork(f *fork) (broken string) {
	from, forked := f.began()
	if !forked {
		return ""
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range h.calls {
		value, saw := r.saw()
		if r.ended < from || !saw || !h.superseded(value, from) {
			continue
		}
		return "register " + h.key + " was " + named(value) + " in a fork, though that was over before it began:\n      " + r.String()
	}
	return ""
}

// saw returns the value that an answer tells of, if it does.
func (r record) saw() (value string, saw bool) {
	switch {
	case r.outcome != done:
		return "", false
	case r.kind == get:
		return r.answer.value, true
	case r.kind == replace && r.yes:
		return r.old, true
	case r.kind == create && r.yes, r.kind == remove && !r.yes:
		return "", true
	}
	return "", false
}

// leaves returns the value that a call may have left.
func (r record) leaves() (value string, changed bool) {
	switch {
	case r.kind == get || r.outcome == nothing || r.outcome == done && !r.yes:
		return "", false
	case r.kind == remove:
		return "", true
	}
	return r.call.value, true
}

// superseded reports whether all that may have left a value had ended when something else was
// done that was acknowledged at a time.
func (h *history) superseded(value string, at time.Duration) bool {
	last := time.Duration(-1) // an entry is absent at first
	for _, r := range h.calls {
		if left, changed := r.leaves(); changed && left == value {
			last = max(last, r.ended)
			if r.outcome != done {
				return false
			}
		}
	}
	for _, r := range h.calls {
		if left, changed := r.leaves(); changed && left != value && r.outcome == done && r.began > last && r.ended < at {
			return true
		}
	}
	return false
}
