package httpsession

import (
	"context"
	"errors"
	"net/http"

	"github.com/keepsake-cache/keepsake/jcache"
)

// The conditions that a handler can act on, found with errors.Is. Trouble with the
// provider comes through as package jcache reports it.
var (
	// ErrNoSession: the request did not pass through Manager.Handler.
	ErrNoSession = errors.New("httpsession: the handler is not wrapped by a session manager")
	// ErrRequestOver: the session was used after its request had been served.
	ErrRequestOver = errors.New("httpsession: the request is over")
	// ErrEnded: while this request was running, the session was invalidated or its id
	// renewed by another one, or it expired, or its server has lost it. What this request
	// has changed is not stored.
	ErrEnded = errors.New("httpsession: the session has ended")
	// ErrHeadersSent: the change needs a cookie, and the response has begun.
	ErrHeadersSent = errors.New("httpsession: a cookie is needed and the response has begun")
	// ErrTooLarge: an attribute, or the session with it, is more than the provider takes.
	// It is that of package jcache.
	ErrTooLarge = jcache.ErrTooLarge
)

// Status returns the HTTP status that fits an error of this package: 409 if the
// session ended while the request was running, 413 if it would become too large, 503 if the
// provider is in trouble or the time of the request is over, so that repeating the request
// may help, and 500 otherwise.
func Status(err error) int {
	switch {
	case errors.Is(err, ErrEnded):
		return http.StatusConflict
	case errors.Is(err, ErrTooLarge):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, jcache.ErrUnavailable), errors.Is(err, jcache.ErrIndeterminate),
		errors.Is(err, jcache.ErrContention), errors.Is(err, jcache.ErrFull),
		errors.Is(err, jcache.ErrClosed), errors.Is(err, context.DeadlineExceeded):
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// replyError is the default of Options.OnError. The cause is for the log, not for
// the client.
func replyError(w http.ResponseWriter, _ *http.Request, err error) {
	status := Status(err)
	text := "The server could not store the session."
	switch status {
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "1")
		text = "The server cannot reach its session store. Please try again."
	case http.StatusRequestEntityTooLarge:
		text = "This is more than a session can hold."
	case http.StatusConflict:
		text = "The session ended while the request was running. Please try again."
	}
	http.Error(w, text, status)
}
