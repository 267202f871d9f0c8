package faults_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/keepsake-cache/keepsake/httpsession"
)

// site is what visitors see: each path does one thing to the visitor's session.
func site(sessions *httpsession.Manager) http.Handler {
	answer := func(w http.ResponseWriter, n int, err error) {
		if err != nil {
			http.Error(w, "", httpsession.Status(err))
			return
		}
		fmt.Fprint(w, n)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/change", func(w http.ResponseWriter, r *http.Request) {
		n, err := httpsession.Update(r.Context(), httpsession.From(r), "n", func(n int, _ bool) (int, error) { return n + 1, nil })
		answer(w, n, err)
	})
	mux.HandleFunc("/look", func(w http.ResponseWriter, r *http.Request) {
		n, _, err := httpsession.Get[int](r.Context(), httpsession.From(r), "n")
		answer(w, n, err)
	})
	mux.HandleFunc("/logout", func(w http.ResponseWriter, r *http.Request) {
		answer(w, 0, httpsession.From(r).Invalidate(r.Context()))
	})
	mux.HandleFunc("/renew", func(w http.ResponseWriter, r *http.Request) { answer(w, 0, httpsession.From(r).Renew()) })
	return sessions.Handler(mux)
}

// A visitor is a browser.
type visitor struct {
	cookie string
	old    []string // cookies that a renewal has replaced
	acked  int      // what the attribute was when a change of it was answered
	// anew says that the attribute was counted from the beginning once more, and back that it went back.
	anew, back bool
	ended      string // the cookie with which a logout was answered; empty: there was none
}

// ask sends a request, and returns whether it was answered without an error, and the attribute.
func (v *visitor) ask(site http.Handler, path, cookie string) (n int, ok bool) {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	if cookie != "" {
		r.Header.Set("Cookie", cookie)
	}
	w := httptest.NewRecorder()
	site.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		return 0, false
	}
	if set := w.Header().Get("Set-Cookie"); path != "/look" && set != "" {
		v.cookie, _, _ = strings.Cut(set, ";")
	}
	_, err := fmt.Sscan(w.Body.String(), &n)
	return n, err == nil
}

func (v *visitor) change(site http.Handler) {
	if n, ok := v.ask(site, "/change", v.cookie); ok {
		v.anew = v.anew || n == 1 && v.acked > 0
		v.back = v.back || n > 1 && n <= v.acked
		v.acked = n
	}
}

func (v *visitor) renew(site http.Handler) {
	before := v.cookie
	if _, ok := v.ask(site, "/renew", before); ok && v.cookie != before {
		v.old = append(v.old, before)
	}
}

func (v *visitor) logout(site http.Handler) {
	before := v.cookie
	if _, ok := v.ask(site, "/logout", before); ok {
		v.ended = before
	}
}
