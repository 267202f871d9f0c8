package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// Everything that writes to a driver is in this file, and every write is settled: if its
// acknowledgement was lost, its key is read again.

// apply carries out a decision. done is false if somebody else changed the key first; now
// is then what is there. With once that is the end of it, be it before our write or after.
func (s *Store) apply(ctx context.Context, key string, seen *Record, ch *Change, once bool, now *Record) (done bool, err error) {
	if ch.Act == Retime {
		if s.features.Toucher != nil {
			return s.touch(ctx, key, seen, ch.Deadline, once, now)
		}
		moved := ch.Moved(seen)
		done, err := s.write(ctx, key, seen, &moved, once, now)
		if errors.Is(err, driver.ErrFull) && s.features.Prolonger != nil {
			return s.prolong(ctx, key, seen, ch.Deadline, once, now, err)
		}
		return done, err
	}
	return s.write(ctx, key, seen, ch, once, now)
}

func (s *Store) write(ctx context.Context, key string, seen *Record, ch *Change, once bool, now *Record) (done bool, err error) {
	if err := CheckRecord(ch.Record, s.info.MaxRecordBytes); err != nil {
		return false, err
	}
	return s.swap(ctx, key, seen, ch, once, now)
}

func (s *Store) swap(ctx context.Context, key string, seen *Record, ch *Change, once bool, now *Record) (done bool, err error) {
	deadline := Time(ch.Deadline)
	unsure := false // an earlier attempt may have been applied
	for attempt := 0; ; attempt++ {
		swapped, present, err := s.cache.Swap(ctx, key, seen.Token, ch.Record, deadline)
		if swapped && err == nil {
			return true, nil
		}
		if err == nil {
			// Who won? It may be an attempt of ours that the driver's
			// client repeated.
			if present != nil {
				err = now.parse(present)
			} else {
				err = s.read(ctx, key, now)
			}
		}
		switch {
		case err == nil && ch.Record != nil && now.WriteID == ch.WriteID:
			return true, nil
		case err == nil && (!unsure || once):
			return false, nil
		case err == nil && ch.Act == Remove:
			return false, fmt.Errorf("%w: the entry is gone, and nobody knows by whom", ErrAnswerLost)
		case err == nil:
			return false, fmt.Errorf("%w: the entry was changed again by somebody else", driver.ErrIndeterminate)
		case !errors.Is(err, driver.ErrIndeterminate) && !unsure:
			return false, err
		case cause(ctx) != nil || attempt == maxSettles:
			return false, indeterminate(err)
		}
		unsure = true
		found, rerr := s.settle(ctx, key)
		switch {
		case rerr != nil:
			return false, indeterminate(err)
		case ch.Record != nil && found.WriteID == ch.WriteID:
			return true, nil
		case found.WriteID != seen.WriteID && once:
			return false, nil
		case found.WriteID != seen.WriteID && ch.Act == Remove:
			// Somebody else may have removed it, and says so.
			return false, answerLost(nil, err)
		case found.WriteID != seen.WriteID, seen.Token.IsZero():
			// A key that is absent again may have been created by this
			// swap and removed by somebody since. To create it once more
			// would undo the removal.
			return false, indeterminate(err)
		}
		// Not applied so far. The same swap again is safe: should the first
		// one arrive late, only one of the two can find the token.
	}
}

func (s *Store) touch(ctx context.Context, key string, seen *Record, deadline int64, once bool, now *Record) (done bool, err error) {
	unsure := false // an earlier attempt may have been applied
	for attempt := 0; ; attempt++ {
		touched, err := s.features.Toucher.Touch(ctx, key, seen.Token, Time(deadline))
		switch {
		case touched && err == nil:
			return true, nil
		case err == nil && once:
			return false, nil
		case err == nil && unsure:
			return false, fmt.Errorf("%w: the entry was changed again by somebody else", driver.ErrIndeterminate)
		case err == nil:
			return false, s.read(ctx, key, now)
		case !errors.Is(err, driver.ErrIndeterminate) && !unsure:
			return false, err
		case cause(ctx) != nil || attempt == maxSettles:
			return false, indeterminate(err)
		}
		unsure = true
		switch found, rerr := s.settle(ctx, key); {
		case rerr != nil:
			return false, indeterminate(err)
		case found.WriteID == seen.WriteID && found.Deadline == deadline:
			return true, nil
		case found.WriteID != seen.WriteID && once:
			return false, nil
		case found.WriteID != seen.WriteID:
			return false, indeterminate(err)
		}
		// The token is kept by a touch, so the same one again does no harm.
	}
}

