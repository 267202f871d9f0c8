package main

import "time"

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
