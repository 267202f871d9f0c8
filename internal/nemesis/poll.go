package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// fatal ends a poll.
type fatal struct{ error }

// poll repeats what until it returns nil, or a fatal error, or ctx ends.
func poll(ctx context.Context, what func() error) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := what()
		if err == nil || errors.As(err, &fatal{}) {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		}
	}
}
