package httpsession_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"time"

	"github.com/keepsake-cache/keepsake/httpsession"
)

// A stage is two servers on which scripts are played.
type stage struct {
	servers []http.Handler
	random  *rand.Rand
	tick    func()
	clear   func()     // the store, or nil
	alive   func() int // counts, or nil

	world   *world
	cookies map[int]string // by the model's ids
	jars    [2]int         // the model's ids
	acts    []*act
	log     strings.Builder
}

// An act is a request under way: a coroutine that takes one step at a time.
type act struct {
	model   *modelRequest
	browser int
	step    func(w http.ResponseWriter, r *http.Request) (end bool)
	next    func() (struct{}, bool)
	stop    func()
	yield   func(struct{}) bool
	answer  *httptest.ResponseRecorder
	hang    context.CancelFunc
	name    string
	aborted bool
}

type actKey struct{}

func (s *stage) note(a *act, format string, args ...any) {
	fmt.Fprintf(&s.log, "%s: %s\n", a.name, fmt.Sprintf(format, args...))
}

// round plays some requests, then looks what the store has.
func (s *stage) round() error {
	defer func() {
		for _, a := range s.acts {
			a.stop()
		}
	}()
	for left := 2 + s.random.IntN(6); left > 0 || len(s.acts) > 0; {
		s.world.now++
		s.tick()
		if left > 0 && len(s.acts) < 2 && (len(s.acts) == 0 || s.random.IntN(3) == 0) {
			left--
			s.begin()
			continue
		}
		i := s.random.IntN(len(s.acts))
		over, err := s.take(s.acts[i])
		if over {
			s.acts = slices.Delete(s.acts, i, i+1)
		}
		if err != nil {
			return err
		}
	}
	return s.observe()
}

// begin sends a request with the cookie that a browser has.
func (s *stage) begin() {
	a := &act{browser: s.random.IntN(2), answer: httptest.NewRecorder()}
	if s.random.IntN(6) == 0 { // somebody plants the cookie of another one, or steals it
		s.jars[a.browser] = s.jars[1-a.browser]
	}
	cookie := s.jars[a.browser]
	a.model = &modelRequest{world: s.world, cookie: cookie, arrived: s.world.now}
	server := s.random.IntN(2)
	a.name = fmt.Sprintf("request %d", s.world.now)
	s.note(a, "browser %d sends cookie %d to server %d", a.browser, cookie, server)
	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), actKey{}, a))
	a.hang = cancel
	r := httptest.NewRequest(http.MethodGet, "/", nil).WithContext(ctx)
	if cookie != 0 {
		r.AddCookie(&http.Cookie{Name: "session", Value: s.cookies[cookie]})
	}
	a.next, a.stop = iter.Pull(func(yield func(struct{}) bool) {
		a.yield = yield
		defer func() {
			if err := recover(); err != nil {
				if err, ok := err.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
					panic(err)
				}
				a.aborted = true
			}
		}()
		s.servers[server%len(s.servers)].ServeHTTP(writer{a.answer}, r)
	})
	a.next()
	s.acts = append(s.acts, a)
}

// writer can be hijacked, as far as a session is concerned.
type writer struct{ *httptest.ResponseRecorder }

func (writer) Hijack() (net.Conn, *bufio.ReadWriter, error) { return nil, nil, nil }

// take lets a request take a step.
func (s *stage) take(a *act) (over bool, err error) {
	a.step = func(w http.ResponseWriter, r *http.Request) bool {
		var end bool
		end, err = s.call(a, w, r)
		return end || err != nil
	}
	if _, more := a.next(); more || err != nil {
		return false, err
	}
	a.hang()
	if a.aborted {
		s.note(a, "panicked")
		return true, nil
	}
	if !a.model.begun {
		return true, s.start(a)
	}
	return true, nil
}

// start compares the beginning of the response.
func (s *stage) start(a *act) error {
	status, set, cleared := a.model.begin()
	answer := a.answer.Result()
	gotSet, gotCleared := "", false
	for _, c := range answer.Cookies() {
		gotSet, gotCleared = c.Value, c.MaxAge < 0
	}
	s.note(a, "answered %d, cookie %.5s, cleared %v", answer.StatusCode, gotSet, gotCleared)
	if answer.StatusCode != status || (gotSet != "") != (set != 0) || gotCleared != cleared {
		return fmt.Errorf("%s: answered %d, cookie %q, cleared %v; want %d, cookie %d, %v", a.name, answer.StatusCode, gotSet, gotCleared, status, set, cleared)
	}
	switch {
	case cleared:
		s.jars[a.browser] = 0
	case set != 0:
		s.cookies[set] = gotSet
		s.jars[a.browser] = set
	}
	return nil
}

func mismatch(a *act, what string, got, want error) error {
	return errors.New(a.name + ": " + what + ": " + fmt.Sprint(got) + ", want " + fmt.Sprint(want))
}

var errRefused = errors.New("refused by the function")

