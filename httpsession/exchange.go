package httpsession

import (
	"context"
	"net"
	"net/http"
	"slices"
	"time"
)

// An exchange is one request with its session, its response and its context, in one
// allocation.
type exchange struct {
	context.Context
	session  Session
	response response
	request  *http.Request // as the handler gets it
}

// contextKey finds the session of a manager, or without one the session of any.
type contextKey struct{ manager *Manager }

// Value makes the session known to From.
func (x *exchange) Value(key any) any {
	if k, ok := key.(contextKey); ok && (k.manager == nil || k.manager == x.session.manager) {
		return &x.session
	}
	return x.Context.Value(key)
}

func sessionIn(ctx context.Context, m *Manager) *Session {
	if s, ok := ctx.Value(contextKey{m}).(*Session); ok {
		return s
	}
	return noSession
}

// noSession is of no manager, so that all its uses are errors.
var noSession = &Session{}

// serves reports whether r is the exchange's request on its way to an inner handler, and not
// another one that was made with its context.
func (x *exchange) serves(r *http.Request) bool {
	x.session.mu.Lock()
	defer x.session.mu.Unlock()
	return !x.session.over && slices.Equal(r.Header["Cookie"], x.request.Header["Cookie"])
}

// finish stores what was not stored yet, after the handler has returned.
func (x *exchange) finish() {
	if !x.response.begun {
		// The handler wrote nothing, which is a response too.
		x.response.silent = true
		_ = x.response.begin() // it has answered for itself
	}
}

// leave ends the exchange and gives the request back to who called the handler.
func (x *exchange) leave(r *http.Request) {
	if ctx := x.request.Context(); ctx != context.Context(x) {
		*r = *x.request
	} else if differ(r, x.request) {
		*r = *x.request.WithContext(x.Context)
	}
	x.session.mu.Lock()
	defer x.session.mu.Unlock()
	x.session.over = true
}

// lasting is the context of an exchange without its end: a client that hangs up does not
// stop what is being stored. The cache bounds the time of what has no deadline.
type lasting struct{ *exchange }

func (lasting) Deadline() (time.Time, bool) { return time.Time{}, false }
func (lasting) Done() <-chan struct{}       { return nil }
func (lasting) Err() error                  { return nil }

// outlast returns a context for a change that is stored at once. It ends with ctx's deadline,
// but not when the client hangs up.
func (s *Session) outlast(ctx context.Context) (context.Context, context.CancelFunc, error) {
	if err := s.usable(); err != nil {
		return nil, nil, err
	}
	deadline, bounded := ctx.Deadline()
	if err := ctx.Err(); err != nil && (s.exchange.Err() == nil || bounded && !time.Now().Before(deadline)) {
		return nil, nil, err // it is the handler that gave up
	}
	if ctx == context.Context(s.exchange) {
		ctx = lasting{s.exchange}
	} else {
		ctx = context.WithoutCancel(ctx)
	}
	if bounded {
		ctx, cancel := context.WithDeadline(ctx, deadline)
		return ctx, cancel, nil
	}
	return ctx, func() {}, nil
}

// insecure reports whether the request certainly came over plain HTTP, and from a browser
// that does not send it Secure cookies.
func insecure(r *http.Request) bool {
	served := r.Context().Value(http.ServerContextKey) != nil // so that TLS would be known
	if !served || r.TLS != nil || r.Header.Get("X-Forwarded-Proto") != "" || r.Header.Get("Forwarded") != "" {
		return false
	}
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	ip := net.ParseIP(host)
	return host != "localhost" && (ip == nil || !ip.IsLoopback()) // to which browsers do send them
}
