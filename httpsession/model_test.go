package httpsession_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/keepsake-cache/keepsake/httpsession"
)

// A world is what the store holds, in a few lines: sessions with small numbers for ids.
type world struct {
	sessions map[int]*modelSession
	last     int // id
	now      int // in steps
}

type modelSession struct {
	attributes map[string]int
	idle       time.Duration
	dead       bool
	renewed    int // what it became, if it is dead
	ended      int // when
}

func newWorld() *world { return &world{sessions: make(map[int]*modelSession)} }

func (w *world) live(id int) bool { return w.sessions[id] != nil && !w.sessions[id].dead }

func (w *world) add(s modelSession) int {
	w.last++
	w.sessions[w.last] = &s
	return w.last
}

// end is a logout: it follows the session to what it became.
func (w *world) end(id int) (lived bool) {
	s := w.sessions[id]
	switch {
	case s == nil:
		return false
	case !s.dead:
		s.dead, s.ended = true, w.now
		return true
	}
	return w.end(s.renewed)
}

func (w *world) renew(id int) int {
	s := w.sessions[id]
	s.dead, s.ended = true, w.now
	s.renewed = w.add(modelSession{attributes: maps.Clone(s.attributes), idle: s.idle})
	return s.renewed
}

// A modelOp is a call that changes something.
type modelOp struct {
	kind  string // set, delete, create, idle, renew, invalidate, update
	name  string
	value int
	idle  time.Duration
}

func (o modelOp) creates() bool {
	return o.kind != "delete" && o.kind != "renew" && o.kind != "invalidate"
}

// A modelRequest is a script: what it calls takes effect in order, when it is flushed.
type modelRequest struct {
	world   *world
	cookie  int // that was sent
	arrived int

	looked  bool
	subject int // 0: none
	lost    bool
	view    *modelSession // of subject
	known   []int         // what the cookie named that is dead
	fresh   int           // an id that the browser is to learn
	created int           // by this request

	pending []modelOp
	begun   bool
	hung    bool
	failed  error
	cleared bool
}

func (r *modelRequest) see(id int) {
	r.view = nil
	if s := r.world.sessions[id]; s != nil {
		r.view = &modelSession{attributes: maps.Clone(s.attributes), idle: s.idle}
	}
}

// look is the first use.
func (r *modelRequest) look() {
	if r.looked {
		return
	}
	r.looked = true
	s := r.world.sessions[r.cookie]
	switch {
	case s == nil:
	case !s.dead:
		r.subject = r.cookie
		r.see(r.subject)
	default:
		r.known = append(r.known, r.cookie)
		r.lost = s.renewed != 0 || s.ended >= r.arrived
	}
}

func (r *modelRequest) lose() {
	r.known = append(r.known, r.subject)
	r.lost, r.view = true, nil
}

// flush carries out the pending calls and one more, or nothing.
func (r *modelRequest) flush(more ...modelOp) error {
	ops := append(slices.Clone(r.pending), more...)
	if r.failed != nil {
		return r.failed
	}
	if len(ops) == 0 {
		return nil
	}
	r.look()
	tooLate := r.begun && r.subject == 0 && slices.ContainsFunc(ops, modelOp.creates)
	if !r.lost && tooLate {
		return httpsession.ErrHeadersSent
	}
	changed := false
	for _, op := range ops {
		if op.kind == "invalidate" {
			for _, id := range r.known {
				r.cleared = r.world.end(id) || r.cleared
			}
			if r.subject != 0 && !r.lost {
				lived := r.world.end(r.subject)
				r.cleared = r.cleared || lived && r.subject != r.fresh
			}
			r.subject, r.lost, r.known, r.view = 0, false, nil, nil
			continue
		}
		if r.lost {
			return httpsession.ErrEnded
		}
		if r.subject == 0 && op.creates() {
			r.subject = r.world.add(modelSession{attributes: map[string]int{}, idle: defaultIdle})
			r.fresh, r.created, changed = r.subject, r.subject, true
		}
		if r.subject == 0 || op.kind == "create" || op.kind == "renew" && r.fresh == r.subject {
			continue
		}
		if !r.world.live(r.subject) {
			r.lose()
			return httpsession.ErrEnded
		}
		s := r.world.sessions[r.subject]
		changed = true
		switch op.kind {
		case "renew":
			isNew := r.created == r.subject
			r.subject = r.world.renew(r.subject)
			r.fresh = r.subject
			if isNew {
				r.created = r.subject
			}
		case "set":
			s.attributes[op.name] = op.value
		case "update":
			s.attributes[op.name] += op.value
		case "delete":
			delete(s.attributes, op.name)
		case "idle":
			s.idle = op.idle
		}
	}
	r.pending = nil
	if changed {
		r.see(r.subject)
	}
	return nil
}