// call makes a random call and compares what it returns.
func (s *stage) call(a *act, w http.ResponseWriter, r *http.Request) (end bool, err error) {
	session, ctx, m := httpsession.From(r), r.Context(), a.model
	name := []string{"a", "b", "c"}[s.random.IntN(3)]
	value := 1 + s.random.IntN(9)
	check := func(what string, got, want error) {
		s.note(a, "%s: %v", what, got)
		if err == nil && (!errors.Is(got, want) || (got == nil) != (want == nil)) {
			err = mismatch(a, what, got, want)
		}
	}
	simple := func(op modelOp, got error) { check(fmt.Sprint(op), got, m.call(op)) }
	flushed := func() {
		if m.begun { // so that a read looks again
			w.(http.Flusher).Flush()
		}
	}
	switch s.random.IntN(17) {
	case 0, 1:
		simple(modelOp{kind: "set", name: name, value: value}, session.Set(name, value))
	case 2:
		simple(modelOp{kind: "delete", name: name}, session.Delete(name))
	case 3, 4:
		op := modelOp{kind: "update", name: name, value: value}
		n, got := httpsession.Update(ctx, session, name, func(n int, _ bool) (int, error) { return n + value, nil })
		want := m.call(op)
		check(fmt.Sprint(op), got, want)
		if err == nil && want == nil && n != m.view.attributes[name] {
			err = fmt.Errorf("%s: %v returned %d, want %d", a.name, op, n, m.view.attributes[name])
		}
	case 5:
		_, got := httpsession.Update(ctx, session, name, func(int, bool) (int, error) { return 0, errRefused })
		want := errRefused
		ended := s.wouldFail(m)
		asked := errors.Is(ended, httpsession.ErrEnded) && errors.Is(got, errRefused) && !m.lost // on what was read before it ended
		if ended != nil && !asked {
			want = m.call(modelOp{kind: "update", name: name})
		}
		m.look()
		check("refused update", got, want)
	case 6:
		simple(modelOp{kind: "create"}, session.Create())
	case 7, 8:
		simple(modelOp{kind: "renew"}, session.Renew())
	case 9:
		simple(modelOp{kind: "invalidate"}, session.Invalidate(ctx))
	case 10:
		op := modelOp{kind: "idle", idle: []time.Duration{httpsession.Forever, time.Hour, defaultIdle}[s.random.IntN(3)]}
		simple(op, session.SetMaxInactive(op.idle))
	case 11:
		flushed()
		want, exists, failure := m.shown()
		n, ok, got := httpsession.Get[int](ctx, session, name)
		check(fmt.Sprintf("get %s = %d, %v", name, n, ok), got, failure)
		wantN, wantOK := want.attributes[name]
		if err == nil && failure == nil && (n != wantN || ok != wantOK) {
			err = fmt.Errorf("%s: %s is %d, %v, want %d, %v (there is a session: %v)", a.name, name, n, ok, wantN, wantOK, exists)
		}
	case 12:
		flushed()
		want, exists, failure := m.shown()
		info, ok, got := session.Info(ctx)
		check(fmt.Sprintf("info %v %v new %v", ok, info.Attributes, info.New), got, failure)
		if err != nil || failure != nil {
			break
		}
		if !exists {
			want = modelSession{}
		}
		names := 0
		for _, name := range info.Attributes {
			if _, ok := want.attributes[name]; ok {
				names++
			}
		}
		if ok != exists || names != len(want.attributes) || names != len(info.Attributes) || info.MaxInactive != want.idle || info.New != (exists && m.isNew()) {
			err = fmt.Errorf("%s: info %v %+v, want %v %v, new %v", a.name, ok, info, exists, want, exists && m.isNew())
		}
	case 13:
		if s.random.IntN(3) > 0 || m.hung {
			break
		}
		want := m.hijack()
		_, _, got := w.(http.Hijacker).Hijack()
		s.note(a, "hijack: %v", got)
		if want == nil && !m.begun {
			err = s.start(a)
		}
		if want == nil {
			want = m.failed
		}
		if (got == nil) != (want == nil) && err == nil {
			err = mismatch(a, "hijack", got, want)
		}
	case 14:
		if s.random.IntN(3) > 0 {
			break
		}
		_, got := w.Write([]byte("x"))
		s.note(a, "write: %v", got)
		if !m.begun {
			err = s.start(a)
		}
	case 15:
		switch s.random.IntN(8) {
		case 0:
			s.note(a, "the client hangs up")
			a.hang()
			m.hung = true
		case 1:
			panic(http.ErrAbortHandler)
		}
	case 16:
		return s.random.IntN(2) == 0, nil
	}
	return false, err
}

// wouldFail is the error of a flush, which does not take place.
func (s *stage) wouldFail(m *modelRequest) error {
	w := &world{sessions: make(map[int]*modelSession), last: m.world.last, now: m.world.now}
	for id, one := range m.world.sessions {
		copied := *one
		copied.attributes = map[string]int{}
		w.sessions[id] = &copied
	}
	trial := *m
	trial.world, trial.pending = w, slices.Clone(m.pending)
	return trial.flush(modelOp{kind: "update", name: "a"})
}

// observe compares the store with the model.
func (s *stage) observe() error {
	live := 0
	for id, session := range s.world.sessions {
		if !session.dead {
			live++
		}
		if s.cookies[id] == "" {
			continue
		}
		for i := range s.servers {
			var err error
			a := &act{step: func(_ http.ResponseWriter, r *http.Request) bool {
				for _, name := range []string{"a", "b", "c"} {
					n, ok, got := httpsession.Get[int](r.Context(), httpsession.From(r), name)
					want, there := session.attributes[name]
					if there = there && !session.dead; !there {
						want = 0
					}
					if n != want || ok != there || got != nil {
						err = fmt.Errorf("in the end %s of session %d is %d, %v, on server %d, want %d, %v; error %w", name, id, n, ok, i, want, there, got)
					}
				}
				return true
			}, yield: func(struct{}) bool { return true }}
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.AddCookie(&http.Cookie{Name: "session", Value: s.cookies[id]})
			s.servers[i].ServeHTTP(httptest.NewRecorder(), r.WithContext(context.WithValue(r.Context(), actKey{}, a)))
			if err != nil {
				return err
			}
		}
	}
	if s.alive != nil {
		if n := s.alive(); n != live {
			return fmt.Errorf("in the end %d sessions are alive in the store, want %d", n, live)
		}
	}
	return nil
}
