package faults_test

import "context"

// A result is how often a promise was not kept.
type result struct {
	promise  string
	lost, of int
}

// losses compares what is there with what was acknowledged.
func (l *ledger) losses() []result {
	last := l.processes[1]
	get := func(key string) (n int, found bool) {
		acked, _ := l.call(func(ctx context.Context) (err error) { n, found, err = last.cache.Get(ctx, key); return err })
		return n, acked && found
	}
	entries := result{promise: "an entry stays"}
	for key, want := range l.kept {
		if n, found := get(key); !found || n != want {
			entries.lost++
		}
		entries.of++
	}
	removals := result{promise: "a removed entry stays removed"}
	for key := range l.removed {
		if _, found := get(key); found {
			removals.lost++
		}
		removals.of++
	}
	creations := result{promise: "an entry that was created by one is not replaced"}
	for key, want := range l.winners {
		if n, found := get(key); found && n != want {
			creations.lost++
		}
		creations.of++
	}
	increments := result{promise: "an increment counts once"}
	for key, want := range l.counters {
		n, _ := get(key)
		increments.lost += max(0, want-n, n-want-l.unknown[key])
		increments.of += want
	}
	return append([]result{entries, removals, creations, increments, {"an error says what happened, in time", l.wrong, l.calls}}, l.visits(last)...)
}

// visits looks for the sessions.
func (l *ledger) visits(last process) []result {
	sessions, changes := result{promise: "a session lives"}, result{promise: "a change of a session stays"}
	for _, v := range l.visitors {
		n, ok := v.ask(last.site, "/look", v.cookie)
		switch {
		case !ok || n == 0 || v.anew:
			sessions.lost++
		case n < v.acked || v.back:
			changes.lost++
		}
		sessions.of++
		changes.of++
	}
	for _, v := range l.idle {
		if n, ok := v.ask(last.site, "/look", v.cookie); !ok || n != 1 {
			sessions.lost++
		}
		sessions.of++
	}
	logouts, renewals := result{promise: "a logout stays"}, result{promise: "a renewed id stays dead"}
	for _, v := range l.leavers {
		if v.ended == "" {
			continue
		}
		if n, ok := v.ask(last.site, "/look", v.ended); ok && n > 0 {
			logouts.lost++
		}
		logouts.of++
	}
	for _, v := range l.renewers {
		for _, old := range v.old {
			if n, ok := v.ask(last.site, "/look", old); ok && n > 0 {
				renewals.lost++
			}
			renewals.of++
		}
	}
	return []result{sessions, changes, logouts, renewals}
}
