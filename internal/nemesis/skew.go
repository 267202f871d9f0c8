package main

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// skew is by how much clocks are wrong in the fault of that name.
const skew = 2 * time.Second

// setClock makes a server's time of day wrong.
func (f *fleet) setClock(ctx context.Context, i int, ahead time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	code, _, err := request(ctx, f.client, http.MethodPost, f.url(i)+"/clock", ahead.String())
	if err == nil && code != http.StatusOK {
		err = fmt.Errorf("server %d answers %d to a change of its clock", i, code)
	}
	return err
}

// strikeSkew sets one clock ahead and the others back, kills the member whose writes have
// the latest times, and then moves all clocks once more: what was written later must stay.
func strikeSkew(ctx context.Context, r *runner) (string, error) {
	victim := r.rng.IntN(r.cluster.size())
	set := func(ahead func(i int) time.Duration) error {
		for _, i := range r.fleet.up() {
			if err := r.fleet.setClock(ctx, i, ahead(i)); err != nil {
				return err
			}
		}
		return nil
	}
	err := set(func(i int) time.Duration {
		if i == victim {
			return skew
		}
		return -skew
	})
	if err != nil {
		return "", err
	}
	pauseFor(time.Second)
	r.cluster.kill(victim)
	wait := r.measure()
	pauseFor(r.between(0, time.Second))
	err = r.cluster.start(ctx, victim)
	wait()
	if err != nil {
		return "", err
	}
	for _, ahead := range []time.Duration{skew, 0} {
		if err := set(func(int) time.Duration { return ahead }); err != nil {
			return "", err
		}
		pauseFor(calm)
	}
	// No version is later than the clocks any more: a split that came now would tell
	// early from late.
	pauseFor(2 * skew)
	return fmt.Sprintf("%d is %v ahead and the others as much behind, kill -9 of %d, then all clocks jump", victim, skew, victim), nil
}
