package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// A workload is what clients do while one fault comes and is healed.
type workload interface {
	// fork says that both sides of a cut may serve from now on.
	fork()
	// stop ends it, when all clients have the answer to their last call.
	stop() counts
	// judge checks what there is then. conflicts says that the servers have counted some.
	judge(r *runner, conflicts bool)
}

// A load is the workload of a cache.
type load struct {
	f         *fleet
	ledger    *ledger
	counters  []*counter
	forked    *fork
	broken    func(format string, args ...any)
	histories []*history
	others    bool // whoever is hurt is not called

	stopping atomic.Bool
	work     sync.WaitGroup

	mu     sync.Mutex
	counts counts
}

// counts are of calls, by what came of them.
type counts struct {
	calls, nothing, unknown int
	slowest                 time.Duration // of those that were done
	lastUnknown             time.Duration // when the last one began whose outcome is unknown
}

const (
	registerClients = 4
	ledgerClients   = 4
	registersEach   = 6
	// pace is the longest pause of a client between two calls.
	pace = 20 * time.Millisecond
)

// startLoad lets the clients begin. Their choices follow from seed.
func (r *runner) startLoad(number int, seed uint64) *load {
	ld := &load{f: r.fleet, ledger: r.ledger, counters: r.counters, forked: &r.round.fork, others: r.round.others, broken: r.broken}
	for i := range registersEach {
		ld.histories = append(ld.histories, &history{key: fmt.Sprintf("register-%d-%d", number, i)})
	}
	for client := range registerClients + ledgerClients + counterClients + 1 {
		rng := rand.New(rand.NewPCG(seed, uint64(client)))
		var next func()
		switch at := client - registerClients; {
		case at < 0:
			next = ld.registerClient(client, rng)
		case at < ledgerClients:
			next = ld.ledgerClient(client, at, rng)
		case at < ledgerClients+counterClients:
			next = ld.counterClient(client, rng)
		default:
			next = ld.briefClient(client, number, rng)
		}
		ld.work.Go(func() {
			for !ld.stopping.Load() {
				next()
				pauseFor(time.Duration(rng.Int64N(int64(pace))))
			}
		})
	}
	return ld
}

func (ld *load) fork() {
	ld.ledger.fork()
	for _, n := range ld.counters {
		n.open()
	}
}

func (ld *load) judge(r *runner, conflicts bool) {
	r.settle(ld.counts)
	r.explain(ld.histories)
	r.checkCounters(conflicts)
}

// stop waits until all clients have the answer to their last call.
func (ld *load) stop() counts {
	ld.stopping.Store(true)
	ld.work.Wait()
	ld.mu.Lock()
	defer ld.mu.Unlock()
	return ld.counts
}

func pauseFor(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	<-timer.C
}

// values are never written twice, so that each tells who wrote it.
var values atomic.Int64

func newValue() string { return fmt.Sprintf("v%d", values.Add(1)) }

// registerClient returns what one of the clients does that compete for a few keys.
func (ld *load) registerClient(client int, rng *rand.Rand) (next func()) {
	seen := make(map[string]string) // what this client believes
	return func() {
		h := ld.histories[rng.IntN(len(ld.histories))]
		c := call{key: h.key, value: newValue()}
		switch n := rng.IntN(100); {
		case n < 40:
			c.kind, c.value = get, ""
		case n < 55:
			c.kind = put
		case n < 65:
			c.kind, c.value = remove, ""
		case n < 85:
			c.kind, c.old = replace, seen[h.key]
		default:
			c.kind = create
		}
		if c.kind == replace && c.old == "" {
			c.kind, c.value = get, ""
		}
		a := ld.do(rng, c)
		h.add(record{client, c, a})
		if a.outcome != done {
			return
		}
		switch {
		case c.kind == get:
			seen[h.key] = a.value
		case a.yes || c.kind == put:
			seen[h.key] = c.value
		}
	}
}

// ledgerClient returns what one of the clients does that have keys of their own: at is
// its place among them.
func (ld *load) ledgerClient(client, at int, rng *rand.Rand) (next func()) {
	return func() {
		c := call{key: ld.ledger.keys[rng.IntN(len(ld.ledger.keys)/ledgerClients)*ledgerClients+at]}
		switch n := rng.IntN(100); {
		case n < 40:
			c.kind = get
		case n < 65:
			c.kind, c.value = put, newValue()
		case n < 85:
			c.kind, c.value = create, newValue()
		default:
			c.kind = remove
		}
		r := record{client, c, ld.do(rng, c)}
		if broken := ld.ledger.note(r, ld.forked.meets(r.answer)); broken != "" {
			ld.broken("%s", broken)
		}
	}
}

// do makes a call at some server, and counts it.
func (ld *load) do(rng *rand.Rand, c call) answer {
	a := ld.f.do(ld.f.choose(rng, ld.others), c, callDeadline+lateness)
	ld.mu.Lock()
	ld.counts.add(a)
	ld.mu.Unlock()
	switch {
	case a.outcome == wrong:
		ld.broken("server %d answers what it should not: %s", a.server, a.value)
	case a.ended-a.began >= callDeadline+lateness && !ld.f.excused(a):
		ld.broken("no answer in time: %v", record{0, c, a})
	}
	return a
}

func (n *counts) add(a answer) {
	n.calls++
	switch a.outcome {
	case nothing:
		n.nothing++
	case done:
		n.slowest = max(n.slowest, a.ended-a.began)
	default:
		n.unknown++
		n.lastUnknown = max(n.lastUnknown, a.began)
	}
}

// choose picks a server that may be asked; now and then, if not only others are called,
// one that runs though it is hurt.
func (f *fleet) choose(rng *rand.Rand, others bool) int {
	places := f.up()
	if rng.IntN(200) == 0 && !others {
		places = f.running()
	}
	if len(places) == 0 {
		places = f.which(func(s *server) bool { return s.proc != nil })
	}
	return places[rng.IntN(len(places))]
}

// do makes a call at a server and waits for the answer, but not longer than limit.
func (f *fleet) do(place int, c call, limit time.Duration) answer {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	a := answer{server: place, began: f.since()}
	a.outcome, a.yes, a.value = send(ctx, f.client, f.url(place), c)
	a.ended = f.since()
	return a
}

// each calls do for all keys, some at a time, and returns the errors.
func each(keys []string, workers int, do func(key string) error) error {
	var next atomic.Int64
	var mu sync.Mutex
	var errs []error
	var wg sync.WaitGroup
	for range min(workers, len(keys)) {
		wg.Go(func() {
			for at := next.Add(1); int(at) <= len(keys); at = next.Add(1) {
				if err := do(keys[at-1]); err != nil {
					mu.Lock()
					errs = append(errs, err)
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
