package main

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
)

const (
	// fillBytes is the size of one of the values that fill the members' memory.
	fillBytes = 512 << 10
	// maxFill bounds their number, and enoughRefused is how many refusals say that the
	// members are full.
	maxFill       = 600
	enoughRefused = 20
)

func needsBound(r *runner) string {
	if r.app != "" {
		return "the servers keep sessions only"
	}
	if missing := needsGrid(r); missing != "" {
		return missing
	}
	if bound, ok := r.config.Settings["maxBytes"].(int64); !ok || bound == 0 || bound > maxFill*fillBytes/4 {
		return fmt.Sprintf("the configuration does not set maxBytes, or sets more than %d", maxFill*fillBytes/4)
	}
	return ""
}

// strikeFull fills the members' memory until they refuse what is written, and makes room
// again.
func strikeFull(_ context.Context, r *runner) (string, error) {
	keys := numbered("filler", maxFill)
	value := strings.Repeat("x", fillBytes)
	var stored, refused atomic.Int64
	err := each(keys, registerClients, func(key string) error {
		if refused.Load() >= enoughRefused {
			return nil
		}
		switch a := r.fleet.do(r.fleet.up()[0], call{kind: put, key: key, value: value}, callDeadline+lateness); a.outcome {
		case done:
			stored.Add(1)
		case nothing:
			refused.Add(1)
		}
		return nil
	})
	if err == nil && refused.Load() < enoughRefused {
		err = fmt.Errorf("%d values of %d bytes do not fill the members", stored.Load(), fillBytes)
	}
	pauseFor(2 * calm)
	empty := each(keys, registerClients, func(key string) error {
		for range 5 {
			if a := r.fleet.do(r.fleet.up()[0], call{kind: remove, key: key}, callDeadline+lateness); a.outcome == done {
				return nil
			}
		}
		return fmt.Errorf("an entry of a full grid cannot be deleted")
	})
	if err == nil {
		err = empty
	}
	return fmt.Sprintf("%d values of %d bytes until there is no room, and away with them", stored.Load(), fillBytes), err
}

// numbered returns n keys.
func numbered(prefix string, n int) (keys []string) {
	for i := range n {
		keys = append(keys, fmt.Sprintf("%s-%d", prefix, i))
	}
	return keys
}
