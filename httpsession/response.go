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
	asked    bool          // for the headers
	before   []headerField // as they were then
	silent   bool          // the handler has returned and written nothing
	begun    bool          // the header is decided; what follows goes to the client
	replaced bool          // by an error; what the handler writes goes nowhere
}

type headerField struct {
	name   string
	values []string
}

var errReplaced = errors.New("httpsession: the session could not be stored and the response was replaced by an error")

// Unwrap is for http.ResponseController.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Header implements http.ResponseWriter. It remembers the headers of those outside, which stay
// if an error takes the place of what the handler has begun to say.
func (w *response) Header() http.Header {
	h := w.ResponseWriter.Header()
	if !w.asked && !w.begun {
		w.asked = true
		if len(h) > 0 {
			w.before = make([]headerField, 0, len(h))
			for name, values := range h {
				w.before = append(w.before, headerField{name, values})
			}
		}
	}
	return h
}

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
	w.exchange.session.wasFlushed()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// CloseNotify implements http.CloseNotifier, which frameworks still ask for.
func (w *response) CloseNotify() <-chan bool {
	for under := w.ResponseWriter; under != nil; under = unwrap(under) {
		if c, ok := under.(interface{ CloseNotify() <-chan bool }); ok {
			return c.CloseNotify()
		}
	}
	closed := make(chan bool, 1)
	context.AfterFunc(w.exchange.Context, func() { closed <- true })
	return closed
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
	cookie, id, used, late, err := s.begin(w)
	w.replaced = err != nil && !late
	h := w.ResponseWriter.Header()
	if w.replaced {
		w.restore(h)
	}
	switch cookie {
	case cookieSet:
		h.Add("Set-Cookie", s.opts.Cookie.cookie(id).String())
		if !s.opts.Cookie.AllowHTTP && insecure(x.request) {
			s.manager.warnOfHTTP(s.opts)
		}
	case cookieClear:
		c := s.opts.Cookie.cookie("")
		c.MaxAge = -1
		h.Add("Set-Cookie", c.String())
	}
	switch {
	case late && err != nil && !errors.Is(err, ErrHeadersSent):
		s.opts.Logger.Error("a session could not be stored, and the response had begun without it", "error", err)
	case late && (err != nil || cookie == cookieSet), cookie == cookieSet && w.wroteAround(h):
		s.manager.warnOfDetour(s.opts)
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
	if w.replaced {
		return w.replace(err)
	}
	return nil
}

// varyCookie is shared by all responses: it has no room, so appending copies it.
var varyCookie = []string{"Cookie"}

// restore takes back what the handler did to the headers.
func (w *response) restore(h http.Header) {
	if !w.asked {
		return
	}
	clear(h)
	for _, field := range w.before {
		h[field.name] = field.values
	}
}

// replace answers with an error instead of what the handler was going to say, and
// returns the error for the handler.
func (w *response) replace(err error) error {
	x := w.exchange
	level := slog.LevelError
	if errors.Is(err, ErrEnded) {
		level = slog.LevelInfo // it is how logging out while a request runs looks
	}
	x.session.opts.Logger.Log(context.WithoutCancel(x.Context), level, "a session could not be stored; the request failed",
		"session", x.session.manager.logID(x.session.id), "status", Status(err), "error", err)
	w.ResponseWriter.Header().Set("Cache-Control", "no-store")
	x.session.opts.OnError(w.ResponseWriter, x.request, err)
	return errReplaced
}

// headerSent reports whether a writer underneath says that the header is out already, as
// those of frameworks can.
func (w *response) headerSent() bool {
	for under := w.ResponseWriter; under != nil; under = unwrap(under) {
		if u, ok := under.(interface{ Written() bool }); ok {
			return u.Written()
		}
	}
	return false
}

// wroteAround reports whether it looks as if the handler wrote to another writer than its own.
func (w *response) wroteAround(h http.Header) bool {
	return w.silent && !w.asked && h.Get("Content-Type") != ""
}

// unwrap returns the writer under a writer, or nil.
func unwrap(w http.ResponseWriter) http.ResponseWriter {
	if u, ok := w.(interface{ Unwrap() http.ResponseWriter }); ok {
		return u.Unwrap()
	}
	return nil
}
