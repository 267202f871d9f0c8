package jcache

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// A store is the untyped half of a Cache: records in an open driver cache, and
// the one loop, read–decide–swap, that every atomic operation is built on.
type store struct {
	name     string
	provider string
	cache    driver.Cache
	info     driver.Info
	features driver.Features
	stripes  *stripes
	gate     *gate
	closing  sync.Once
}

func newStore(name, provider string, cache driver.Cache, features driver.Features) *store {
	return &store{
		name: name, provider: provider,
		cache: cache, info: cache.Info(), features: features,
		stripes: newStripes(), gate: newGate(),
	}
}

// fail adds the operation's name to an error, once.
func (s *store) fail(op string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Op: op, Cache: s.name, Provider: s.provider, Err: err}
}

func noCancel() {}

// begin starts an operation: no operation runs on a closed cache or an ended
// context, and none runs without a deadline if the driver may wait. After a nil
// error, end must be called with cancel.
func (s *store) begin(ctx context.Context) (_ context.Context, cancel context.CancelFunc, err error) {
	if !s.gate.enter() {
		return nil, nil, ErrClosed
	}
	if err := ctx.Err(); err != nil {
		s.gate.leave()
		return nil, nil, err
	}
	ctx, cancel = s.bound(ctx)
	return ctx, cancel, nil
}

// bound gives a context without a deadline one, if the driver may wait.
func (s *store) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if s.info.RequestTimeout > 0 {
		if _, ok := ctx.Deadline(); !ok {
			return context.WithTimeout(ctx, s.info.RequestTimeout)
		}
	}
	return ctx, noCancel
}

func (s *store) end(cancel context.CancelFunc) {
	cancel()
	s.gate.leave()
}

func (s *store) checkKey(key string) error {
	if key == "" {
		return fmt.Errorf("%w: empty key", ErrInvalid)
	}
	if limit := s.info.MaxKeyBytes; limit > 0 && len(key) > limit {
		return fmt.Errorf("%w: a key of %d bytes, the provider takes %d", ErrTooLarge, len(key), limit)
	}
	return nil
}

// read returns what is stored under key; absent is the zero observed.
func (s *store) read(ctx context.Context, key string) (observed, error) {
	item, found, err := s.cache.Get(ctx, key)
	if err != nil || !found {
		return observed{}, err
	}
	return observe(item, time.Now())
}

func (s *store) checkSize(record []byte) error { return checkSize(record, s.info.MaxRecordBytes) }

func checkSize(record []byte, limit int) error {
	if limit > 0 && len(record) > limit {
		return fmt.Errorf("%w: an encoded value of %d bytes, the provider takes %d; "+
			"store less in one entry or raise the provider's limit", ErrTooLarge, len(record), limit)
	}
	return nil
}

// mutate is the loop: it shows decide what is stored under key and swaps in
// what decide wants, until nobody else changed the key in between. decide may
// therefore run several times; only its last decision takes effect. If start is
// not nil, the first run sees it instead of reading.
func (s *store) mutate(ctx context.Context, key string, start *observed, decide func(observed) (change, error)) error {
	stripe, waited, err := s.stripes.lock(ctx, key)
	if err != nil {
		return err
	}
	defer func() { <-stripe }()

	var seen observed
	if start != nil && !waited {
		seen = *start
	} else if seen, err = s.read(ctx, key); err != nil {
		return err
	}
	for attempt := 0; ; attempt++ {
		ch, err := decide(seen)
		if err != nil || ch.kind == changeNothing {
			return err
		}
		done, now, err := s.apply(ctx, key, seen, ch)
		if done || err != nil {
			return err
		}
		if attempt == maxAttempts {
			return fmt.Errorf("%w: %d attempts", ErrContention, attempt)
		}
		// What the swap has told is tried at once. Whoever loses that, too, waits, and looks
		// again: what was there before the pause is not there any more.
		if seen = now; attempt%2 == 1 {
			if err := pause(ctx, attempt/2); err != nil {
				return err
			}
			if seen, err = s.read(ctx, key); err != nil {
				return err
			}
		}
	}
}

// apply carries out one decision. done is false if somebody else changed the key
// first; now is then what is there.
func (s *store) apply(ctx context.Context, key string, seen observed, ch change) (done bool, now observed, err error) {
	switch ch.kind {
	case changeRemove:
		ch.record = nil
	case changeDeadline:
		if t := s.features.Toucher; t != nil {
			touched, err := t.Touch(ctx, key, seen.token, fromMillis(ch.deadline))
			if err != nil || touched {
				return touched, observed{}, err
			}
			now, err := s.read(ctx, key)
			return false, now, err
		}
		ch = ch.move(seen)
	}
	if err := s.checkSize(ch.record); err != nil {
		return false, observed{}, err
	}
	return s.swap(ctx, key, seen, ch)
}

