package main

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Visits are what the visitors of sessionapp do while one fault comes and is healed. Their
// sessions outlive the round.
type visits struct {
	f        *fleet
	broken   func(format string, args ...any)
	forked   *fork
	others   bool
	visitors []*visitor

	stopping atomic.Bool
	work     sync.WaitGroup

	mu     sync.Mutex // also of what visitors have, while others look
	counts counts
	lost   int
}

const (
	visitorsEach = 12
	visitPace    = 50 * time.Millisecond
)

// startVisits lets the visitors of the last round go on, or the first ones come.
func (r *runner) startVisits(seed uint64) *visits {
	v := &visits{f: r.fleet, forked: &r.round.fork, others: r.round.others, broken: r.broken}
	if last, ok := r.load.(*visits); ok {
		v.visitors = last.visitors
	}
	for i := range visitorsEach {
		if i == len(v.visitors) {
			v.visitors = append(v.visitors, &visitor{number: i})
		}
		one := v.visitors[i]
		one.v, one.rng = v, rand.New(rand.NewPCG(seed, uint64(i)))
		v.work.Go(func() {
			for !v.stopping.Load() {
				one.next()
				pauseFor(time.Duration(one.rng.Int64N(int64(visitPace))))
			}
		})
	}
	return v
}

func (v *visits) note(a answer) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.counts.add(a)
}

func (v *visits) fork() {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, one := range v.visitors {
		if one.cookie != nil {
			one.fork()
		}
	}
}

func (v *visits) stop() counts {
	v.stopping.Store(true)
	v.work.Wait()
	return v.counts
}

func (v *visits) judge(r *runner, _ bool) {
	if v.counts.unknown > 0 {
		pauseFor(v.counts.lastUnknown + callDeadline + calm - r.fleet.since())
	}
	for _, one := range v.visitors {
		one.settle()
	}
	r.round.lost = v.lost
}
