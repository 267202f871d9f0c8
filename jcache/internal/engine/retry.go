package engine

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	// maxAttempts bounds the swaps of one operation that others keep winning. With
	// the pauses below, one for each two, that is about a quarter of a second of losing.
	maxAttempts = 64
	// maxSettles bounds the swaps of one operation whose acknowledgements are
	// lost one after the other.
	maxSettles = 8
	// settlePace is where the pauses of settle begin: about 6 ms.
	settlePace = 6

	shortestPause = 100 * time.Microsecond
	longestPause  = 20 * time.Millisecond
)

// pause waits before another attempt: a random part of a time that doubles with
// each attempt. The first is no wait at all.
func pause(ctx context.Context, attempt int) error {
	if attempt == 0 {
		return ctx.Err()
	}
	limit := longestPause
	if attempt < 10 {
		limit = min(limit, shortestPause<<attempt)
	}
	t := time.NewTimer(time.Duration(rand.Int64N(int64(limit))) + 1)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
