package main

import (
	"context"
	"fmt"
	"time"
)

// ready reports nil if every server that runs is ready and sees all the others.
func (f *fleet) ready(ctx context.Context) error {
	running := f.running()
	for _, i := range running {
		switch s, err := f.status(ctx, i, ""); {
		case err != nil:
			return err
		case !s.Ready:
			return fmt.Errorf("server %d is not ready", i)
		case s.Grid.Members != 0 && s.Grid.Members != len(running):
			return fmt.Errorf("server %d sees %d members, not %d", i, s.Grid.Members, len(running))
		}
	}
	return nil
}

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
	for start := time.Now(); ; {
		if err := r.cluster.awaitReady(ctx); err != nil {
			return time.Since(start), err
		}
		after = time.Since(start)
		before := r.fleet.rebirths(ctx)
		if pauseFor(calm); r.fleet.ready(ctx) == nil && r.fleet.rebirths(ctx) == before {
			return after, nil
		}
	}
}

// rebirths counts how often servers that run had to come back empty.
func (f *fleet) rebirths(ctx context.Context) (n int) {
	for _, i := range f.running() {
		if s, err := f.status(ctx, i, ""); err == nil {
			n += s.Grid.Rebirths
		}
	}
	return n
}
