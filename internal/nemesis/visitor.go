package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
)

// A visitor is a browser with a session: a cart, a counter, a login. It knows what of it was
// acknowledged. What it asks for goes to any server.
type visitor struct {
	v      *visits
	number int
	rng    *rand.Rand

	born   int // sessions, up to now
	cookie *http.Cookie
	cart   *ledger
	count  *counter
	gone   []endedID
}

// An endedID is a session id that must not be alive any more.
type endedID struct {
	cookie *http.Cookie
	why    string
	at     answer // when that was acknowledged
}

const (
	user      = "user" // the attribute that every session has
	cartItems = 4
)

// next does one thing.
func (v *visitor) next() {
	if v.cookie == nil {
		v.begin()
		return
	}
	switch n := v.rng.IntN(100); {
	case n < 35:
		v.look()
	case n < 65:
		v.change()
	case n < 78:
		v.add(1)
	case n < 84:
		v.add(2)
	case n < 90:
		v.renew()
	case n < 97:
		v.tryAnEnded()
	default:
		v.logout()
	}
}

// begin logs in: there is a session afterwards.
func (v *visitor) begin() {
	c := call{kind: put, key: user, value: newValue()}
	a, _, fresh := v.ask(nil, http.MethodPut, "/attr/"+user, c.value)
	if a.outcome != done || fresh == nil {
		return // if there is a session, nobody knows its id
	}
	v.born++
	name := fmt.Sprintf("visitor %d, session %d: ", v.number, v.born)
	keys := []string{user}
	for i := range cartItems {
		keys = append(keys, fmt.Sprintf("item%d", i))
	}
	cart := newLedger(name, keys)
	n := &counter{key: name + "count", given: map[int]bool{}, sides: map[bool]int{}}
	cart.fork() // the other side, if there is one, does not know it
	v.v.mu.Lock()
	v.cookie, v.cart, v.count = fresh, cart, n
	v.v.mu.Unlock()
	v.cart.note(record{v.number, c, a}, v.v.forked.meets(a))
}

// fork says that both sides of a cut may go on.
func (v *visitor) fork() {
	v.cart.fork()
	v.count.open()
}

func (v *visitor) item() string {
	return v.cart.keys[v.rng.IntN(len(v.cart.keys))]
}

// look reads something.
func (v *visitor) look() {
	c := call{kind: get, key: v.item()}
	a, _, fresh := v.ask(v.cookie, http.MethodGet, "/attr/"+c.key, "")
	if a.outcome == done && !a.yes {
		a.value = ""
	}
	v.enter(c, a, fresh)
}

// change puts something into the cart, or takes it out.
func (v *visitor) change() {
	c := call{kind: put, key: v.item(), value: newValue()}
	if c.key != user && v.rng.IntN(4) == 0 {
		c = call{kind: remove, key: c.key}
		a, _, fresh := v.ask(v.cookie, http.MethodDelete, "/attr/"+c.key, "")
		v.enter(c, a, fresh)
		return
	}
	a, _, fresh := v.ask(v.cookie, http.MethodPut, "/attr/"+c.key, c.value)
	v.enter(c, a, fresh)
}

// enter notes what came of a call on the cart.
func (v *visitor) enter(c call, a answer, fresh *http.Cookie) {
	if v.replaced(a, fresh) {
		return
	}
	if c.kind != get && a.outcome == done && !a.yes {
		a.outcome = unknown // the session ended, says the server; whoever reads finds out
	}
	if c.kind == remove && a.outcome == done {
		// The answer does not tell whether there was one.
		v.cart.forget(record{v.number, c, a})
		return
	}
	if broken := v.cart.note(record{v.number, c, a}, v.v.forked.meets(a)); broken != "" {
		v.v.broken("%s", broken)
	}
}

// replaced reports whether the visitor was given another session than it had, and says so if
// nobody may have forgotten that.
func (v *visitor) replaced(a answer, fresh *http.Cookie) bool {
	if fresh == nil {
		return false
	}
	if !v.cart.may(user, "") || !v.v.forked.meets(a) {
		v.v.broken("a visitor gets a new session unasked: visitor %d, session %d, at server %d, %.4f to %.4f s", v.number, v.born, a.server, a.began.Seconds(), a.ended.Seconds())
	}
	v.leave()
	return true
}

