package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// A shop is an application with sessions of which each server may have a flaw.
type shop struct {
	flaw string

	mu       sync.Mutex
	ids      int
	sessions map[string]map[string]string // by id
	asked    int
}

func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	// A flaw shows when there is something that it can hurt.
	has := func(flaw string) bool { return s.flaw == flaw && s.asked > 200 }
	var session map[string]string
	id := ""
	if c, err := r.Cookie("id"); err == nil {
		id, session = c.Value, s.sessions[c.Value]
	}
	if s.flaw == "forgets a session" && s.asked == 200 {
		clear(s.sessions)
	}
	give := func(session map[string]string) {
		s.ids++
		id := strconv.Itoa(s.ids)
		s.sessions[id] = session
		http.SetCookie(w, &http.Cookie{Name: "id", Value: id})
	}
	name := strings.TrimPrefix(r.URL.Path, "/attr/")
	switch {
	case r.URL.Path == "/session":
		fmt.Fprintf(w, `{"exists":%v}`, session != nil)
	case r.URL.Path == "/renew":
		give(session)
		if !has("keeps an old id") {
			delete(s.sessions, id)
		}
	case r.URL.Path == "/invalidate":
		if !has("undoes a logout") {
			delete(s.sessions, id)
		}
	case r.Method == http.MethodGet:
		value, ok := session[name]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = io.WriteString(w, value)
	default:
		if session == nil {
			session = map[string]string{}
			give(session)
		}
		switch r.Method {
		case http.MethodPut:
			body, _ := io.ReadAll(r.Body)
			if !has("loses a change") {
				session[name] = string(body)
			}
		case http.MethodDelete:
			if !has("undoes a delete") {
				delete(session, name)
			}
		case http.MethodPost:
			n, _ := strconv.Atoi(session["count"])
			if n++; !has("loses an increment") {
				session["count"] = strconv.Itoa(n)
			}
			_, _ = io.WriteString(w, strconv.Itoa(n))
		}
	}
}

// TestVisitorsFind lets visitors into shops with flaws.
func TestVisitorsFind(t *testing.T) {
	for flaw, want := range map[string]string{
		"":                   "",
		"forgets a session":  "gets a new session unasked",
		"loses a change":     "an acknowledged write is lost: visitor",
		"undoes a delete":    "an acknowledged delete is undone: visitor",
		"loses an increment": "acknowledged increments are lost",
		"keeps an old id":    "an old id is alive after a renewal",
		"undoes a logout":    "a logout is undone",
	} {
		web := httptest.NewServer(&shop{flaw: flaw, sessions: map[string]map[string]string{}})
		f := &fleet{client: web.Client(), began: time.Now(), servers: []*server{{listen: web.Listener.Addr().String(), up: true}}}
		var mu sync.Mutex
		found := ""
		v := &visits{f: f, forked: &fork{}, others: true, broken: func(format string, args ...any) {
			mu.Lock()
			defer mu.Unlock()
			found += fmt.Sprintf(format, args...) + "\n"
		}}
		one := &visitor{v: v, rng: rand.New(rand.NewPCG(1, 1))}
		for range 1000 {
			one.next()
		}
		one.settle()
		web.Close()
		if want == "" && found != "" || !strings.Contains(found, want) {
			t.Errorf("a shop that %s: found %q", flaw, found)
		}
	}
}
