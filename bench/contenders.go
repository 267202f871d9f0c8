package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/alexedwards/scs/v2"
	"github.com/gorilla/sessions"

	"github.com/keepsake-cache/keepsake/httpsession"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/providers/memory"
)

// A contender makes a handler for each thing that a request can do to a session. The
// session has the attributes that fill puts into it.
type contender struct {
	name string
	make func(fill int) (handlers, error)
}

// handlers serve one request each. setup stores the attributes; readAll and writeAll read and
// set each of those that were filled in.
type handlers struct {
	setup, untouched, read, write, readAll, writeAll http.Handler
}

var contenders = []contender{
	{"baseline, no session", baseline},
	{"keepsake on memory", keepsakeOnMemory},
	{"scs v2.9.0 memstore", scsMemory},
	{"gorilla cookie store", gorillaCookie},
}

var body = []byte("ok")

// attributeNames are made before anything is measured.
var attributeNames = func() (names [mostAttributes]string) {
	for i := range names {
		names[i] = fmt.Sprintf("attribute%04d", i)
	}
	return names
}()

const mostAttributes = 2000

// attribute is the name of the i-th of the attributes that are filled in.
func attribute(i int) string { return attributeNames[i] }

var value64 = strings.Repeat("v", 64)

func baseline(int) (handlers, error) {
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) })
	return handlers{h, h, h, h, h, h}, nil
}

func keepsakeOnMemory(fill int) (handlers, error) {
	caches, err := memory.Open(memory.Options{})
	if err != nil {
		return handlers{}, err
	}
	return keepsakeOn(caches, fill)
}

func keepsakeOn(caches *jcache.CacheManager, fill int) (handlers, error) {
	m, err := httpsession.New(context.Background(), caches, httpsession.Options{})
	if err != nil {
		return handlers{}, err
	}
	wrap := func(do func(context.Context, *httpsession.Session) error) http.Handler {
		return m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := do(r.Context(), httpsession.From(r)); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			_, _ = w.Write(body)
		}))
	}
	return handlers{
		setup: wrap(func(_ context.Context, s *httpsession.Session) error {
			for i := range fill {
				if err := s.Set(attribute(i), value64); err != nil {
					return err
				}
			}
			return s.Set("n", 1)
		}),
		untouched: wrap(func(context.Context, *httpsession.Session) error { return nil }),
		read: wrap(func(ctx context.Context, s *httpsession.Session) error {
			_, ok, err := httpsession.Get[int](ctx, s, "n")
			if err == nil && !ok {
				err = fmt.Errorf("no attribute")
			}
			return err
		}),
		write: wrap(func(ctx context.Context, s *httpsession.Session) error {
			n, _, err := httpsession.Get[int](ctx, s, "n")
			if err != nil {
				return err
			}
			return s.Set("n", n+1)
		}),
		readAll: wrap(func(ctx context.Context, s *httpsession.Session) error {
			for i := range fill {
				if _, ok, err := httpsession.Get[string](ctx, s, attribute(i)); err != nil || !ok {
					return fmt.Errorf("attribute %d: there: %v, error %w", i, ok, err)
				}
			}
			return nil
		}),
		writeAll: wrap(func(_ context.Context, s *httpsession.Session) error {
			for i := range fill {
				if err := s.Set(attribute(i), value64); err != nil {
					return err
				}
			}
			return nil
		}),
	}, nil
}

func scsMemory(fill int) (handlers, error) {
	return scsOn(scs.New(), fill) // its store is memstore
}

func scsOn(m *scs.SessionManager, fill int) (handlers, error) {
	wrap := func(do func(ctx context.Context)) http.Handler {
		return m.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			do(r.Context())
			_, _ = w.Write(body)
		}))
	}
	return handlers{
		setup: wrap(func(ctx context.Context) {
			for i := range fill {
				m.Put(ctx, attribute(i), value64)
			}
			m.Put(ctx, "n", 1)
		}),
		untouched: wrap(func(context.Context) {}),
		read:      wrap(func(ctx context.Context) { m.GetInt(ctx, "n") }),
		write:     wrap(func(ctx context.Context) { m.Put(ctx, "n", m.GetInt(ctx, "n")+1) }),
		readAll: wrap(func(ctx context.Context) {
			for i := range fill {
				m.GetString(ctx, attribute(i))
			}
		}),
		writeAll: wrap(func(ctx context.Context) {
			for i := range fill {
				m.Put(ctx, attribute(i), value64)
			}
		}),
	}, nil
}

func gorillaCookie(fill int) (handlers, error) {
	store := sessions.NewCookieStore([]byte("0123456789abcdef0123456789abcdef"))
	wrap := func(save bool, do func(*sessions.Session)) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if do != nil {
				s, err := store.Get(r, "session")
				if err != nil {
					http.Error(w, err.Error(), http.StatusInternalServerError)
					return
				}
				do(s)
				if save {
					if err := s.Save(r, w); err != nil {
						http.Error(w, err.Error(), http.StatusInternalServerError)
						return
					}
				}
			}
			_, _ = w.Write(body)
		})
	}
	return handlers{
		setup: wrap(true, func(s *sessions.Session) {
			for i := range fill {
				s.Values[attribute(i)] = value64
			}
			s.Values["n"] = 1
		}),
		untouched: wrap(false, nil),
		read:      wrap(false, func(s *sessions.Session) { _, _ = s.Values["n"].(int) }),
		write: wrap(true, func(s *sessions.Session) {
			n, _ := s.Values["n"].(int)
			s.Values["n"] = n + 1
		}),
	}, nil
}

// visitor returns the requests of one visitor, whose session was set up.
func visitor(h handlers) (*http.Request, error) {
	w := httptest.NewRecorder()
	h.setup.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if w.Code != http.StatusOK {
		return nil, fmt.Errorf("setup: %d %s", w.Code, w.Body.String())
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for _, c := range w.Result().Cookies() {
		r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}
	return r, nil
}
