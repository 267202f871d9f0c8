package httpsession

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
)

// A Manager gives the requests of a server their sessions. All its methods may be
// called by many goroutines at once.
type Manager struct {
	opts    atomic.Pointer[Options]
	store   store
	logSalt [16]byte
	warned  struct{ http, detour atomic.Bool }

	abandoned counter
	vanished  counter
}

// New returns a manager that keeps its sessions in a cache of the given cache
// manager. Every server that shares the provider's entries shares the sessions.
func New(ctx context.Context, caches *jcache.CacheManager, opts Options) (*Manager, error) {
	opts, err := opts.WithDefaults()
	if err != nil {
		return nil, err
	}
	m := &Manager{}
	_, _ = rand.Read(m.logSalt[:]) // it never fails
	m.opts.Store(&opts)
	m.store, err = openStore(ctx, caches, opts, func() time.Duration { return m.opts.Load().Lifetime }, m.logDamage)
	if err != nil {
		return nil, err
	}
	return m, nil
}

// Reconfigure replaces the options, for requests that begin from now on. The name of
// the cache cannot change.
func (m *Manager) Reconfigure(opts Options) error {
	opts, err := opts.WithDefaults()
	if err != nil {
		return err
	}
	if opts.CacheName != m.opts.Load().CacheName {
		return errors.New("httpsession: CacheName cannot change while the server runs")
	}
	m.opts.Store(&opts)
	return nil
}

// Close waits for the operations in progress and closes the manager's caches. The
// sessions stay where they are.
func (m *Manager) Close(ctx context.Context) error { return m.store.close(ctx) }

// Handler returns a handler whose requests have sessions: next finds the request's
// own with From.
//
// What next changed is stored before the first byte of the response leaves. If that
// fails, the client gets the answer of Options.OnError, and nothing of what next
// wrote. Once the response has begun each change is stored at once; one that needs a cookie
// is an error. If next panics, what is not stored yet is not stored. A client that
// hangs up does not stop anything from being stored.
//
// The response writer that next gets has the Flush, Hijack, Push and ReadFrom of the
// one underneath, and works with http.ResponseController. What next does to its request,
// such as to parse a form or to set a pattern, is seen by who called the handler.
//
// A request that has passed through the same manager before, with the same cookies, keeps its
// session.
func (m *Manager) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if x := m.FromContext(r.Context()).exchange; x != nil && x.serves(r) {
			next.ServeHTTP(w, r)
			return
		}
		x := &exchange{Context: r.Context()}
		x.session.manager, x.session.opts, x.session.exchange, x.session.arrived = m, m.opts.Load(), x, time.Now()
		x.response.ResponseWriter, x.response.exchange = w, x
		x.request = r.WithContext(x)
		defer x.leave(r)
		next.ServeHTTP(x.response.withAbilities(), x.request)
		x.finish()
	})
}

// From returns the session of a request. It is never nil: if the request did not
// pass through Manager.Handler, every use of the session is ErrNoSession. Of several
// managers that the request has passed through it is that of the last one.
func From(r *http.Request) *Session { return FromContext(r.Context()) }

// FromContext is From for code that has the request's context, or one derived from it.
func FromContext(ctx context.Context) *Session { return sessionIn(ctx, nil) }

// From returns the session that this manager gave a request, whichever other managers it
// passed through. It is never nil; see the function From.
func (m *Manager) From(r *http.Request) *Session { return m.FromContext(r.Context()) }

// FromContext is From for code that has the request's context, or one derived from it.
func (m *Manager) FromContext(ctx context.Context) *Session { return sessionIn(ctx, m) }

// logID returns a hash of an id that stays the same while the server runs.
func (m *Manager) logID(id string) string {
	if id == "" {
		return "none"
	}
	mac := hmac.New(sha256.New, m.logSalt[:])
	mac.Write([]byte(id))
	return hex.EncodeToString(mac.Sum(nil)[:6])
}

func (m *Manager) logDamage(err error) {
	m.opts.Load().Logger.Warn("a stored session cannot be decoded; its visitor gets a new one", "error", err)
}

// warnOfHTTP says, once, why each request makes a new session.
func (m *Manager) warnOfHTTP(opts *Options) {
	if !m.warned.http.Swap(true) {
		opts.Logger.Warn("the session cookie is Secure, and a request came over plain HTTP: the browser will not send the cookie back; " +
			"use HTTPS, let the proxy that has it send X-Forwarded-Proto, or set Cookie.AllowHTTP (cookieSecure: false in a configuration file)")
	}
}

// warnOfDetour says, once, that a response did not wait for its session.
func (m *Manager) warnOfDetour(opts *Options) {
	if !m.warned.detour.Swap(true) {
		opts.Logger.Error("a session's cookie does not reach the browser: the response began without the session manager; " +
			"write nothing before Manager.Handler, and let its handler write to the http.ResponseWriter that it is given")
	}
}
