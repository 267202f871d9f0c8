package httpsession

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A request is a script: its calls take effect in their order. It is a small machine that
// has a subject, the session that the request is about at this moment, and wishes, what was
// asked for and is not stored yet:
//
//   - The first use looks the subject up: it is present, absent, or has ended meanwhile.
//   - Set, Delete, SetMaxInactive, Create and Renew add to the wishes.
//   - Invalidate makes the subject a victim, drops the wishes, and leaves no subject: what
//     follows is for a new one. So wishes never belong to a session before the subject.
//   - flush carries it all out: it ends the victims, and creates, renews or changes the
//     subject in one write. Update is a flush together with its function; the beginning of
//     the response is one without.
//   - Once the response has begun each call is flushed at once, and cookies are too late.
//
// What fails leaves victims and wishes as they were, so that a later flush tries again, unless
// the response has begun: then the caller has the error, and the wish is dropped.
type script struct {
	victims []victim
	wishes  wishes
}

// wishes are for the subject.
type wishes struct {
	create  bool // what was asked for needs a session
	renew   bool
	idle    time.Duration // zero: as it is
	changes changes
}

func (w *wishes) none() bool {
	return !w.create && !w.renew && len(w.changes.list) == 0
}

// A victim is a session that shall end.
type victim struct {
	entry entry
	fresh bool // no browser has heard of it
}

// An update is the function of Update; nil if there is none.
type update func(value []byte, ok bool) ([]byte, error)

// wish notes what is wanted; if the response has begun it is stored at once.
func (s *Session) wish(note func(w *wishes) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(); err != nil {
		return err
	}
	if s.failed != nil {
		return s.failed
	}
	if err := note(&s.wishes); err != nil || !s.sent {
		return err
	}
	err := s.flush(lasting{s.exchange}, "", nil)
	s.wishes = wishes{}
	if errors.Is(err, ErrHeadersSent) {
		s.opts.Logger.Error("a change to a session is lost: it needs a cookie, and the response had begun")
	}
	return err
}

// flush carries out what is pending, and fn with it on the attribute of that name. The lock is
// held.
func (s *Session) flush(ctx context.Context, name string, fn update) error {
	if s.failed != nil {
		return s.failed
	}
	if fn == nil && s.wishes.none() {
		return s.endVictims(ctx)
	}
	if err := s.find(ctx); err != nil {
		return err
	}
	switch {
	case s.state == present && s.wishes.renew:
		return s.move(ctx, name, fn)
	case s.state == present && (fn != nil || s.wishes.idle != 0 || len(s.wishes.changes.list) > 0):
		return s.write(ctx, name, fn)
	case s.state == absent && (fn != nil || s.wishes.create):
		return s.insert(ctx, name, fn)
	case s.state == present || s.state == absent:
		s.wishes = wishes{} // to be there, or to lose what nobody has
		return s.endVictims(ctx)
	}
	return ErrEnded
}

// edited returns a record with what is wished, and what fn makes of it.
func (s *Session) edited(r record, name string, fn update) (record, error) {
	changed := s.wishes.changes.sorted()
	if fn != nil {
		value, pending := s.wishes.changes.find(name)
		ok := value != nil
		if !pending {
			value, ok = r.attribute(name)
		}
		value, err := fn(value, ok)
		if err != nil {
			return r, err
		}
		only := [1]change{{name, value}}
		if changed = only[:]; len(s.wishes.changes.list) > 0 {
			changed = s.wishes.changes.with(only[0])
		}
	}
	now := time.Now().UnixMicro()
	changedAt := r.stampTime(now)
	if s.wishes.idle != 0 {
		r.maxInactive, r.chosen = storedIdle(s.wishes.idle), changedAt
	}
	if len(changed) > 0 {
		r.attributes = r.apply(changed, changedAt)
	}
	r.accessed = max(r.accessed, s.arrived.UnixMicro())
	r.stored = now
	return r, nil
}

