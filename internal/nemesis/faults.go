package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// A fault is something bad that is done to a cluster that is ready, and healed.
type fault struct {
	name    string
	one     bool // it is one member that is hurt
	network bool // the servers need addresses of their own
	// missing says why it cannot be done, or nothing.
	missing func(r *runner) string
	// strike does it, heals it, and says what it was. An error says that it could not
	// be healed.
	strike func(ctx context.Context, r *runner) (what string, err error)
}

// faults are all that there are. The first one is the control: what is measured while
// nothing is wrong.
var faults = []fault{
	{name: control, missing: possible, strike: strikeNothing},
	{name: "kill", missing: needsTwo, strike: strikeKill},
	{name: "pause", missing: needsTwo, strike: strikePause},
	{name: "restart", missing: needsTwo, strike: strikeRestart},
	{name: "rolling", missing: needsTwo, strike: strikeRolling},
	{name: "twice", missing: needsThree, strike: strikeTwice},
	{name: "storm", missing: needsGrid, strike: strikeStorm},
	{name: "skew", missing: needsGridOfTwo, strike: strikeSkew},
	{name: "full", missing: needsBound, strike: strikeFull},
	{name: "slow", one: true, network: true, missing: needsNetwork, strike: strikeSlow},
	{name: "cut", one: true, network: true, missing: needsNetwork, strike: strikeCut},
	{name: "blip", one: true, network: true, missing: needsNetwork, strike: strikeBlip},
	{name: "blips", one: true, network: true, missing: needsNetwork, strike: strikeBlips},
	{name: "flap", one: true, network: true, missing: needsNetwork, strike: strikeFlap},
	{name: "loss20", one: true, network: true, missing: needsNetwork, strike: lose(0.2)},
	{name: "loss30", one: true, network: true, missing: needsNetwork, strike: lose(0.3)},
	{name: "delay", one: true, network: true, missing: needsNetwork, strike: strikeDelay},
	{name: "double", one: true, network: true, missing: needsNetwork, strike: strikeDouble},
	{name: "bridge", network: true, missing: needsNetwork, strike: strikeBridge},
	{name: "oneway", network: true, missing: needsNetwork, strike: strikeOneWay},
}

func faultNames() (names []string) {
	for _, f := range faults {
		names = append(names, f.name)
	}
	return names
}

// parseFaults reads a list of names; all stands for all of them, and network for those of the
// network.
func parseFaults(list string) (chosen []fault, err error) {
	switch list {
	case "all":
		return faults, nil
	case "network":
		return slices.DeleteFunc(slices.Clone(faults), func(f fault) bool { return !f.network }), nil
	}
	for name := range strings.SplitSeq(list, ",") {
		at := slices.Index(faultNames(), strings.TrimSpace(name))
		if at < 0 {
			return nil, fmt.Errorf("there is no fault %q; there are %s", name, strings.Join(faultNames(), ", "))
		}
		chosen = append(chosen, faults[at])
	}
	return chosen, nil
}

// maxTrouble bounds the time for which a network is cut or a member stands still.
const maxTrouble = 8 * time.Second

func possible(*runner) string { return "" }

func needsTwo(r *runner) string { return needs(r, 2) }

func needsThree(r *runner) string { return needs(r, 3) }

func needs(r *runner, n int) string {
	if r.cluster.size() < n {
		return fmt.Sprintf("it needs %d members", n)
	}
	return ""
}

func needsGrid(r *runner) string {
	if _, ok := r.cluster.(grid); !ok {
		return "the servers are not the cluster"
	}
	return ""
}

func needsGridOfTwo(r *runner) string {
	if r.app != "" {
		return "the servers have no clock that could be set"
	}
	if missing := needsGrid(r); missing != "" {
		return missing
	}
	return needs(r, 2)
}

func needsNetwork(r *runner) string {
	if r.fleet.network == nil {
		return "there are no network namespaces: " + r.noNetwork
	}
	return needs(r, 2)
}

// between returns a random time, to a tenth of a second.
func (r *runner) between(from, to time.Duration) time.Duration {
	return from + time.Duration(r.rng.Int64N(int64(to-from)+1)).Round(100*time.Millisecond)
}

// two returns two members, in random order.
func (r *runner) two() (a, b int) {
	order := r.rng.Perm(r.cluster.size())
	return order[0], order[1]
}

func strikeNothing(_ context.Context, r *runner) (string, error) {
	r.measure()()
	return "nothing", nil
}

func strikeKill(ctx context.Context, r *runner) (string, error) {
	i, d := r.rng.IntN(r.cluster.size()), r.between(0, 4*time.Second)
	r.cluster.kill(i)
	wait := r.measure()
	pauseFor(d)
	err := r.cluster.start(ctx, i)
	wait()
	return fmt.Sprintf("kill -9 of %d, start after %v", i, d), err
}

func strikePause(_ context.Context, r *runner) (string, error) {
	i, d := r.rng.IntN(r.cluster.size()), r.between(time.Second, 6*time.Second)
	if err := r.cluster.pause(i); err != nil {
		return "", err
	}
	wait := r.measure()
	pauseFor(d)
	err := r.cluster.resume(i)
	wait()
	return fmt.Sprintf("SIGSTOP of %d for %v", i, d), err
}

func strikeRestart(ctx context.Context, r *runner) (string, error) {
	i := r.rng.IntN(r.cluster.size())
	wait := r.measure()
	err := r.restart(ctx, i)
	wait()
	return fmt.Sprintf("restart of %d", i), err
}

// restart ends a member in good order and starts it again.
func (r *runner) restart(ctx context.Context, i int) error {
	if err := r.cluster.terminate(i); err != nil {
		return err
	}
	return r.cluster.start(ctx, i)
}

func strikeRolling(ctx context.Context, r *runner) (string, error) {
	order := r.rng.Perm(r.cluster.size())
	wait := r.measure()
	defer wait()
	for _, i := range order {
		if err := r.restart(ctx, i); err != nil {
			return "", err
		}
		if err := r.cluster.awaitReady(ctx); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("rolling restart in the order %v", order), nil
}

// strikeTwice loses one member after the other, with just the time in between that it
// takes to make new copies, but three seconds at least.
func strikeTwice(ctx context.Context, r *runner) (string, error) {
	a, b := r.two()
	r.cluster.kill(a)
	wait := r.measure()
	pauseFor(3 * time.Second)
	wait()
	if err := r.cluster.awaitReady(ctx); err != nil {
		return "", err
	}
	r.cluster.kill(b)
	r.measure()()
	for _, i := range []int{a, b} {
		if err := r.cluster.start(ctx, i); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("kill -9 of %d and then of %d", a, b), nil
}

// strikeStorm lets further servers join and leave, some at the same time, and none
// waiting for the others.
func strikeStorm(ctx context.Context, r *runner) (string, error) {
	n := r.cluster.size()
	extra := min(n, maxServers-n)
	var mu sync.Mutex
	var first error
	var work sync.WaitGroup
	for i := range extra {
		pauses := []time.Duration{r.between(0, time.Second), r.between(0, time.Second), r.between(0, time.Second), r.between(0, time.Second)}
		work.Go(func() {
			for at, d := range pauses {
				pauseFor(d)
				var err error
				if at%2 == 0 {
					err = r.cluster.start(ctx, n+i)
				} else {
					err = r.cluster.terminate(n + i)
				}
				if err != nil {
					mu.Lock()
					first = err
					mu.Unlock()
					return
				}
			}
		})
	}
	work.Wait()
	return fmt.Sprintf("%d servers join and leave, twice each", extra), first
}
