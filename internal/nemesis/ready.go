package main

import (
	"context"
	"fmt"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer"
)

// ready reports nil if every server that runs is ready, and all are one cluster.
func (f *fleet) ready(ctx context.Context) error {
	running := f.running()
	coordinators := 0
	for _, i := range running {
		switch s, err := f.status(ctx, i, ""); {
		case err != nil:
			return err
		case !s.Ready:
			return fmt.Errorf("server %d is not ready", i)
		case s.Grid.Members != 0 && s.Grid.Members != len(running):
			return fmt.Errorf("server %d sees %d members, not %d", i, s.Grid.Members, len(running))
		case s.Grid.Merging || s.Grid.Held > 0:
			return fmt.Errorf("server %d: merging %v, %d partitions held", i, s.Grid.Merging, s.Grid.Held)
		case s.Grid.Coordinator && coordinators > 0:
			return fmt.Errorf("server %d is another coordinator", i)
		case s.Grid.Coordinator:
			coordinators++
		}
	}
	return nil
}

// healingTimeout bounds the time from the end of a fault until there is one cluster again,
// whatever happened.
const healingTimeout = 20 * time.Second

// readyTimeout bounds the time until servers are ready after a fault.
const readyTimeout = time.Minute

// awaitReady waits until all servers that run are ready.
func (f *fleet) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	return poll(ctx, func() error { return f.ready(ctx) })
}

const (
	// calm is the time under load before a fault and after it.
	calm = 500 * time.Millisecond
	// splitCalm is the time after a cut of the network in which connections that were
	// made before it may still be mute: they try again after twice the last pause.
	splitCalm = 4 * time.Second
)

// awaitSteady waits until the cluster is ready and stays so for a while, and returns
// after what time it was. A ready cluster in which somebody is then removed was not.
func (r *runner) awaitSteady(ctx context.Context, calm time.Duration) (after time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	start := r.round.healed
	if start.IsZero() {
		start = time.Now()
	}
	for {
		if err := r.cluster.awaitReady(ctx); err != nil {
			return time.Since(start), err
		}
		after = time.Since(start)
		r.round.fork.close(r.fleet.since())
		before := rebirths(r.fleet.stats(ctx))
		if pauseFor(calm); r.fleet.ready(ctx) == nil && rebirths(r.fleet.stats(ctx)) == before {
			return after, nil
		}
	}
}

// stats returns what servers that run count.
func (f *fleet) stats(ctx context.Context) map[int]peer.Stats {
	all := make(map[int]peer.Stats)
	for _, i := range f.running() {
		if s, err := f.status(ctx, i, ""); err == nil {
			all[i] = s.Grid
		}
	}
	return all
}

// increase returns by how much a number has grown that each server counts from zero when it
// becomes a member.
func increase(before, after map[int]peer.Stats, number func(peer.Stats) uint64) (n uint64) {
	for i, s := range after {
		now, was := number(s), number(before[i])
		if now < was || s.Rebirths != before[i].Rebirths {
			was = 0
		}
		n += now - was
	}
	return n
}

func conflictsOf(s peer.Stats) uint64 { return s.Conflicts }

// rebirths counts how often servers had to come back empty.
func rebirths(all map[int]peer.Stats) (n int) {
	for _, s := range all {
		n += s.Rebirths
	}
	return n
}
