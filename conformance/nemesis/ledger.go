package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
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
	certain string   // what the last acknowledged write left
	maybe   []string // what writes whose outcome is unknown may leave, or may have left
	deleted bool     // the last acknowledged write was a delete
	found   bool     // which found an entry
	fresh   bool     // certain was written since the last time that everything was settled
	last    []record
}

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
			return a.judge(r.key, r.answer.value)
		}
	case r.outcome == done && r.kind == remove && !r.yes && split && a.fresh:
		a.maybe = append(a.maybe, "")
	case r.outcome == done:
		a.certain, a.deleted, a.found, a.fresh = r.call.value, r.kind == remove, r.yes, true
	case r.outcome == unknown || r.outcome == wrong:
		a.maybe = append(a.maybe, r.call.value)
	}
	return ""
}

// settle enters what a key has when nothing is under way any more, and returns what is
// wrong with it.
func (l *ledger) settle(r record) (broken string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.entries[r.key]
	broken = a.judge(r.key, r.answer.value)
	a.certain, a.maybe, a.fresh = r.answer.value, nil, false
	return broken
}

// settled returns the entries there should be.
func (l *ledger) settled() map[string]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make(map[string]string)
	for key, a := range l.entries {
		if a.certain != "" {
			all[key] = a.certain
		}
	}
	return all
}

// judge says what is wrong with a value that was found.
func (a *account) judge(key, found string) string {
	if found == a.certain || slices.Contains(a.maybe, found) {
		return ""
	}
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
	if len(a.maybe) > 0 {
		fmt.Fprintf(&b, " or one of %q", a.maybe)
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