// call is one of the calls that change something.
func (r *modelRequest) call(op modelOp) error {
	switch {
	case op.kind == "update":
		return r.flush(op)
	case op.kind == "invalidate":
		r.look()
		if r.failed != nil {
			return r.failed
		}
		// What was wished of the session does not matter any more.
		r.pending = slices.DeleteFunc(r.pending, func(o modelOp) bool { return o.kind != "invalidate" })
	case r.failed != nil:
		return r.failed
	case op.kind == "renew" && r.begun:
		return httpsession.ErrHeadersSent
	case op.kind == "renew" && r.fresh != 0 && r.fresh == r.subject && !r.invalidated():
		return nil // nobody has seen the id
	}
	if r.begun {
		return r.flush(op)
	}
	r.pending = append(r.pending, op)
	return nil
}

// shown is the session as a read sees it now.
func (r *modelRequest) shown() (s modelSession, exists bool, err error) {
	if r.hung && (!r.looked && r.cookie != 0 || r.begun && r.subject != 0 && !r.lost) {
		return s, false, context.Canceled
	}
	r.look()
	if r.begun && r.subject != 0 && !r.lost {
		if r.world.live(r.subject) {
			r.see(r.subject)
		} else {
			r.lose()
		}
	}
	view := r.view
	if r.invalidated() {
		view = nil
	}
	s = modelSession{attributes: map[string]int{}, idle: defaultIdle}
	if view != nil {
		s = modelSession{attributes: maps.Clone(view.attributes), idle: view.idle}
		exists = true
	}
	for _, op := range r.pending {
		exists = exists || op.creates()
		switch op.kind {
		case "set":
			s.attributes[op.name] = op.value
		case "delete":
			delete(s.attributes, op.name)
		case "idle":
			s.idle = op.idle
		}
	}
	return s, exists, nil
}

// isNew is what Info says.
func (r *modelRequest) isNew() bool {
	return r.view == nil || r.invalidated() || r.created == r.subject
}

// wants reports whether a call of a kind is pending.
func (r *modelRequest) wants(kind string) bool {
	return slices.ContainsFunc(r.pending, func(o modelOp) bool { return o.kind == kind })
}

func (r *modelRequest) invalidated() bool { return r.wants("invalidate") }

// begin is the first byte of the response: a status, and what becomes of the cookie.
func (r *modelRequest) begin() (status int, set int, clear bool) {
	err := r.flush()
	if err != nil {
		r.failed, r.pending = err, nil
	}
	r.begun = true
	status = 200
	if err != nil {
		status = httpsession.Status(err)
	}
	if r.fresh != 0 && r.fresh == r.subject && !r.lost {
		return status, r.fresh, false
	}
	return status, 0, r.cleared && r.subject == 0 && !r.lost
}

// hijack takes the connection over, unless the browser would have to learn a cookie: then
// what was wished is forgotten.
func (r *modelRequest) hijack() error {
	if r.begun {
		return nil
	}
	creates := slices.ContainsFunc(r.pending, modelOp.creates)
	if creates || r.wants("renew") {
		r.look()
	}
	there := r.subject != 0 && !r.lost && !r.invalidated()
	if there && r.fresh == r.subject {
		return errCookie
	}
	none := r.invalidated() || r.subject == 0 && !r.lost
	if none && creates || there && r.wants("renew") {
		r.pending = slices.DeleteFunc(r.pending, func(o modelOp) bool { return o.kind != "invalidate" })
		return errCookie
	}
	return nil
}

var errCookie = errors.New("a cookie is needed")

const defaultIdle = 30 * time.Minute
