package httpsession

import (
	"context"
	"time"
)

// What the beginning of the response means for the session.

type cookieChange uint8

const (
	cookieKeep cookieChange = iota
	cookieSet
	cookieClear
)

// begin stores the session before w begins, and says what the browser has to learn, and whether
// the response depends on the session. If late, the browser can learn nothing any more.
func (s *Session) begin(w *response) (cookie cookieChange, id string, used, late bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if pending := len(s.victims) > 0 || !s.wishes.none(); pending || s.fresh {
		late = w.headerSent()
		s.sent = late
		if pending {
			err = s.flush(lasting{s.exchange}, "", nil)
		}
	}
	if err == nil {
		s.touch(lasting{s.exchange}, s.arrived)
	} else {
		s.script, s.failed = script{}, err
	}
	s.sent = true
	if s.state == present {
		s.seen = time.Now().UnixMicro()
	}
	switch {
	case s.fresh && s.state == present:
		cookie = cookieSet
	case s.cleared && s.id == "":
		cookie = cookieClear
	}
	return cookie, s.id, s.state != unknown, late, err
}

// needsCookie reports whether the browser would have to learn an id from the response. If
// so, what is wished is forgotten.
func (s *Session) needsCookie(ctx context.Context) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fresh && s.state == present {
		return true, nil
	}
	if !s.wishes.create && !s.wishes.renew {
		return false, nil
	}
	if err := s.find(ctx); err != nil {
		return false, err
	}
	if s.state == absent && s.wishes.create || s.state == present && s.wishes.renew {
		s.wishes = wishes{}
		return true, nil
	}
	return false, nil
}

// wasFlushed notes that the client has seen what was written so far. What follows is shown the
// session as it is then.
func (s *Session) wasFlushed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = 0
}