// swap is the driver's Swap with lost acknowledgements settled by the write id.
func (s *store) swap(ctx context.Context, key string, seen observed, ch change) (done bool, now observed, err error) {
	deadline := fromMillis(ch.deadline)
	unsure := false // an earlier attempt may have been applied
	for attempt := 0; ; attempt++ {
		swapped, present, err := s.cache.Swap(ctx, key, seen.token, ch.record, deadline)
		if swapped && err == nil {
			return true, observed{}, nil
		}
		if err == nil {
			// Who won? It may be an attempt of ours that the driver's
			// client repeated.
			if present != nil {
				now, err = observe(*present, time.Now())
			} else {
				now, err = s.read(ctx, key)
			}
		}
		switch {
		case err == nil && ch.record != nil && now.writeID == ch.writeID:
			return true, observed{}, nil
		case err == nil && unsure:
			return false, observed{}, fmt.Errorf("%w: the entry was changed again by somebody else", ErrIndeterminate)
		case err == nil:
			return false, now, nil
		case !errors.Is(err, ErrIndeterminate) && !unsure:
			return false, observed{}, err
		case ctx.Err() != nil || attempt == maxSettles:
			return false, observed{}, indeterminate(err)
		}
		unsure = true
		now, rerr := s.settle(ctx, key)
		switch {
		case rerr != nil:
			return false, observed{}, indeterminate(err)
		case ch.record != nil && now.writeID == ch.writeID:
			return true, observed{}, nil
		case now.writeID != seen.writeID, seen.token.IsZero():
			// A key that is absent again may have been created by this
			// swap and removed by somebody since. To create it once more
			// would undo the removal.
			return false, observed{}, indeterminate(err)
		}
		// Not applied so far. The same swap again is safe: should the first
		// one arrive late, only one of the two can find the token.
	}
}

// settle reads a key whose last write has an unknown outcome, for as long as the
// provider is in trouble and the context lives.
func (s *store) settle(ctx context.Context, key string) (observed, error) {
	for attempt := 0; ; attempt++ {
		now, err := s.read(ctx, key)
		if err == nil || !errors.Is(err, ErrUnavailable) {
			return now, err
		}
		if pause(ctx, attempt+settlePace) != nil {
			return observed{}, err
		}
	}
}

func indeterminate(err error) error {
	if errors.Is(err, ErrIndeterminate) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrIndeterminate, err)
}

// put stores a record without reading the key first.
func (s *store) put(ctx context.Context, key string, ch change) error {
	if err := s.checkSize(ch.record); err != nil {
		return err
	}
	return s.settlePut(ctx, key, ch, s.cache.Put(ctx, key, ch.record, fromMillis(ch.deadline)))
}

// settlePut returns the error of a put, unless its acknowledgement was lost and the
// record is found to be there.
func (s *store) settlePut(ctx context.Context, key string, ch change, err error) error {
	if err == nil || !errors.Is(err, ErrIndeterminate) || ctx.Err() != nil {
		return err
	}
	// Repeating a put that may have been applied could undo somebody's
	// later write, so it is only looked up.
	if now, rerr := s.settle(ctx, key); rerr == nil && now.writeID == ch.writeID {
		return nil
	}
	return err
}

// clear removes every record.
func (s *store) clear(ctx context.Context) error {
	if c := s.features.Clearer; c != nil {
		return c.Clear(ctx)
	}
	if s.features.Scanner == nil {
		return fmt.Errorf("%w: the provider can neither clear nor list a cache", errors.ErrUnsupported)
	}
	for item, err := range s.features.Scanner.Scan(ctx) {
		if err != nil {
			return err
		}
		if err := s.cache.Delete(ctx, item.Key); err != nil {
			return err
		}
	}
	return nil
}

// size counts the records.
func (s *store) size(ctx context.Context) (int, error) {
	if z := s.features.Sizer; z != nil {
		return z.Size(ctx)
	}
	if s.features.Scanner == nil {
		return 0, fmt.Errorf("%w: the provider can neither count nor list a cache", errors.ErrUnsupported)
	}
	n := 0
	for _, err := range s.features.Scanner.Scan(ctx) {
		if err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

// close waits for the operations in progress and closes the driver's cache. If they
// take longer than ctx, it can be called again.
func (s *store) close(ctx context.Context) (err error) {
	if err := s.gate.close(ctx); err != nil {
		return fmt.Errorf("operations are still running: %w", err)
	}
	s.closing.Do(func() { err = s.cache.Close() })
	return err
}
