package main

import (
	"context"
	"fmt"
)

const (
	sessions    = 1_000_000
	sessionSize = 500

	// mostBytes is what docs/peer.md says that such a session takes.
	mostBytes = 950

	overwritten = 100_000
	overwrites  = 20
)

// memory measures what entries cost: a million sessions with deadlines, put by one of two members,
// each of which has all of them, and keys that are written again and again. What a process has
// is what the system says after its garbage was collected and returned. That includes what an
// empty one has, a few megabytes, and not the pages of the program's file. Of two members that
// differ the larger one counts.
func memory(ctx context.Context, _ options, found *promises) error {
	if err := million(ctx, found); err != nil {
		return err
	}
	return again(ctx, found)
}

func million(ctx context.Context, found *promises) error {
	peers, err := startPeers(ctx, 2, 1, true)
	if err != nil {
		return err
	}
	defer endAll(peers)
	fmt.Printf("\nmemory of %d sessions of %d B with keys of 32 B and deadlines, on two members with a copy each, one of which put them\n", sessions, sessionSize)
	if err := peers[0].ask(request{Do: "fill", Size: sessionSize, Count: sessions}, nil); err != nil {
		return err
	}
	var most float64
	for i, p := range peers {
		var grown, settled peerState
		if err := p.ask(request{Do: "state"}, &grown); err != nil {
			return err
		}
		if err := p.ask(request{Do: "settle"}, &settled); err != nil {
			return err
		}
		each := float64(settled.Resident) / float64(settled.Entries)
		fmt.Printf("  member %d: %d entries, %.0f B each of resident memory (%.0f B before the garbage was collected), %.0f B as it counts itself\n",
			i+1, settled.Entries, each, float64(grown.Resident)/float64(settled.Entries), float64(settled.Accounted)/float64(settled.Entries))
		most = max(most, each)
	}
	found.atMost(mostBytes, most, "B", "resident memory of a session of %d B with a key of 32 B, per copy", sessionSize)
	return nil
}

func again(ctx context.Context, found *promises) error {
	peers, err := startPeers(ctx, 2, 1, true)
	if err != nil {
		return err
	}
	defer endAll(peers)
	fmt.Printf("\nmemory of %d keys, written %d times\n", overwritten, overwrites)
	first := make([]int64, len(peers))
	for n := range overwrites {
		if err := peers[0].ask(request{Do: "fill", Size: sessionSize, Count: overwritten}, nil); err != nil {
			return err
		}
		if n > 0 && n < overwrites-1 {
			continue
		}
		for i, p := range peers {
			var s peerState
			if err := p.ask(request{Do: "settle"}, &s); err != nil {
				return err
			}
			if n == 0 {
				first[i] = s.Resident
				continue
			}
			ratio := float64(s.Resident) / float64(first[i])
			fmt.Printf("  member %d: %d entries, %.1f MB after the first time, %.1f MB after the last\n",
				i+1, s.Entries, float64(first[i])/1e6, float64(s.Resident)/1e6)
			found.atMost(1.35, ratio, "×", "memory after %d overwrites, by that after the first write, member %d", overwrites, i+1)
		}
	}
	return nil
}
