package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// A ledger is what is known of many keys, each of which is written by one client only,
// one call after the other.
type ledger struct {
	keys []string

	mu      sync.Mutex
	entries map[string]*account
}

// An account is what is known of one key. The empty value is absence.
type account struct {
	certain string   // what the last acknowledged write left, or what was found since
	open    []doubt  // what may come instead of it
	deleted bool     // the last acknowledged write was a delete
	found   bool     // which found an entry
	since   []string // what it was, or may have been, since the last fork began
	last    []record
	of      string // what it belongs to, in complaints
}

// A doubt is a write whose outcome is unknown. It may be done later, even after writes
// that began when its caller had given up: a request can wait in a connection that was
// cut, or on the lesser side of a split. But it is done once at most, and not after its
// time.
type doubt struct {
	value string
	until time.Duration
}

// afterlife is how long a call may be done after it ended: as long as the longest cut or
// pause, twice for what waits in a connection to be sent again, and the deadline that it
// has when it arrives.
const afterlife = 2*maxTrouble + callDeadline + lateness

// newLedger returns a ledger of keys that are absent. In complaints they belong to something.
func newLedger(of string, keys []string) *ledger {
	l := &ledger{keys: keys, entries: make(map[string]*account, len(keys))}
	for _, key := range keys {
		l.entries[key] = &account{of: of}
	}
	return l
}

// keptRecords is how many calls an account remembers.
const keptRecords = 12

// fork says that both sides of a cut may go on from now on, each with what there is.
func (l *ledger) fork() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range l.entries {
		a.since = []string{a.certain}
	}
}

// note enters a call by the key's owner, and returns what is wrong with its answer. In a
// fork a side may not have seen what was written on the other one since it began; but
// nobody sees what was older then.
func (l *ledger) note(r record, forked bool) (broken string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.entries[r.key]
	a.last = append(a.last, r)
	if len(a.last) > keptRecords {
		a.last = slices.Delete(a.last, 0, 1)
	}
	switch {
	case r.outcome == nothing:
	case r.kind == get:
		switch {
		case r.outcome != done:
		case !forked:
			broken = a.see(r.key, r.answer.value)
		case !a.may(func(value string) bool { return value == r.answer.value }):
			broken = a.complain(r.key, r.answer.value)
		}
	case r.outcome == done:
		if r.kind == remove || r.kind == create {
			broken = a.judge(r, forked)
		}
		if r.kind == create && !r.yes {
			return broken
		}
		a.certain, a.deleted, a.found = r.call.value, r.kind == remove, r.yes
		a.since = append(a.since, a.certain)
	default:
		a.open = append(a.open, doubt{r.call.value, r.ended + afterlife})
	}
	return broken
}

// forget enters a delete of which nobody knows whether it found an entry.
func (l *ledger) forget(r record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.entries[r.key]
	a.certain, a.deleted, a.found = "", true, true
	a.since = append(a.since, "")
	a.last = append(a.last, r)
}

// forgotten says that a side of the fork may have none of the entries.
func (l *ledger) forgotten() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range l.entries {
		a.since = append(a.since, "")
	}
}

// may reports whether a side of the fork may have a value.
func (l *ledger) may(key, value string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.entries[key].may(func(v string) bool { return v == value })
}

// may reports whether what is asked for is so of a value that a side of the fork may have.
func (a *account) may(be func(value string) bool) bool {
	return slices.ContainsFunc(a.since, be) || slices.ContainsFunc(a.open, func(d doubt) bool { return be(d.value) })
}

// settle enters what a key has when no call is under way any more, and returns what is
// wrong with it.
func (l *ledger) settle(r record) (broken string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.entries[r.key]
	broken = a.see(r.key, r.answer.value)
	a.since = nil
	a.open = slices.DeleteFunc(a.open, func(d doubt) bool { return d.until < r.began })
	return broken
}

// agrees reports whether what was found is what a key may have.
func (l *ledger) agrees(key, found string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.entries[key]
	return found == a.certain || slices.ContainsFunc(a.open, func(d doubt) bool { return d.value == found })
}

// see enters a value that was found, and says what is wrong with it.
func (a *account) see(key, found string) (broken string) {
	if found == a.certain {
		return ""
	}
	if at := slices.IndexFunc(a.open, func(d doubt) bool { return d.value == found }); at >= 0 {
		a.open = slices.Delete(a.open, at, at+1)
		a.deleted, a.found = found == "", true
	} else {
		broken = a.complain(key, found)
	}
	a.certain = found
	return broken
}

// judge says what is wrong with a delete or a creation that found an entry, or none.
func (a *account) judge(r record, forked bool) string {
	found := r.yes == (r.kind == remove)
	agrees := func(value string) bool { return found == (value != "") }
	switch {
	case agrees(a.certain), slices.ContainsFunc(a.open, func(d doubt) bool { return agrees(d.value) }):
		return ""
	case forked && a.may(agrees):
		return ""
	case found:
		return a.complain(r.key, "there for a change")
	}
	return a.complain(r.key, "")
}

// complain says what is wrong with what was found.
func (a *account) complain(key, found string) string {
	what := "an acknowledged write is lost"
	switch {
	case a.deleted && a.found:
		what = "an acknowledged delete is undone"
	case a.deleted:
		what = "what a delete did not find is there"
	case a.certain == "":
		what = "there is what nobody wrote"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s%s is %s, should be %s", what, a.of, key, named(found), named(a.certain))
	for _, d := range a.open {
		fmt.Fprintf(&b, " or %s until %.4f s", named(d.value), d.until.Seconds())
	}
	for _, r := range a.last {
		fmt.Fprintf(&b, "\n      %v", r)
	}
	return b.String()
}

func named(value string) string {
	if value == "" {
		return "absent"
	}
	return value
}
