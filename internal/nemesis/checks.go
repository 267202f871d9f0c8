package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"
)

// settle waits until nothing can be under way any more, and checks the ledger.
func (r *runner) settle(n counts) {
	for _, broken := range r.settled(n) {
		r.broken("%s", broken)
	}
}

// settled is settle that returns what is wrong, with one text for each key.
func (r *runner) settled(n counts) (broken []string) {
	var mu sync.Mutex
	say := func(text string) {
		mu.Lock()
		defer mu.Unlock()
		broken = append(broken, text)
	}
	if n.unknown > 0 {
		pauseFor(n.lastUnknown + callDeadline + calm - r.fleet.since())
	}
	_ = each(r.ledger.keys, registerClients, func(key string) error {
		places := r.fleet.up()
		c := call{kind: get, key: key}
		a := r.fleet.do(places[rand.IntN(len(places))], c, callDeadline+lateness)
		if a.outcome != done {
			say(fmt.Sprintf("a key cannot be read though the servers are ready: %v", record{0, c, a}))
			return nil
		}
		if text := r.ledger.settle(record{0, c, a}); text != "" {
			say(text)
		}
		return nil
	})
	return broken
}

// checkCounters compares the counters with the acknowledged additions. What a fork may lose of them must have been counted by the
// servers.
func (r *runner) checkCounters(counted bool) {
	for _, n := range r.counters {
		places := r.fleet.up()
		c := call{kind: get, key: n.key}
		a := r.fleet.do(places[rand.IntN(len(places))], c, callDeadline+lateness)
		if a.outcome != done {
			r.broken("a counter cannot be read though the servers are ready: %v", record{0, c, a})
			continue
		}
		lost, broken := n.settle(record{0, c, a})
		if r.round.lost += lost; broken != "" {
			r.broken("%s", broken)
		}
	}
	if _, ours := r.cluster.(grid); ours && r.round.lost > 0 && !counted {
		r.broken("%d increments were lost in a merge, but no server counts a conflict", r.round.lost)
	}
}

// explain checks the histories.
func (r *runner) explain(histories []*history) {
	for _, h := range histories {
		if broken := h.judgeFork(&r.round.fork); broken != "" {
			r.broken("%s", broken)
		}
		if _, forked := r.round.fork.began(); forked {
			h.calls = h.beforeFork(&r.round.fork)
		}
		switch explained, decided := h.check(); {
		case !decided:
			r.round.undecided++
			r.printf("    the history of %s is too hard to judge", h.key)
		case !explained:
			r.broken("the calls on %s have no order that explains them:%s", h.key, h.blame())
		}
	}
}

// agree checks that all servers have the same entries, and those of the ledger, with all
// their copies.
func (r *runner) agree(ctx context.Context) {
	pauseFor(longestBrief + tardiness)
	entries, problems := r.compare()
	if len(problems) > 0 {
		// A write whose outcome is unknown may have been done in between.
		pauseFor(2 * time.Second)
		entries, problems = r.compare()
	}
	for _, problem := range problems {
		r.broken("%s", problem)
	}
	r.printf("at the end each server lists %d entries", entries)
	r.quiet(ctx, entries)
}

// compare returns how many entries there are, and what is wrong with them.
func (r *runner) compare() (entries int, problems []string) {
	say := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	var first map[string]string
	for _, i := range r.fleet.up() {
		entries, err := r.fleet.entries(i)
		switch {
		case err != nil:
			say("server %d does not list its entries: %v", i, err)
			continue
		case first == nil:
			first = entries
		}
		for _, key := range differences(first, entries) {
			say("servers disagree on %s: %s and %s", key, named(first[key]), named(entries[key]))
		}
		for _, key := range r.ledger.keys {
			if !r.ledger.agrees(key, entries[key]) {
				say("server %d lists %s as %s, which it should not be", i, key, named(entries[key]))
			}
		}
	}
	return len(first), problems
}

// differences returns the keys whose values differ.
func differences(a, b map[string]string) (keys []string) {
	for key := range a {
		if a[key] != b[key] {
			keys = append(keys, key)
		}
	}
	for key := range b {
		if _, ok := a[key]; !ok {
			keys = append(keys, key)
		}
	}
	return keys
}

// maxPrinted bounds the violations of one round that are printed.
const maxPrinted = 8

// broken enters a violation.
func (r *runner) broken(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.round.violations++
	r.report.violations = append(r.report.violations, text)
	if r.printed++; r.printed <= maxPrinted {
		r.printf("VIOLATION in round %d (%s), seed %d: %s", r.round.number, r.round.fault, r.seed, strings.TrimSpace(text))
	}
}
