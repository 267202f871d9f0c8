package faults_test

import "context"

// A result is how often a promise was not kept.
type result struct {
	promise  string
	lost, of int
}

func (r *result) count(lost bool) {
	if r.of++; lost {
		r.lost++
	}
}

// losses compares what is there with what was acknowledged.
func (l *ledger) losses() []result {
	last := l.processes[1]
	entries, removals := result{promise: "an entry stays"}, result{promise: "a removed entry stays removed"}
	creations, increments := result{promise: "an entry that was created by one is not replaced"}, result{promise: "an increment counts once"}
	for r, keys := range map[*result]map[string]int{&entries: l.kept, &removals: l.removed, &creations: l.winners, &increments: l.counters} {
		for key, want := range keys {
			var n int
			var found bool
			answered, _ := l.call(func(ctx context.Context) (err error) { n, found, err = last.cache.Get(ctx, key); return err })
			switch {
			case !answered && l.lasts: // nobody knows
			case r == &entries:
				r.count(!found || n != want)
			case r == &removals:
				r.count(found)
			case r == &creations:
				r.count(found && n != want)
			default:
				r.lost += max(0, want-n, n-want-l.unknown[key])
				r.of += want
			}
		}
	}
	return append([]result{
		entries, removals, creations, increments,
		{"an error says what happened, in time", l.wrong, l.calls}, {"an entry ends at its deadline", l.late, l.over},
	}, l.visits(last)...)
}

// visits looks for the sessions.
func (l *ledger) visits(last process) []result {
	look := func(cookie string) (n int, ok, unknown bool) {
		n, ok = new(visitor).ask(last.site, "/look", cookie)
		return n, ok, !ok && l.lasts
	}
	sessions, changes := result{promise: "a session lives"}, result{promise: "a change of a session stays"}
	for _, v := range l.visitors {
		n, ok, unknown := look(v.cookie)
		if unknown {
			continue
		}
		lost := !ok || n == 0 || v.anew
		sessions.count(lost)
		changes.count(!lost && (n < v.acked || v.back))
	}
	for _, v := range l.idle {
		if n, ok, unknown := look(v.cookie); !unknown {
			sessions.count(!ok || n != 1)
		}
	}
	logouts, renewals := result{promise: "a logout stays"}, result{promise: "a renewed id stays dead"}
	for _, v := range l.leavers {
		if v.ended == "" {
			continue
		}
		if n, ok, unknown := look(v.ended); !unknown {
			logouts.count(ok && n > 0)
		}
	}
	for _, v := range l.renewers {
		for _, old := range v.old {
			if n, ok, unknown := look(old); !unknown {
				renewals.count(ok && n > 0)
			}
		}
	}
	return []result{sessions, changes, logouts, renewals}
}
