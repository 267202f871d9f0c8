package main

import (
	"context"
	"fmt"
	"time"

	"github.com/keepsake-cache/keepsake/conformance/internal/lan"
)

// A direction is from one host to another.
type direction struct{ from, to int }

// set changes the condition of directions.
func (f *fleet) set(c lan.Condition, directions ...direction) {
	for _, x := range directions {
		f.network.Set(x.from, x.to, c)
	}
}

// around returns the directions from a member to all the others, and back.
func (r *runner) around(i int) (directions []direction) {
	for j := range r.cluster.size() {
		if j != i {
			directions = append(directions, direction{i, j}, direction{j, i})
		}
	}
	return directions
}

// outOf returns the directions from a member to all other hosts.
func (r *runner) outOf(i int) (directions []direction) {
	for j := lan.Outside; j < len(r.fleet.servers); j++ {
		if j != i {
			directions = append(directions, direction{i, j})
		}
	}
	return directions
}

// suffer changes the condition of directions for a while.
func (r *runner) suffer(d time.Duration, c lan.Condition, directions ...direction) {
	r.fleet.set(c, directions...)
	wait := r.measure()
	defer wait()
	pauseFor(d)
	r.fleet.set(lan.Condition{}, directions...)
}

// slowRate is what a slow host sends in a second, in bytes.
const slowRate = 50_000

func strikeSlow(_ context.Context, r *runner) (string, error) {
	i, d := r.rng.IntN(r.cluster.size()), r.between(2*time.Second, 6*time.Second)
	r.suffer(d, lan.Condition{BytesPerSecond: slowRate}, r.outOf(i)...)
	return fmt.Sprintf("%d sends no more than %d bytes a second to each for %v", i, slowRate, d), nil
}

func strikeCut(_ context.Context, r *runner) (string, error) {
	i, d := r.rng.IntN(r.cluster.size()), r.between(2*time.Second, maxTrouble)
	r.suffer(d, lan.Condition{Cut: true}, r.around(i)...)
	return fmt.Sprintf("%d is cut off for %v", i, d), nil
}

func strikeBridge(_ context.Context, r *runner) (string, error) {
	a, b := r.two()
	d := r.between(2*time.Second, maxTrouble)
	r.suffer(d, lan.Condition{Cut: true}, direction{a, b}, direction{b, a})
	return fmt.Sprintf("%d and %d are cut off from each other for %v", a, b, d), nil
}

func strikeOneWay(_ context.Context, r *runner) (string, error) {
	a, b := r.two()
	d := r.between(2*time.Second, maxTrouble)
	r.suffer(d, lan.Condition{Cut: true}, direction{a, b})
	return fmt.Sprintf("nothing gets from %d to %d for %v", a, b, d), nil
}
