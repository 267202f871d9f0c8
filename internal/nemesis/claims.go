package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/keepsake-cache/keepsake/internal/lan"
)

func tryOneAfterTheOther(ctx context.Context, r *runner, s sizes) ([]finding, error) {
	return r.tryKills(s, func() error { return r.cluster.awaitReady(ctx) })
}

func tryTwoAtOnce(_ context.Context, r *runner, s sizes) ([]finding, error) {
	return r.tryKills(s, func() error { pauseFor(time.Second); return nil })
}

// tryKills kills two members, with something in between.
func (r *runner) tryKills(s sizes, between func() error) ([]finding, error) {
	keys, err := r.fill("counted", s.entries)
	if err != nil {
		return nil, err
	}
	r.cluster.kill(0)
	if err := between(); err != nil {
		return nil, err
	}
	r.cluster.kill(1)
	lost, err := r.countEverywhere(keys, missing)
	return []finding{{"entries lost", lost, len(keys)}}, err
}

func tryRolling(ctx context.Context, r *runner, s sizes) ([]finding, error) {
	keys, err := r.fill("counted", s.entries)
	if err != nil {
		return nil, err
	}
	load := r.startLoad(1, r.seed)
	for i := range r.cluster.size() {
		if err := r.restart(ctx, i); err != nil {
			return nil, err
		}
		if _, err := r.awaitSteady(ctx, calm); err != nil {
			return nil, err
		}
	}
	r.settle(load.stop())
	r.explain(load.histories)
	lost, err := r.countEverywhere(keys, missing)
	return []finding{{"entries lost", lost, len(keys)}}, err
}

// The last member must know what there is and what there is not, and so must the next one.
func tryDeletes(ctx context.Context, r *runner, s sizes) ([]finding, error) {
	keys, err := r.fill("deleted", s.changes)
	if err != nil {
		return nil, err
	}
	r.cluster.kill(0)
	unseen, err := r.count(r.fleet.up()[0], keys, call{kind: remove}, missing)
	if err != nil {
		return nil, err
	}
	before, err := r.countEverywhere(keys, found)
	if err != nil {
		return nil, err
	}
	if err := r.cluster.start(ctx, 0); err != nil {
		return nil, err
	}
	if _, err := r.awaitSteady(ctx, calm); err != nil {
		return nil, err
	}
	after, err := r.countEverywhere(keys, found)
	return []finding{
		{"entries that a delete did not find", unseen, len(keys)},
		{"deleted entries that can be read", before, len(keys)},
		{"the same after another member joined", after, len(keys)},
	}, err
}

func tryCreations(_ context.Context, r *runner, s sizes) ([]finding, error) {
	keys, err := r.fill("taken", s.changes)
	if err != nil {
		return nil, err
	}
	r.cluster.kill(0)
	created, err := r.count(r.fleet.up()[0], keys, call{kind: create, value: nextOne}, found)
	return []finding{{"existing entries overwritten", created, len(keys)}}, err
}

// A member that sleeps while entries are written elsewhere brings back no old values. The
// load goes on until some seconds after it is awake.
func tryPause(ctx context.Context, r *runner, s sizes) ([]finding, error) {
	_, strict := r.cluster.(grid)
	load := r.startLoad(1, r.seed)
	if !strict {
		r.load = load
		r.fork(nil)
	}
	if err := r.cluster.pause(1); err != nil {
		return nil, err
	}
	pauseFor(s.asleep)
	if err := r.cluster.resume(1); err != nil {
		return nil, err
	}
	pauseFor(3 * time.Second)
	_, err := r.awaitSteady(ctx, calm)
	n := load.stop()
	if err != nil {
		return nil, err
	}
	if strict {
		r.explain(load.histories)
	}
	return []finding{{"entries with an old value", len(r.settled(n)), len(r.ledger.keys)}}, nil
}

// Both sides of a split delete, the larger one changes, too.
func trySplit(ctx context.Context, r *runner, s sizes) ([]finding, error) {
	const cutOff = 2
	larger, err := r.fill("larger", s.changes)
	if err != nil {
		return nil, err
	}
	smaller, err := r.fill("smaller", s.changes)
	if err != nil {
		return nil, err
	}
	changed, err := r.fill("changed", s.changes)
	if err != nil {
		return nil, err
	}
	directions := r.around(cutOff)
	r.fleet.set(lan.Condition{Cut: true}, directions...)
	over := time.NewTimer(s.split)
	defer over.Stop()
	var errs [3]error
	var work sync.WaitGroup
	work.Go(func() { _, errs[0] = r.count(0, larger, call{kind: remove}, found) })
	work.Go(func() { _, errs[1] = r.count(1, changed, call{kind: put, value: nextOne}, found) })
	work.Go(func() { _, errs[2] = r.count(cutOff, smaller, call{kind: remove}, found) })
	work.Wait()
	<-over.C
	r.fleet.set(lan.Condition{}, directions...)
	for _, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("during the split: %w", err)
		}
	}
	if _, err := r.awaitSteady(ctx, splitCalm); err != nil {
		return nil, err
	}
	var findings []finding
	for _, x := range []struct {
		what string
		keys []string
		bad  func(answer) bool
	}{
		{"deletes of the larger side undone", larger, found},
		{"deletes of the smaller side undone", smaller, found},
		{"updates of the larger side lost", changed, other(nextOne)},
	} {
		n, err := r.countEverywhere(x.keys, x.bad)
		if err != nil {
			return nil, err
		}
		findings = append(findings, finding{x.what, n, len(x.keys)})
	}
	return findings, nil
}
