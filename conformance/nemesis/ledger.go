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
	certain string  // what the last acknowledged write left, or what was found since
	open    []doubt // what may come instead of it
	deleted bool    // the last acknowledged write was a delete
	found   bool    // which found an entry
	fresh   bool    // certain was written since the last time that everything was settled
	last    []record
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

func newLedger(keys []string) *ledger {
	l := &ledger{keys: keys, entries: make(map[string]*account, len(keys))}
	for _, key := range keys {
		l.entries[key] = &account{}
	}
	return l
}

// keptRecords is how many calls an account remembers.
const keptRecords = 12

// note enters a call by the key's owner, and returns what is wrong with its answer. In a
// split both sides may serve: a read may be old, and a delete that finds nothing says only
// that this side has not seen what was written on the other one since.
func (l *ledger) note(r record, split bool) (broken string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.entries[r.key]
	a.last = append(a.last, r)
	if len(a.last) > keptRecords {
		a.last = slices.Delete(a.last, 0, 1)
	}
	switch {
	case r.kind == get:
		if r.outcome == done && !split {
			return a.see(r.key, r.answer.value)
		}
	case r.outcome == done && r.kind == remove && !r.yes && split && a.fresh:
		a.open = append(a.open, doubt{until: r.ended})
	case r.outcome == done:
		if r.kind == remove && !split {
			broken = a.judgeRemoval(r.key, r.yes)
		}
		a.certain, a.deleted, a.found, a.fresh = r.call.value, r.kind == remove, r.yes, true
	case r.outcome == unknown || r.outcome == wrong:
		a.open = append(a.open, doubt{r.call.value, r.ended + afterlife})
	}
	return broken
}

// settle enters what a key has when no call is under way any more, and returns what is
// wrong with it.
func (l *ledger) settle(r record) (broken string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.entries[r.key]
	broken = a.see(r.key, r.answer.value)
	a.fresh = false
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

// judgeRemoval says what is wrong with a delete that found an entry, or none.
func (a *account) judgeRemoval(key string, found bool) string {
	if found == (a.certain != "") || slices.ContainsFunc(a.open, func(d doubt) bool { return found == (d.value != "") }) {
		return ""
	}
	if found {
		return a.complain(key, "there for a delete")
	}
	return a.complain(key, "")
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
	fmt.Fprintf(&b, "%s: key %s is %s, should be %s", what, key, named(found), named(a.certain))
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
