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
	m.store, err = openStore(ctx, caches, opts.CacheName, func() time.Duration { return m.opts.Load().Lifetime })
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

// Close waits for the operations in progress and closes the manager's cache. The
// sessions stay where they are.
func (m *Manager) Close(ctx context.Context) error { return m.store.cache.Close(ctx) }

// Handler returns a handler whose requests have sessions: next finds the request's
// own with From.
//
// What next changed is stored before the first byte of the response leaves. If that
// fails, the client gets the answer of Options.OnError, and nothing of what next
// wrote. Changes after the first byte are stored at the end if they need no cookie;
// otherwise they are an error in the log. If next panics, what it changed is not
// stored. A client that hangs up does not stop anything from being stored.
//
// The response writer that next gets has the Flush, Hijack, Push and ReadFrom of the
// one underneath, and works with http.ResponseController.
func (m *Manager) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := &exchange{Context: r.Context()}
		x.session = Session{manager: m, opts: m.opts.Load(), header: r.Header, arrived: time.Now()}
		x.response = response{ResponseWriter: w, exchange: x}
		inner := r.WithContext(x)
		x.request = inner
		next.ServeHTTP(x.response.withAbilities(), inner)
		x.finish()
	})
}

// From returns the session of a request. It is never nil: if the request did not
// pass through Manager.Handler, every use of the session is ErrNoSession.
func From(r *http.Request) *Session {
	if s, ok := r.Context().Value(contextKey{}).(*Session); ok {
		return s
	}
	return &Session{}
}

type contextKey struct{}

// An exchange is one request with its session, its response and its context, in one
// allocation.
type exchange struct {
	context.Context
	session  Session
	response response
	request  *http.Request
}

// Value makes the session known to From.
func (x *exchange) Value(key any) any {
	if key == (contextKey{}) {
		return &x.session
	}
	return x.Context.Value(key)
}

// finish stores what was not stored yet, after the handler has returned.
func (x *exchange) finish() {
	s := &x.session
	switch {
	case !x.response.begun:
		// The handler wrote nothing, which is a response too.
		_ = x.response.begin() // it has answered for itself
	case !x.response.replaced:
		if err := x.commit(); err != nil {
			s.opts.Logger.Error("a change to a session after the response had begun is lost",
				"session", s.manager.logID(s.id), "error", err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
}

// commit stores the session even if the client has hung up. The cache bounds the
// time of what has no deadline.
func (x *exchange) commit() error {
	if x.session.settled() {
		return nil
	}
	return x.session.commit(context.WithoutCancel(x.Context))
}

// logID returns a hash of an id that stays the same while the server runs.
func (m *Manager) logID(id string) string {
	if id == "" {
		return "none"
	}
	mac := hmac.New(sha256.New, m.logSalt[:])
	mac.Write([]byte(id))
	return hex.EncodeToString(mac.Sum(nil)[:6])
}
