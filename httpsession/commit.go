package httpsession

import (
	"context"
	"errors"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
)

// settled reports whether there is nothing to store.
func (s *Session) settled() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.victim == nil && !s.toCreate() && !s.renew && !s.touchDue()
}

// commit stores what the request changed. It is called before the response begins,
// and again at the end for what was changed later.
func (s *Session) commit(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.end(ctx); err != nil {
		return err
	}
	if !s.toCreate() && !s.renew {
		s.touch(ctx)
		return nil
	}
	if err := s.look(ctx); err != nil {
		return err
	}
	switch s.state {
	case endedMeanwhile, renewedRecently:
		return ErrEnded
	case gone:
		s.discard()
		return nil
	case present:
		if s.renew {
			return s.move(ctx)
		}
		if len(s.changes) == 0 && s.maxInactive == nil {
			s.touch(ctx)
			return nil
		}
		return s.write(ctx, func(r record) (record, error) { return s.edited(r), nil })
	}
	if !s.toCreate() {
		return nil // a renewal of nothing
	}
	return s.insert(ctx, func(r record) (record, error) { return s.edited(r), nil })
}

// needsCookie reports whether the browser would have to learn an id from a commit.
func (s *Session) needsCookie(ctx context.Context) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cookie == cookieSet || s.renew {
		return true, nil
	}
	if !s.toCreate() {
		return false, nil
	}
	err := s.look(ctx)
	return s.state == absent, err
}

// forget drops the changes that are not stored yet.
func (s *Session) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.discard()
}

// edited returns a record with the request's changes.
func (s *Session) edited(r record) record {
	r.accessed = time.Now().UnixMicro()
	if s.maxInactive != nil {
		r.maxInactive, r.chosen = *s.maxInactive, r.now()
	}
	if len(s.changes) > 0 {
		r.attributes = r.apply(s.changes, r.now())
	}
	return r
}

// end carries out Invalidate.
func (s *Session) end(ctx context.Context) error {
	if s.victim == nil {
		return nil
	}
	was, err := s.manager.store.end(ctx, *s.victim)
	if err != nil {
		return err
	}
	s.victim = nil
	if was == present {
		s.cookie = cookieClear
	}
	return nil
}

// insert creates the session.
func (s *Session) insert(ctx context.Context, edit func(record) (record, error)) error {
	if s.sent {
		return ErrHeadersSent
	}
	now := time.Now().UnixMicro()
	r, err := edit(record{created: now, accessed: now, maxInactive: max(0, s.opts.MaxInactive)})
	if err != nil {
		return err
	}
	id := s.manager.store.freshID(s.opts.IDLength)
	ok, err := s.manager.store.insert(ctx, id, r)
	if err != nil {
		return err
	}
	if !ok {
		return errors.New("httpsession: a fresh id is taken; the system's random numbers are not random")
	}
	s.isNew = true
	s.assign(id)
	s.stored(r)
	return nil
}

// assign gives the session an id that the browser is to learn.
func (s *Session) assign(id string) {
	s.id, s.cookie = id, cookieSet
	s.from.Key = storeKey(id)
}

// write changes the session where it is.
func (s *Session) write(ctx context.Context, edit func(record) (record, error)) error {
	r, now, err := s.manager.store.edit(ctx, s.from, edit)
	if err != nil {
		return err
	}
	return s.wrote(r, now)
}

// move carries out Renew.
func (s *Session) move(ctx context.Context) error {
	id := s.manager.store.freshID(s.opts.IDLength)
	r, now, err := s.manager.store.move(ctx, s.from, id, func(r record) (record, error) { return s.edited(r), nil })
	if err != nil {
		return err
	}
	if now == present {
		s.assign(id)
	}
	return s.wrote(r, now)
}

// wrote takes in the outcome of a write.
func (s *Session) wrote(r record, now sessionState) error {
	switch now {
	case present:
		s.stored(r)
	case gone:
		// It expired while the request was running. What the request did to
		// it counts as done just before.
		s.state = gone
		s.discard()
		s.opts.Logger.Debug("a session expired during a request that changed it", "session", s.manager.logID(s.id))
	default:
		s.state = now
		return ErrEnded
	}
	return nil
}

// stored makes r the session as it is. Its version is not known, so the next write
// reads it again.
func (s *Session) stored(r record) {
	s.state, s.rec = present, r
	s.from = entry{Key: s.from.Key, Value: r}
	s.touchDone = true
	s.discard()
}

func (s *Session) discard() {
	s.changes, s.maxInactive, s.create, s.renew = nil, nil, false, false
}

// touchDue reports whether the session was used and that was not recorded lately.
func (s *Session) touchDue() bool {
	return s.state == present && !s.touchDone && s.rec.maxInactive > 0 &&
		s.arrived.Sub(s.rec.lastAccess(s.from.Deadline)) >= touchInterval(s.rec.maxInactive)
}

// touch records a use, if it is due. It is not worth failing a request for.
func (s *Session) touch(ctx context.Context) {
	if !s.touchDue() {
		return
	}
	s.touchDone = true
	if err := s.manager.store.touch(ctx, s.from, s.opts.Lifetime); err != nil && !errors.Is(err, jcache.ErrUndecodable) {
		s.opts.Logger.Warn("the use of a session was not recorded; it may expire early",
			"session", s.manager.logID(s.id), "error", err)
	}
}
