package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/keepsake-cache/keepsake/internal/lan"
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

// An ill is a condition of links, for a while.
type ill struct {
	lan.Condition
	lasting time.Duration
}

// suffer lets directions be ill, in one way after the other, and then sound again. side
// says who is on which side meanwhile.
func (r *runner) suffer(side func(server int) bool, directions []direction, ills ...ill) {
	r.fork(side)
	wait := r.measure()
	defer wait()
	for _, x := range ills {
		r.fleet.set(x.Condition, directions...)
		pauseFor(x.lasting)
	}
	r.fleet.set(lan.Condition{}, directions...)
	r.round.healed = time.Now()
}

// isolate lets the links around a member be ill. If nobody calls it meanwhile, its links to
// the callers are, too. They call it again at once, but where it may have gone on alone only
// after reunion.
func (r *runner) isolate(i int, ills ...ill) {
	directions := r.around(i)
	if r.round.others {
		directions = append(directions, direction{i, lan.Outside}, direction{lan.Outside, i})
		r.fleet.down(i, true)
		defer r.fleet.back(i)
	}
	var side func(server int) bool
	if len(ills) == 1 {
		side = func(server int) bool { return server == i }
	}
	r.suffer(side, directions, ills...)
	if r.round.others && r.forks() && slices.ContainsFunc(ills, ill.replaces) {
		pauseFor(reunion)
	}
}

const (
	// failureTimeout is for how long members that are silent are not replaced: the default.
	failureTimeout = 1500 * time.Millisecond
	// reunion is the time after a cut in which members that went on alone may not have heard
	// of each other yet: callers of both would see two grids.
	reunion = failureTimeout * 3 / 2
)

// replaces reports whether somebody may be replaced.
func (x ill) replaces() bool { return x.Loss > 0 || x.Cut && x.lasting >= failureTimeout }

var cut = lan.Condition{Cut: true}

const (
	// A blip is a cut that is over before anybody, or just when somebody, was replaced.
	shortestBlip = 800 * time.Millisecond
	longestBlip  = 4 * time.Second
	// An illness of other kinds lasts so long.
	shortestIllness = 2 * time.Second
	longestIllness  = 6 * time.Second
)

// ill returns a condition for a random time.
func (r *runner) ill(c lan.Condition, from, to time.Duration) ill { return ill{c, r.between(from, to)} }

// slowRate is what a slow host sends to each other one in a second, in bytes.
const slowRate = 50_000

func strikeSlow(_ context.Context, r *runner) (string, error) {
	i, x := r.rng.IntN(r.cluster.size()), r.ill(lan.Condition{BytesPerSecond: slowRate}, shortestIllness, longestIllness)
	r.isolate(i, x)
	return fmt.Sprintf("no more than %d bytes a second get through between %d and each other for %v", slowRate, i, x.lasting), nil
}

func strikeCut(ctx context.Context, r *runner) (string, error) {
	return cutOff(r.between(shortestIllness, maxTrouble))(ctx, r)
}

func strikeBlip(ctx context.Context, r *runner) (string, error) {
	return cutOff(r.between(shortestBlip, longestBlip))(ctx, r)
}

// cutOff cuts a member off for some time.
func cutOff(d time.Duration) func(context.Context, *runner) (string, error) {
	return func(_ context.Context, r *runner) (string, error) {
		i := r.rng.IntN(r.cluster.size())
		r.isolate(i, ill{cut, d})
		return fmt.Sprintf("%d is cut off for %v", i, d), nil
	}
}

func strikeBlips(_ context.Context, r *runner) (string, error) {
	const cuts = 8
	i := r.rng.IntN(r.cluster.size())
	var ills []ill
	what := fmt.Sprintf("%d is cut off for", i)
	for range cuts {
		x := r.ill(cut, shortestBlip, 3*time.Second)
		ills = append(ills, x, r.ill(lan.Condition{}, 300*time.Millisecond, 2*time.Second))
		what += " " + x.lasting.String()
	}
	r.isolate(i, ills...)
	return what, nil
}

func strikeFlap(_ context.Context, r *runner) (string, error) {
	i, end := r.rng.IntN(r.cluster.size()), r.between(shortestIllness, longestIllness)
	var ills []ill
	for at := time.Duration(0); at < end; {
		for _, c := range []lan.Condition{cut, {}} {
			x := r.ill(c, 100*time.Millisecond, 900*time.Millisecond)
			ills = append(ills, x)
			at += x.lasting
		}
	}
	r.isolate(i, ills...)
	return fmt.Sprintf("%d is cut off %d times in %v", i, len(ills)/2, end), nil
}

func lose(share float64) func(context.Context, *runner) (string, error) {
	return func(_ context.Context, r *runner) (string, error) {
		i, x := r.rng.IntN(r.cluster.size()), r.ill(lan.Condition{Loss: share}, shortestIllness, longestIllness)
		r.isolate(i, x)
		return fmt.Sprintf("%.0f %% of what %d sends and should get are lost for %v", 100*share, i, x.lasting), nil
	}
}

func strikeDelay(_ context.Context, r *runner) (string, error) {
	i, d := r.rng.IntN(r.cluster.size()), r.between(100*time.Millisecond, 400*time.Millisecond)
	x := r.ill(lan.Condition{Delay: d}, shortestIllness, longestIllness)
	r.isolate(i, x)
	return fmt.Sprintf("what %d sends and gets takes %v for %v", i, d, x.lasting), nil
}

func strikeDouble(_ context.Context, r *runner) (string, error) {
	i, x := r.rng.IntN(r.cluster.size()), r.ill(lan.Condition{Duplicate: 0.3, Loss: 0.05}, shortestIllness, longestIllness)
	r.isolate(i, x)
	return fmt.Sprintf("30 %% of what %d sends and gets arrive twice, and 5 %% never, for %v", i, x.lasting), nil
}

func strikeBridge(_ context.Context, r *runner) (string, error) {
	a, b := r.two()
	x := r.ill(cut, shortestIllness, maxTrouble)
	r.suffer(nil, []direction{{a, b}, {b, a}}, x)
	return fmt.Sprintf("%d and %d are cut off from each other for %v", a, b, x.lasting), nil
}

func strikeOneWay(_ context.Context, r *runner) (string, error) {
	a, b := r.two()
	x := r.ill(cut, shortestIllness, maxTrouble)
	r.suffer(nil, []direction{{a, b}}, x)
	return fmt.Sprintf("nothing gets from %d to %d for %v", a, b, x.lasting), nil
}
