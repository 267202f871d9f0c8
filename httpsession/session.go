package httpsession

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
)

// A Session is what a handler sees of the visitor's session during one request.
// It costs nothing until it is used: the first use reads the session, and changes
// are stored together, just before the response begins. Its methods may be called
// by several goroutines of the request, until the handler has returned.
//
// Reading a session that does not exist finds nothing. Changing one that does not
// exist creates it.
type Session struct {
	manager *Manager
	opts    *Options
	header  http.Header // of the request
	arrived time.Time

	mu    sync.Mutex
	state sessionState
	room  [maxCandidates]string
	ids   []string // in room: what the client sent and was not tried yet
	id    string   // of a session that is present
	isNew bool     // created by this request
	from  entry    // as it was read; the start of the next write
	rec   record   // as it is, without changes

	changes     []change
	maxInactive *time.Duration
	create      bool
	renew       bool
	victim      *entry // a session that shall end

	cookie    cookieChange
	sent      bool // the response has begun
	over      bool // the handler has returned
	touchDone bool
}

// sessionState is what is known of the session in the store.
type sessionState uint8

const (
	unknown         sessionState = iota // not looked up yet
	present                             // it is there
	absent                              // there is none
	gone                                // it was there when the request began, and expired
	endedMeanwhile                      // it was invalidated or renewed during the request
	renewedRecently                     // shortly before the request
)

// stateOf names what an edit met instead of a live session.
func stateOf(r record, ok bool) sessionState {
	if ok && r.state != live {
		return endedMeanwhile
	}
	return gone
}

type cookieChange uint8

const (
	cookieKeep cookieChange = iota
	cookieSet
	cookieClear
)

// renewGrace is how long after a renewal a request with the old id, sent before the
// browser had the new cookie, may not start another session. Its cookie would
// take the place of the new one.
const renewGrace = 10 * time.Second

// look finds the session that the client means, once. The lock is held.
func (s *Session) look(ctx context.Context) error {
	if s.manager == nil {
		return ErrNoSession
	}
	if s.over {
		return ErrRequestOver
	}
	if s.state != unknown {
		return nil
	}
	if s.ids == nil {
		s.ids = candidates(s.room[:0], s.header, s.opts.Cookie.Name)
	}
	for len(s.ids) > 0 {
		id := s.ids[0]
		e, ok, err := s.manager.store.find(ctx, id)
		if errors.Is(err, jcache.ErrUndecodable) {
			s.opts.Logger.Warn("a stored session cannot be decoded; its visitor gets a new one",
				"session", s.manager.logID(id), "error", err)
			ok, err = false, nil
		}
		if err != nil {
			return err
		}
		s.ids = s.ids[1:]
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
	changed := time.UnixMicro(r.accessed)
	switch {
	case r.state == live && !r.over(time.Now(), s.opts.Lifetime):
		s.state, s.id, s.from, s.rec = present, id, e, r
	case r.state == live:
		return false
	case !changed.Before(s.arrived):
		s.state = endedMeanwhile
	case r.state == renewed && changed.Add(renewGrace).After(s.arrived):
		s.state = renewedRecently
	default:
		return false
	}
	return true
}

// Info describes a session.
type Info struct {
	// New: this request created it.
	New bool
	// Created is when it was created, and LastAccessed when it was last recorded
	// to be used before this request.
	Created, LastAccessed time.Time
	// MaxInactive is how long it lives unused; zero: for ever.
	MaxInactive time.Duration
	// Attributes are the names of its attributes, in no order.
	Attributes []string
}

// Info returns a description of the session, with this request's changes, or
// ok == false if there is none. It does not create one.
func (s *Session) Info(ctx context.Context) (info Info, ok bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.look(ctx); err != nil {
		return Info{}, false, err
	}
	if s.state != present && !s.toCreate() {
		return Info{}, false, nil
	}
	info = Info{New: s.isNew || s.state != present, Created: s.arrived, LastAccessed: s.arrived, MaxInactive: s.opts.MaxInactive}
	if s.state == present {
		info.Created = time.UnixMicro(s.rec.created)
		info.LastAccessed = s.rec.lastAccess(s.from.Deadline)
		info.MaxInactive = s.rec.maxInactive
	}
	if s.maxInactive != nil {
		info.MaxInactive = *s.maxInactive
	}
	info.MaxInactive = max(0, info.MaxInactive)
	r := record{attributes: s.rec.apply(s.changes, 0)}
	info.Attributes = r.names()
	return info, true, nil
}

// toCreate reports whether something was changed that needs a session to be in.
func (s *Session) toCreate() bool {
	return s.create || len(s.changes) > 0 || s.maxInactive != nil
}

// Create makes sure that there is a session at the end of the request, even an
// empty one.
func (s *Session) Create() error {
	return s.note(func() { s.create = true })
}

// SetMaxInactive gives this session an idle time of its own, from now on. A d that
// is not positive lets it live for ever.
//
// Servlet: HttpSession.setMaxInactiveInterval.
func (s *Session) SetMaxInactive(d time.Duration) error {
	return s.note(func() {
		d = max(0, d)
		s.maxInactive = &d
	})
}

// Renew gives the session another id, and the browser another cookie, when the
// response begins. Attributes and times stay. Requests with the old id find no
// session from then on, those under way included. Call it when the visitor logs in
// or gains rights, so that an id that somebody planted before is worth nothing.
//
// Servlet: HttpServletRequest.changeSessionId.
func (s *Session) Renew() error {
	s.mu.Lock()
	sent := s.sent
	s.mu.Unlock()
	if sent {
		return ErrHeadersSent
	}
	return s.note(func() { s.renew = true })
}

// note records a wish for the time of the commit.
func (s *Session) note(wish func()) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.manager == nil {
		return ErrNoSession
	}
	if s.over {
		return ErrRequestOver
	}
	if s.sent && (s.state == absent || s.state == gone) {
		return ErrHeadersSent
	}
	wish()
	return nil
}

// Invalidate ends the session and removes its attributes when the response begins.
// It stays dead, whatever older requests do later. Changes made afterwards in the
// same request go to a new session.
//
// Servlet: HttpSession.invalidate.
func (s *Session) Invalidate(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.look(ctx); err != nil {
		return err
	}
	if s.state == present {
		victim := s.from
		s.victim = &victim
	}
	s.state, s.id, s.rec, s.isNew = absent, "", record{}, false
	s.cookie = cookieKeep
	s.discard()
	return nil
}

// LogID returns a hash of the session's id that is fit for logs: it is the same for
// all requests of the session on this server until the server restarts, and nobody
// can use it as a cookie. It is empty if there is no session.
func (s *Session) LogID(ctx context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.look(ctx); err != nil || s.id == "" {
		return "", err
	}
	return s.manager.logID(s.id), nil
}
