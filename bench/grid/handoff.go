package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"text/tabwriter"
	"time"
)

const (
	// handOffEntries are in the grid of two members. Each of two has all of them; of three,
	// each has two thirds, so that one that joins gets 100,000.
	handOffEntries = 150_000
	handOffSize    = 500
	handOffCallers = 16
	quietTime      = 3 * time.Second
)

// handOff compares the latency of writes while nothing happens with that while a member
// joins and takes over 100,000 entries, and while one leaves and hands over as many.
func handOff(ctx context.Context, o options, found *promises) error {
	fmt.Printf("\nputs of %d callers, %d B, while %d entries are copied: p99 in µs\n", handOffCallers, handOffSize, handOffEntries*2/3)
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\tquiet\tputs/s\tjoin\tputs/s\tfor\tleave\tputs/s\tfor\tlongest\t")
	var joins, leaves []float64
	for i := range o.rounds {
		m, err := moveOnce(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintf(table, "round %d\t%.0f\t%.0f\t%.0f\t%.0f\t%.1f s\t%.0f\t%.0f\t%.1f s\t%.0f\t\n", i+1, m.quiet.P99, m.quiet.Rate,
			m.join.P99, m.join.Rate, m.joining.Seconds(), m.leave.P99, m.leave.Rate, m.leaving.Seconds(), max(m.join.Max, m.leave.Max))
		joins, leaves = append(joins, m.join.P99/m.quiet.P99), append(leaves, m.leave.P99/m.quiet.P99)
	}
	_ = table.Flush() // to the terminal
	found.atMost(5, middle(joins), "×", "p99 of a put while a member joins, by the quiet one")
	found.atMost(5, middle(leaves), "×", "p99 of a put while a member leaves, by the quiet one")
	return nil
}

// movement is what one round finds.
type movement struct {
	quiet, join, leave figure
	joining, leaving   time.Duration
}

// moveOnce starts a grid, fills it, and has another member come and go.
func moveOnce(ctx context.Context) (m movement, err error) {
	f, err := startPeerFleet(ctx, 2, false)
	if err != nil {
		return m, err
	}
	defer f.stop()
	if err := f.caller.ask(request{Do: "fill", Size: handOffSize, Count: handOffEntries}, nil); err != nil {
		return m, err
	}
	var before peerState
	if err := f.peers[0].ask(request{Do: "state"}, &before); err != nil {
		return m, err
	}
	puts := request{Do: "run", Put: true, Size: handOffSize, Callers: handOffCallers, Time: quietTime}
	if err := f.caller.ask(puts, &m.quiet); err != nil {
		return m, err
	}
	var guest *child
	m.join, m.joining, err = f.moving(ctx, before.Members+1, func() (err error) {
		guest, err = launch("peer", peerConfig{Join: addrs(f.peers), Replicas: 1})
		return err
	})
	if guest == nil {
		return m, err
	}
	if err != nil {
		guest.end()
		return m, err
	}
	m.leave, m.leaving, err = f.moving(ctx, before.Members, func() error {
		guest.end()
		return nil
	})
	return m, err
}

// moving has something happen that makes entries move, and measures puts from the first of
// the hand-offs to the last, when there are so many members.
func (f *fleet) moving(ctx context.Context, members int, happens func() error) (got figure, took time.Duration, err error) {
	happened := make(chan error, 1)
	go func() { happened <- happens() }()
	var s peerState
	look := func(holds func() bool) error {
		return poll(ctx, func() (bool, error) {
			err := f.peers[0].ask(request{Do: "state"}, &s)
			return err == nil && holds(), err
		})
	}
	err = look(func() bool { return s.HandOffs > 0 })
	if err == nil {
		err = f.caller.ask(request{Do: "begin", Put: true, Size: handOffSize, Callers: handOffCallers}, nil)
	}
	begin := time.Now()
	if err == nil {
		err = look(func() bool { return s.Members == members && s.HandOffs == 0 && s.Safe })
		took = time.Since(begin)
		err = errors.Join(err, f.caller.ask(request{Do: "finish"}, &got))
	}
	return got, took, errors.Join(err, <-happened)
}