// endVictims carries out Invalidate.
func (s *Session) endVictims(ctx context.Context) error {
	for len(s.victims) > 0 {
		v := s.victims[0]
		lived, err := s.manager.store.end(ctx, v.entry)
		if err != nil {
			return err
		}
		s.victims = s.victims[1:]
		s.cleared = s.cleared || lived && !v.fresh
	}
	return nil
}

// insert creates the session.
func (s *Session) insert(ctx context.Context, name string, fn update) error {
	if err := s.cookieTooLate(); err != nil {
		return err
	}
	now := s.arrived.UnixMicro()
	r, err := s.edited(record{created: now, accessed: now, maxInactive: storedIdle(s.opts.MaxInactive)}, name, fn)
	if err == nil {
		err = s.manager.store.fits(len(r.attributes))
	}
	if err == nil {
		err = s.endVictims(ctx)
	}
	if err != nil {
		return err
	}
	return s.manager.store.withFreshID(s.opts.IDLength, func(id, key string) error {
		ok, err := s.manager.store.insert(ctx, key, r)
		if err != nil {
			return err
		}
		if !ok {
			return errors.New("httpsession: a fresh id is taken; the system's random numbers are not random")
		}
		s.isNew, s.used = true, now
		s.id, s.fresh = id, true
		s.stored(key, r)
		return nil
	})
}

// move carries out Renew.
func (s *Session) move(ctx context.Context, name string, fn update) error {
	if err := s.cookieTooLate(); err != nil {
		return err
	}
	return s.manager.store.withFreshID(s.opts.IDLength, func(id, key string) error {
		r, now, err := s.manager.store.move(ctx, s.from, key, func(r record) (record, error) { return s.edited(r, name, fn) })
		if err != nil {
			return err
		}
		if now != present {
			return s.lost(now)
		}
		s.id, s.fresh = id, true
		s.stored(key, r)
		return nil
	})
}

// write changes the session where it is.
func (s *Session) write(ctx context.Context, name string, fn update) error {
	r, now, err := s.manager.store.edit(ctx, s.from, func(r record) (record, error) { return s.edited(r, name, fn) })
	if err != nil {
		return err
	}
	if now != present {
		return s.lost(now)
	}
	s.stored(s.from.Key, r)
	return nil
}

// cookieTooLate returns an error if the browser cannot learn an id any more.
func (s *Session) cookieTooLate() error {
	if s.sent {
		return ErrHeadersSent
	}
	if err := s.exchange.Err(); errors.Is(err, context.DeadlineExceeded) {
		// Somebody outside, such as http.TimeoutHandler, has answered for us.
		return fmt.Errorf("httpsession: a cookie is needed and the time of the request is over: %w", err)
	}
	return nil
}

// stored makes r the session as it is. Its version is not known, so the next write
// reads it again.
func (s *Session) stored(key string, r record) {
	s.state, s.touchDone, s.wishes = present, true, wishes{}
	s.see(entry{Key: key, Value: r})
}

// lost takes in that the session is not there any more: what the request did cannot be stored,
// whichever of its calls did it, and whatever the session has ended by.
func (s *Session) lost(now sessionState) error {
	if now == gone && !s.from.Value.expired(s.from.Deadline, time.Now()) {
		s.manager.vanish(s.id)
	}
	s.trail = append(s.trail, victim{entry{Key: s.from.Key}, s.fresh})
	s.state = endedMeanwhile
	s.see(entry{})
	return ErrEnded
}

// touchDue reports whether the session was used and that was not recorded lately.
func (s *Session) touchDue(now time.Time) bool {
	r := &s.from.Value
	return s.state == present && !s.touchDone && r.maxInactive > 0 &&
		now.Sub(r.idleSince(s.from.Deadline)) >= touchInterval(r.maxInactive)
}

// touch records a use, if it is due. It is not worth failing a request for.
func (s *Session) touch(ctx context.Context, now time.Time) {
	if !s.touchDue(now) {
		return
	}
	s.touchDone = true
	if err := s.manager.store.touch(ctx, s.from, s.opts.Lifetime); err != nil {
		s.opts.Logger.Warn("the use of a session was not recorded; it may expire early",
			"session", s.manager.logID(s.id), "error", err)
	}
}
