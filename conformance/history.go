package conformance

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
)

// A history is what several goroutines did to one key, and when.
type history struct {
	step  func(state string, call any) (result any, next string)
	start time.Time

	mu  sync.Mutex
	ops []porcupine.Operation
}

// newHistory returns the history of a key that is absent at first. step says what a
// call returns on a state, and the state after it; absence is the empty state.
func newHistory(step func(state string, call any) (result any, next string)) *history {
	return &history{step: step, start: time.Now()}
}

// do makes a call and remembers it.
func (h *history) do(who int, call any, run func() any) {
	runtime.Gosched() // so that others come in between, be the driver ever so fast
	before := time.Since(h.start)
	result := run()
	after := time.Since(h.start)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, porcupine.Operation{
		ClientId: who, Input: call, Output: result, Call: before.Nanoseconds(), Return: after.Nanoseconds(),
	})
}

// check fails the case if there is no order of the calls, compatible with when they
// were made, in which each returns what it did.
func (h *history) check(e *env) {
	model := porcupine.Model{
		Init: func() any { return "" },
		Step: func(state, call, result any) (bool, any) {
			want, next := h.step(state.(string), call)
			return want == result, next
		},
	}
	// Unknown, after so long, is no verdict: nothing is known to be wrong.
	if porcupine.CheckOperationsTimeout(model, h.ops, 5*time.Second) != porcupine.Illegal {
		return
	}
	e.Fatalf("no order of these calls explains their results:%v", h)
}

// String lists the calls in the order in which they began.
func (h *history) String() string {
	slices.SortFunc(h.ops, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
	var b strings.Builder
	for _, op := range h.ops {
		fmt.Fprintf(&b, "\n%8.3f to %8.3f ms: goroutine %d: %+v: %q", float64(op.Call)/1e6, float64(op.Return)/1e6, op.ClientId, op.Input, op.Output)
	}
	return b.String()
}
