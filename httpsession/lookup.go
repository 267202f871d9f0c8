package httpsession

import (
	"context"
	"time"
)

// renewGrace is how long after a renewal a request with the old id, sent before the
// browser had the new cookie, may not start another session. Its cookie would
// take the place of the new one.
const renewGrace = 10 * time.Second

// lookPace is how long a response that has begun is shown the session as it was read last,
// unless it is flushed.
const lookPace = 100 * time.Millisecond

// look finds the session for a read. A request sees one state of it, and its own changes,
// until the response has begun. A stream looks again, so that it sees what others change,
// above all that the session has ended; and it keeps the session alive.
func (s *Session) look(ctx context.Context) error {
	if err := s.find(ctx); err != nil {
		return err
	}
	if !s.sent || s.state != present {
		return nil
	}
	now := time.Now()
	pace := lookPace
	if idle := s.from.Value.maxInactive; idle > 0 {
		pace = min(pace, touchInterval(idle))
	}
	if now.Sub(time.UnixMicro(s.seen)) < pace {
		return nil
	}
	e, ok, err := s.manager.store.find(ctx, s.from.Key)
	if err != nil {
		return err
	}
	if !ok || e.Value.state != live || e.Value.over(now, s.opts.Lifetime) {
		_ = s.lost(stateOf(e.Value, ok)) // reads find nothing
		return nil
	}
	s.touchDone = false
	s.see(e)
	s.touch(ctx, now)
	return nil
}

// find finds the session that the client means, once. The lock is held.
func (s *Session) find(ctx context.Context) error {
	if err := s.usable(); err != nil {
		return err
	}
	if s.state != unknown {
		return nil
	}
	var room [maxCandidates]string
	for _, id := range candidates(room[:0], s.exchange.request.Header, s.opts.Cookie.Name)[s.tried:] {
		key := storeKey(id)
		e, ok, err := s.manager.store.find(ctx, key)
		switch {
		case err != nil && s.opts.WhenLost == NewSession && s.manager.store.away(key, err):
			s.manager.abandon(id)
			ok = false
		case err != nil:
			return err
		case !ok:
			s.trail = append(s.trail, victim{entry: e}) // another server may know it
		}
		s.tried++
		if ok && s.consider(id, e) {
			return nil
		}
	}
	s.state = absent
	return nil
}

// consider takes up the session that was found under id, or says no.
func (s *Session) consider(id string, e entry) bool {
	r := e.Value
	if r.state == live {
		if s.opts.Lifetime > 0 && r.over(time.Now(), s.opts.Lifetime) {
			return false
		}
		s.state, s.id, s.used = present, id, r.lastAccess(e.Deadline).UnixMicro()
		s.see(e)
		return true
	}
	if len(r.successors) > 0 {
		s.trail = append(s.trail, victim{entry: e})
	}
	switch ended := time.UnixMicro(r.accessed); {
	case !ended.Before(s.arrived):
		s.state = endedMeanwhile
	case r.state == renewed && ended.Add(renewGrace).After(s.arrived):
		s.state = renewedRecently
	default:
		return false
	}
	return true
}

// see makes an entry what reads are shown.
func (s *Session) see(e entry) {
	s.from, s.index = e, index{}
	if s.sent {
		s.seen = time.Now().UnixMicro()
	}
}