// leave gives the session up.
func (v *visitor) leave() { v.keep(nil) }

func (v *visitor) keep(cookie *http.Cookie) {
	v.v.mu.Lock()
	defer v.v.mu.Unlock()
	v.cookie = cookie
}

// add counts so many times, all at once.
func (v *visitor) add(times int) {
	var work sync.WaitGroup
	floor := v.count.expect()
	answers, cookies := make([]answer, times), make([]*http.Cookie, times)
	rngs := make([]*rand.Rand, times)
	for i := range times {
		rngs[i] = rand.New(rand.NewPCG(v.rng.Uint64(), 0))
	}
	for i := range times {
		work.Go(func() {
			twin := visitor{v: v.v, number: v.number, rng: rngs[i]}
			answers[i], _, cookies[i] = twin.ask(v.cookie, http.MethodPost, "/incr/count", "")
		})
	}
	work.Wait()
	for i, a := range answers {
		if v.cookie == nil || v.replaced(a, cookies[i]) {
			return
		}
		if a.outcome == done && !a.yes {
			a.outcome = unknown
		}
		if broken := v.count.note(record{v.number, call{kind: increment, key: v.count.key}, a}, floor, v.v.forked); broken != "" {
			v.v.broken("%s", broken)
		}
	}
}

// renew asks for another id. The old one is dead then.
func (v *visitor) renew() {
	old := v.cookie
	a, _, fresh := v.ask(old, http.MethodPost, "/renew", "")
	switch {
	case a.outcome == done && a.yes && fresh != nil:
		v.gone = append(v.gone, endedID{old, "an old id is alive after a renewal", a})
		v.keep(fresh)
		if v.v.forked.meets(a) {
			v.cart.forgotten() // the other side does not know the id
		}
	case a.outcome != nothing:
		v.leave() // the session may have an id that nobody told
	}
}

// logout ends the session.
func (v *visitor) logout() {
	a, _, _ := v.ask(v.cookie, http.MethodPost, "/invalidate", "")
	if a.outcome == done && a.yes {
		v.gone = append(v.gone, endedID{v.cookie, "a logout is undone", a})
	}
	if a.outcome != nothing {
		v.leave()
	}
}

// tryAnEnded tries an id that should be dead.
func (v *visitor) tryAnEnded() {
	if len(v.gone) > 0 {
		v.tryEnded(v.gone[v.rng.IntN(len(v.gone))])
	}
}

func (v *visitor) tryEnded(old endedID) {
	a, _, _ := v.ask(old.cookie, http.MethodGet, "/session", "")
	if a.outcome != done || v.v.forked.meets(old.at) && v.v.forked.meets(a) {
		return
	}
	var session struct{ Exists bool }
	if err := json.Unmarshal([]byte(a.value), &session); err != nil || session.Exists {
		v.v.broken("%s: visitor %d, acknowledged at %.4f s by server %d, and there at %.4f to %.4f s at server %d: %v",
			old.why, v.number, old.at.ended.Seconds(), old.at.server, a.began.Seconds(), a.ended.Seconds(), a.server, err)
	}
}

// settle checks all that the visitor has and had, when nothing is under way.
func (v *visitor) settle() {
	for _, old := range v.gone {
		v.tryEnded(old)
	}
	v.gone = nil
	if v.cookie == nil {
		return
	}
	for _, key := range v.cart.keys {
		c := call{kind: get, key: key}
		a, _, _ := v.ask(v.cookie, http.MethodGet, "/attr/"+key, "")
		v.settled(c, a, func(r record) string { return v.cart.settle(r) })
	}
	c := call{kind: get, key: v.count.key}
	a, _, _ := v.ask(v.cookie, http.MethodGet, "/attr/count", "")
	v.settled(c, a, func(r record) string {
		lost, broken := v.count.settle(r)
		v.v.lost += lost
		return broken
	})
}

func (v *visitor) settled(c call, a answer, settle func(record) string) {
	if !a.yes {
		a.value = ""
	}
	r := record{v.number, c, a}
	if a.outcome != done {
		v.v.broken("a session cannot be read though the servers are ready: %v", r)
	} else if broken := settle(r); broken != "" {
		v.v.broken("%s", broken)
	}
}
