package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// ErrAnswerLost means that what a write asked for holds: what it stores is stored, what it
// removes is gone. But its answer was lost with the acknowledgement. It matches ErrIndeterminate,
// too.
var ErrAnswerLost = fmt.Errorf("%w: it took effect, but its answer was lost", driver.ErrIndeterminate)

// settle reads a key whose last write has an unknown outcome, for as long as the
// provider is in trouble and the context lives.
func (s *Store) settle(ctx context.Context, key string) (now Record, err error) {
	for attempt := 0; ; attempt++ {
		err := s.read(ctx, key, &now)
		if err == nil || !errors.Is(err, driver.ErrUnavailable) {
			return now, err
		}
		if pause(ctx, attempt+settlePace) != nil {
			return Record{}, err
		}
	}
}

// unsettled reports whether an error leaves open what became of a write, and whether there
// is time to find out.
func unsettled(ctx context.Context, err error) bool {
	return errors.Is(err, driver.ErrIndeterminate) && cause(ctx) == nil
}

// settleStored settles a write of a record that looked at nothing. Repeating it could undo
// somebody's later write, so it is only looked up.
func (s *Store) settleStored(ctx context.Context, key string, writeID uint64, err error) error {
	if !unsettled(ctx, err) {
		return err
	}
	if now, rerr := s.settle(ctx, key); rerr == nil && now.WriteID == writeID {
		return nil
	}
	return err
}

// settleRemoved settles a removal that looked at nothing. If a live record is there,
// it may be one from before, or a later one.
func (s *Store) settleRemoved(ctx context.Context, key string, err error) error {
	if !unsettled(ctx, err) {
		return err
	}
	if now, rerr := s.settle(ctx, key); rerr == nil && !now.Live {
		return nil
	}
	return err
}

// settleCleared settles a clear: it has taken effect if there is nothing left.
func (s *Store) settleCleared(ctx context.Context, err error) error {
	if !unsettled(ctx, err) {
		return err
	}
	switch {
	case s.features.Scanner != nil:
		for _, rerr := range s.features.Scanner.Scan(ctx) {
			_ = rerr // an error settles nothing, and neither does a record
			return err
		}
		return nil
	case s.features.Sizer != nil:
		if n, rerr := s.features.Sizer.Size(ctx); rerr == nil && n == 0 {
			return nil
		}
	}
	return err
}

// answerLost is the error of a write that is settled, and whose answer is not.
func answerLost(settled, err error) error {
	if settled != nil {
		return settled
	}
	return fmt.Errorf("%w: %w", ErrAnswerLost, err)
}

func indeterminate(err error) error {
	if errors.Is(err, driver.ErrIndeterminate) {
		return err
	}
	return fmt.Errorf("%w: %w", driver.ErrIndeterminate, err)
}
