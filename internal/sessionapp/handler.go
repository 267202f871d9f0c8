package sessionapp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/keepsake-cache/keepsake/httpsession"
)

// maxBody bounds the value of an attribute: larger than what any provider is asked to
// take in the tests.
const maxBody = 64 << 20

// newHandler returns the routes of a server. Each takes the parameter delay=DURATION,
// which holds the request up between what it does to the session and its end, or held=NAME, which
// holds it up there until it is let go.
//
//	GET    /healthz               200
//	PUT    /attr/{name}           the body becomes the value; 204
//	GET    /attr/{name}           200 and the value, or 404
//	DELETE /attr/{name}           204
//	POST   /incr/{name}           200 and the value plus one, atomically
//	GET    /session               200 and a description in JSON; create=true creates one
//	PUT    /timeout?seconds=N     idle time of this session; 204
//	POST   /renew                 another id; 204
//	POST   /invalidate            204
//	GET    /untouched             200, without looking at the session
//	GET    /held/{name}           200 when a request is held under that name
//	POST   /held/{name}           lets it go; 200
func newHandler(server string) http.Handler {
	mux := http.NewServeMux()
	var holds holds
	route := func(pattern string, do func(w http.ResponseWriter, r *http.Request, s *httpsession.Session) error) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			answer := &delayed{next: w, status: http.StatusNoContent}
			err := do(answer, r, httpsession.From(r))
			if err == nil {
				err = holds.wait(r)
			}
			if err != nil {
				http.Error(w, "the request failed", statusOf(err))
				return
			}
			answer.send()
		})
	}
	ok := func(w http.ResponseWriter, _ *http.Request, _ *httpsession.Session) error {
		fmt.Fprintln(w, "ok")
		return nil
	}
	mux.HandleFunc("GET /held/{name}", func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-holds.of(r.PathValue("name")).inside:
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("POST /held/{name}", func(_ http.ResponseWriter, r *http.Request) { close(holds.of(r.PathValue("name")).released) })
	route("GET /healthz", ok)
	route("GET /untouched", ok)
	route("PUT /attr/{name}", func(w http.ResponseWriter, r *http.Request, s *httpsession.Session) error {
		value, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			return err
		}
		return s.Set(r.PathValue("name"), string(value))
	})
	route("GET /attr/{name}", func(w http.ResponseWriter, r *http.Request, s *httpsession.Session) error {
		value, found, err := httpsession.Get[any](r.Context(), s, r.PathValue("name"))
		if err == nil && !found {
			return errNotFound
		}
		fmt.Fprint(w, value)
		return err
	})
	route("DELETE /attr/{name}", func(_ http.ResponseWriter, r *http.Request, s *httpsession.Session) error {
		return s.Delete(r.PathValue("name"))
	})
	route("POST /incr/{name}", func(w http.ResponseWriter, r *http.Request, s *httpsession.Session) error {
		n, err := httpsession.Update(r.Context(), s, r.PathValue("name"), increment)
		fmt.Fprint(w, n)
		return err
	})
	route("GET /session", func(w http.ResponseWriter, r *http.Request, s *httpsession.Session) error {
		return describe(w, r, s, server)
	})
	route("PUT /timeout", func(_ http.ResponseWriter, r *http.Request, s *httpsession.Session) error {
		seconds, err := strconv.ParseFloat(r.FormValue("seconds"), 64)
		if err != nil || !(seconds > 0 && seconds < 1e9) {
			return errBadRequest
		}
		return s.SetMaxInactive(time.Duration(seconds * float64(time.Second)))
	})
	route("POST /renew", func(_ http.ResponseWriter, _ *http.Request, s *httpsession.Session) error {
		return s.Renew()
	})
	route("POST /invalidate", func(_ http.ResponseWriter, r *http.Request, s *httpsession.Session) error {
		return s.Invalidate(r.Context())
	})
	return mux
}

// increment adds one to a number, or to a text that is one.
func increment(old any, found bool) (any, error) {
	if !found {
		return int64(1), nil
	}
	n, err := strconv.ParseInt(fmt.Sprint(old), 10, 64)
	if err != nil {
		return nil, errBadRequest
	}
	return n + 1, nil
}

// description is the answer of GET /session.
type description struct {
	Exists             bool       `json:"exists"`
	New                bool       `json:"new"`
	Server             string     `json:"server"`
	Created            *time.Time `json:"created"`
	LastAccessed       *time.Time `json:"lastAccessed"`
	MaxInactiveSeconds int64      `json:"maxInactiveSeconds"`
	Attributes         []string   `json:"attributes"`
}

func describe(w http.ResponseWriter, r *http.Request, s *httpsession.Session, server string) error {
	if r.FormValue("create") == "true" {
		if err := s.Create(); err != nil {
			return err
		}
	}
	d := description{Server: server, Attributes: []string{}}
	info, exists, err := s.Info(r.Context())
	if err != nil {
		return err
	}
	if exists {
		d.Exists, d.New, d.Created, d.LastAccessed = true, info.New, &info.Created, &info.LastAccessed
		d.MaxInactiveSeconds = int64(info.MaxInactive / time.Second)
		d.Attributes = append(d.Attributes, info.Attributes...)
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(d)
}

var (
	errNotFound   = errors.New("no such attribute")
	errBadRequest = errors.New("bad request")
)

func statusOf(err error) int {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.Is(err, errNotFound):
		return http.StatusNotFound
	case errors.Is(err, errBadRequest):
		return http.StatusBadRequest
	case errors.As(err, &tooLarge):
		return http.StatusRequestEntityTooLarge
	}
	return httpsession.Status(err)
}

// holds are the requests that are held, by their names, of which each is used once.
type holds struct {
	mu  sync.Mutex
	all map[string]held
}

type held struct{ inside, released chan struct{} }

func (h *holds) of(name string) held {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, ok := h.all[name]; !ok {
		if h.all == nil {
			h.all = make(map[string]held)
		}
		h.all[name] = held{make(chan struct{}), make(chan struct{})}
	}
	return h.all[name]
}

// wait holds a request up as it asks for.
func (h *holds) wait(r *http.Request) error {
	query := r.URL.Query()
	if name := query.Get("held"); name != "" {
		one := h.of(name)
		close(one.inside)
		select {
		case <-one.released:
		case <-r.Context().Done():
		}
	}
	text := query.Get("delay")
	if text == "" {
		return nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return errBadRequest
	}
	ctx, cancel := context.WithTimeout(r.Context(), d)
	defer cancel()
	<-ctx.Done()
	return nil
}

// delayed keeps what a route writes until the delay is over, so that the response
// begins at the end of the handler.
type delayed struct {
	next   http.ResponseWriter
	status int
	body   []byte
}

func (d *delayed) Header() http.Header { return d.next.Header() }

func (d *delayed) WriteHeader(status int) { d.status = status }

func (d *delayed) Write(b []byte) (int, error) {
	d.status = http.StatusOK
	d.body = append(d.body, b...)
	return len(b), nil
}

func (d *delayed) send() {
	d.next.WriteHeader(d.status)
	_, _ = d.next.Write(d.body) // the client may be gone
}
