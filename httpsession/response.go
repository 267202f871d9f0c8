package httpsession

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
)

// A response stands between the handler and the client: it stores the session before
// anything is sent.
type response struct {
	http.ResponseWriter
	exchange *exchange
	begun    bool // the header is decided; what follows goes to the client
	replaced bool // by an error; what the handler writes goes nowhere
}

var errReplaced = errors.New("httpsession: the session could not be stored and the response was replaced by an error")

// Unwrap is for http.ResponseController.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (w *response) WriteHeader(status int) {
	if status >= 100 && status < 200 && status != http.StatusSwitchingProtocols {
		w.ResponseWriter.WriteHeader(status)
		return
	}
	if w.begin() == nil {
		w.ResponseWriter.WriteHeader(status)
	}
}

// Write implements http.ResponseWriter.
func (w *response) Write(b []byte) (int, error) {
	if err := w.begin(); err != nil {
		return 0, err
	}
	return w.ResponseWriter.Write(b)
}

// WriteString implements io.StringWriter.
func (w *response) WriteString(s string) (int, error) {
	if err := w.begin(); err != nil {
		return 0, err
	}
	return io.WriteString(w.ResponseWriter, s)
}

// ReadFrom implements io.ReaderFrom, so that files are sent by the system.
func (w *response) ReadFrom(r io.Reader) (int64, error) {
	if err := w.begin(); err != nil {
		return 0, err
	}
	return io.Copy(w.ResponseWriter, r)
}

// FlushError is for http.ResponseController.
func (w *response) FlushError() error {
	if err := w.begin(); err != nil {
		return err
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// begin stores the session and completes the header, once. If the session cannot be
// stored the client gets an error, and the handler gets one from each write.
func (w *response) begin() error {
	if w.begun {
		if w.replaced {
			return errReplaced
		}
		return nil
	}
	w.begun = true
	x := w.exchange
	s := &x.session
	err := x.commit()
	s.mu.Lock()
	s.sent = true
	cookie, id, used := s.cookie, s.id, s.state != unknown
	s.mu.Unlock()
	if err != nil {
		return w.replace(err)
	}
	h := w.Header()
	switch cookie {
	case cookieSet:
		h.Add("Set-Cookie", s.opts.Cookie.cookie(id).String())
	case cookieClear:
		c := s.opts.Cookie.cookie("")
		c.MaxAge = -1
		h.Add("Set-Cookie", c.String())
	}
	if cookie != cookieKeep {
		h.Set("Cache-Control", "no-store") // nobody else may get this cookie
	}
	if used {
		if _, taken := h["Vary"]; taken {
			h.Add("Vary", "Cookie")
		} else {
			h["Vary"] = varyCookie
		}
	}
	return nil
}

// varyCookie is shared by all responses: it has no room, so appending copies it.
var varyCookie = []string{"Cookie"}

// replace answers with an error instead of what the handler was going to say, and
// returns the error for the handler.
func (w *response) replace(err error) error {
	x := w.exchange
	w.replaced = true
	level := slog.LevelError
	if errors.Is(err, ErrEnded) {
		level = slog.LevelInfo // it is how logging out while a request runs looks
	}
	x.session.opts.Logger.Log(context.WithoutCancel(x.Context), level, "a session could not be stored; the request failed",
		"session", x.session.manager.logID(x.session.id), "status", Status(err), "error", err)
	h := w.Header()
	for _, name := range []string{"Content-Type", "Content-Length", "Content-Encoding", "Content-Range", "Etag", "Last-Modified", "Location", "Trailer"} {
		h.Del(name)
	}
	h.Set("Cache-Control", "no-store")
	x.session.opts.OnError(w.ResponseWriter, x.request, err)
	return errReplaced
}
