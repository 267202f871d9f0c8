package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
)

// A history is what all clients did to one key that was absent at first.
type history struct {
	key string

	mu    sync.Mutex
	calls []record
}

// A record is a call and what came of it.
type record struct {
	client int
	call
	answer
}

func (r record) String() string {
	what := [...]string{get: "get", put: "put ", remove: "delete", replace: "replace ", create: "create ", increment: "add one"}[r.kind] + r.call.value
	if r.kind == replace {
		what = "replace " + r.old + " by " + r.call.value
	}
	if r.life != 0 {
		what += " for " + r.life.String()
	}
	result := fmt.Sprint(r.yes)
	switch {
	case r.outcome != done:
		result = [...]string{nothing: "nothing done", unknown: "unknown", wrong: "wrong answer"}[r.outcome]
	case (r.kind == get || r.kind == increment) && r.yes:
		result = r.answer.value
	case r.kind == get:
		result = "absent"
	case r.kind == put:
		result = "ok"
	}
	return fmt.Sprintf("%10.4f to %10.4f s: client %d at server %d: %s = %s", r.began.Seconds(), r.ended.Seconds(), r.client, r.server, what, result)
}

func (h *history) add(r record) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls = append(h.calls, r)
}

// model is a register that may be absent, which is the empty value.
var model = porcupine.Model{
	Init: func() any { return "" },
	Step: func(state, input, _ any) (bool, any) {
		now, r := state.(string), input.(record)
		next, yes := now, true
		switch r.kind {
		case get:
			return r.answer.value == now, now
		case put:
			next = r.call.value
		case remove:
			next, yes = "", now != ""
		case replace:
			if yes = now == r.old; yes {
				next = r.call.value
			}
		case create:
			if yes = now == ""; yes {
				next = r.call.value
			}
		}
		return r.outcome == unknown || r.yes == yes, next
	},
}

// forever is when a call ends whose outcome is unknown: it may still be done.
const forever = math.MaxInt64

// operations returns what must be explained of the calls that began until a time: those
// that changed nothing and reads without a result explain themselves. What ended later is
// unknown by then.
func (h *history) operations(until time.Duration) []porcupine.Operation {
	var ops []porcupine.Operation
	for _, r := range h.calls {
		if r.began > until {
			continue
		}
		if r.outcome == done && r.ended > until || r.outcome == wrong {
			r.outcome = unknown
		}
		if r.outcome == nothing || r.outcome == unknown && r.kind == get {
			continue
		}
		op := porcupine.Operation{ClientId: r.client, Input: r, Call: int64(r.began), Return: int64(r.ended)}
		if r.outcome == unknown {
			op.Return = forever
		}
		ops = append(ops, op)
	}
	return ops
}

// searchTime bounds the search for an explanation of one history.
const searchTime = 10 * time.Second

// check looks for an order of the calls, compatible with when they were made, in which
// each has its result. decided is false if none was found in time.
func (h *history) check() (explained, decided bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch porcupine.CheckOperationsTimeout(model, h.operations(forever), searchTime) {
	case porcupine.Ok:
		return true, true
	case porcupine.Illegal:
		return false, true
	}
	return false, false
}

// blame returns the first call that cannot be explained, with what happened around it.
func (h *history) blame() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	byEnd := slices.Clone(h.calls)
	slices.SortFunc(byEnd, func(a, b record) int { return cmp.Compare(a.ended, b.ended) })
	// A history that can be explained can be explained up to any time.
	first, _ := slices.BinarySearchFunc(byEnd, true, func(r record, _ bool) int {
		if porcupine.CheckOperationsTimeout(model, h.operations(r.ended), searchTime) == porcupine.Illegal {
			return 0
		}
		return -1
	})
	first = min(first, len(byEnd)-1)
	culprit := byEnd[first]
	around := slices.DeleteFunc(slices.Clone(h.calls), func(r record) bool { return r.began > culprit.ended })
	slices.SortFunc(around, func(a, b record) int { return cmp.Compare(a.began, b.began) })
	// What is unknown may be done much later.
	old := around[:max(0, len(around)-contextCalls)]
	var b strings.Builder
	for _, r := range old {
		if r.outcome == unknown && r.kind != get {
			fmt.Fprintf(&b, "\n      %v", r)
		}
	}
	for _, r := range around[len(old):] {
		mark := " "
		if r == culprit {
			mark = ">"
		}
		fmt.Fprintf(&b, "\n    %s %v", mark, r)
	}
	return b.String()
}

// contextCalls is how many calls before an inexplicable one are printed.
const contextCalls = 16