// prolong is touch for a driver that has no room to write the record again, as full says. A
// deadline cannot be moved back without room; but ExpiryStep is no matter. What it does may
// be done again, so that an attempt of unknown outcome needs no settling.
func (s *Store) prolong(ctx context.Context, key string, seen *Record, deadline int64, once bool, now *Record, full error) (done bool, err error) {
	switch step := s.info.ExpiryStep.Milliseconds(); {
	case deadline == 0 || seen.Deadline != 0 && deadline > seen.Deadline:
	case seen.Deadline != 0 && deadline >= seen.Deadline-step:
		return true, nil
	default:
		return false, full
	}
	for attempt := 0; ; attempt++ {
		done, err = s.features.Prolonger.Prolong(ctx, key, seen.Token, Time(deadline))
		switch {
		case err == nil && !done && !once:
			return false, s.read(ctx, key, now)
		case !errors.Is(err, driver.ErrIndeterminate) || cause(ctx) != nil || attempt == maxSettles:
			return done, err
		}
	}
}

// overwrite carries out a decision that looked at nothing.
func (s *Store) overwrite(ctx context.Context, key string, ch *Change) error {
	if ch.Act == Remove {
		if err := s.cache.Delete(ctx, key); err != nil {
			return s.settleRemoved(ctx, key, err)
		}
		return nil
	}
	if err := CheckRecord(ch.Record, s.info.MaxRecordBytes); err != nil {
		return err
	}
	if err := s.cache.Put(ctx, key, ch.Record, Time(ch.Deadline)); err != nil {
		return s.settleStored(ctx, key, ch.WriteID, err)
	}
	return nil
}

// overwriteAll is overwrite for many keys and records. The result is that of PutBatch.
func (s *Store) overwriteAll(ctx context.Context, keys []string, changes []Change) []error {
	batch := make([]driver.Entry, len(keys))
	for i, ch := range changes {
		batch[i] = driver.Entry{Key: keys[i], Record: ch.Record, Deadline: Time(ch.Deadline)}
	}
	errs := s.features.BatchPutter.PutBatch(ctx, batch)
	return Parallel(len(errs), func(i int) error { return s.settleStored(ctx, keys[i], changes[i].WriteID, errs[i]) })
}

// exchange carries out a decision that looked at nothing, and tells what was there.
func (s *Store) exchange(ctx context.Context, key string, ch *Change, previous *Record) error {
	if err := CheckRecord(ch.Record, s.info.MaxRecordBytes); err != nil {
		return err
	}
	item, existed, err := s.features.Exchanger.Exchange(ctx, key, ch.Record, Time(ch.Deadline))
	switch {
	case err == nil && existed:
		found := item // item stays where the call has put it
		return previous.parse(&found)
	case err == nil || !unsettled(ctx, err):
		return err
	}
	settled := s.settleStored(ctx, key, ch.WriteID, err)
	if ch.Act == Remove {
		settled = s.settleRemoved(ctx, key, err)
	}
	return answerLost(settled, err)
}

// invoke executes a registered processor where the record is. What it stores has the
// write id.
func (s *Store) invoke(ctx context.Context, key, processor string, writeID uint64, args []byte) (output []byte, err error) {
	output, err = s.features.Invoker.Invoke(ctx, key, processor, args)
	if err == nil || !unsettled(ctx, err) {
		return output, err
	}
	return nil, answerLost(s.settleStored(ctx, key, writeID, err), err)
}

// clear removes every record.
func (s *Store) clear(ctx context.Context) error {
	if c := s.features.Clearer; c != nil {
		return s.settleCleared(ctx, c.Clear(ctx))
	}
	if err := s.CanClear(); err != nil {
		return err
	}
	for item, err := range s.features.Scanner.Scan(ctx) {
		if err != nil {
			return err
		}
		if err := s.overwrite(ctx, item.Key, &Change{Act: Remove}); err != nil {
			return err
		}
	}
	return nil
}
