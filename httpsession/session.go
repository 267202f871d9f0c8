package httpsession

import (
	"context"
	"sync"
	"time"
)

// A Session is what a handler sees of the visitor's session during one request.
// It costs nothing until it is used: the first use reads the session, and changes
// are stored together, just before the response begins. Its methods may be called
// by several goroutines of the request, until the handler has returned.
//
// The calls of a request take effect in their order. Reading a session that does not exist
// finds nothing, and neither removing what it has not nor renewing its id creates it; Set,
// Update, Create and SetMaxInactive do.
//
// Once the response has begun, with its first byte, every change is stored at once, and its
// error is that of the call. One that needs a cookie is ErrHeadersSent.
type Session struct {
	manager  *Manager
	opts     *Options
	exchange *exchange // of the request

	mu      sync.Mutex
	arrived time.Time
	script

	// The subject, as it is without the wishes.
	state     sessionState
	tried     uint8 // of the ids that the client sent
	isNew     bool  // created by this request
	fresh     bool  // the browser does not know id yet
	cleared   bool  // the browser's cookie names a session that this request has ended
	touchDone bool
	sent      bool // the response has begun
	over      bool // the handler has returned
	id        string
	from      entry    // as it was read, or stored by this request; the start of the next write
	index     index    // of its attributes
	used      int64    // when it was before this request, in microseconds since 1970
	seen      int64    // since when a response that has begun is shown it; zero: too long
	trail     []victim // what the client's ids named that ended, and others may have followed, or that is not known here
	failed    error    // why the response was replaced
}

// sessionState is what is known of the subject in the store.
type sessionState uint8

const (
	unknown         sessionState = iota // not looked up yet
	present                             // it is there
	absent                              // there is none
	gone                                // it expired during the request, or was lost by its server
	endedMeanwhile                      // it ended during the request, by whatever
	renewedRecently                     // shortly before the request
)

// stateOf names what an edit met instead of a live session.
func stateOf(r record, ok bool) sessionState {
	if ok && r.state != live {
		return endedMeanwhile
	}
	return gone
}

// usable returns an error where there is no session to use.
func (s *Session) usable() error {
	switch {
	case s.manager == nil:
		return ErrNoSession
	case s.over:
		return ErrRequestOver
	}
	return nil
}

// began is when the request came, as precisely as it is stored.
func (s *Session) began() time.Time { return time.UnixMicro(s.arrived.UnixMicro()) }

// Info describes a session. Its times are those that every other server shows.
type Info struct {
	// New: this request created it.
	New bool
	// Created is when it was created, and LastAccessed when it was last recorded
	// to be used before this request.
	Created, LastAccessed time.Time
	// MaxInactive is how long it lives unused, or Forever.
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
	exists := s.state == present
	if !exists && !s.wishes.create {
		return Info{}, false, nil
	}
	info = Info{New: true, Created: s.began(), LastAccessed: s.began(), MaxInactive: s.opts.MaxInactive}
	r := &s.from.Value
	if exists {
		info = Info{New: s.isNew, Created: time.UnixMicro(r.created), LastAccessed: time.UnixMicro(s.used), MaxInactive: shownIdle(r.maxInactive)}
	}
	if s.wishes.idle != 0 {
		info.MaxInactive = s.wishes.idle
	}
	info.Attributes = s.wishes.changes.names(r)
	return info, true, nil
}

// Create makes sure that there is a session at the end of the request, even an
// empty one.
func (s *Session) Create() error {
	return s.wish(func(w *wishes) error {
		w.create = true
		return nil
	})
}

// SetMaxInactive gives this session an idle time of its own, from now on: a millisecond to a
// hundred years, or Forever. It is kept in milliseconds, rounded up. Any other d is an error.
//
// Servlet: HttpSession.setMaxInactiveInterval.
func (s *Session) SetMaxInactive(d time.Duration) error {
	d, err := idleTime(d)
	if err != nil {
		return err
	}
	return s.wish(func(w *wishes) error {
		w.idle, w.create = d, true
		return nil
	})
}

// Renew gives the session another id, and the browser another cookie, when the
// response begins or, if that is earlier, with the next Update. Attributes and times stay.
// Requests with the old id find no session from then on, those under way included. Call it
// when the visitor logs in or gains rights, so that an id that somebody planted before is
// worth nothing.
//
// Servlet: HttpServletRequest.changeSessionId.
func (s *Session) Renew() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(); err != nil {
		return err
	}
	switch {
	case s.failed != nil:
		return s.failed
	case s.sent:
		return ErrHeadersSent
	}
	s.wishes.renew = !s.fresh // of an id that nobody has seen there is no need
	return nil
}

// Invalidate ends the session and removes its attributes when the response begins or, if
// that is earlier, with the next Update. It stays dead, whatever older requests do later.
// If another request has renewed the id, what the session has become ends. Changes made
// afterwards in the same request go to a new session.
//
// Servlet: HttpSession.invalidate.
func (s *Session) Invalidate(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, cancel, err := s.outlast(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	if err := s.find(ctx); err != nil {
		return err
	}
	if s.failed != nil {
		return s.failed
	}
	s.victims = append(s.victims, s.trail...)
	if s.state == present {
		s.victims = append(s.victims, victim{s.from, s.fresh})
	}
	s.wishes, s.trail = wishes{}, nil
	s.state, s.id, s.isNew, s.fresh = absent, "", false, false
	s.see(entry{})
	if s.sent {
		return s.endVictims(ctx)
	}
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
