package sim

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
)

// register is what one key should be: its state is the number that it holds, zero for
// none.
var register = porcupine.Model{
	Init: func() any { return 0 },
	Step: func(state, input, output any) (bool, any) {
		held := state.(int)
		o := input.(*op)
		if o.outcome == unknown { // as if it were executed; it may be so at the very end
			if (o.kind == part.Swap || o.kind == part.Touch) && held != o.demand.value {
				return true, held
			}
			if o.kind == part.Touch {
				return true, held
			}
			return true, o.value
		}
		r := &o.result
		present := number(r.Present.Record)
		switch o.kind {
		case part.Get:
			return present == held, held
		case part.Put, part.Clear:
			return true, o.value
		case part.Process:
			return r.Repeated || number(r.Output) == held, o.value
		case part.Delete, part.Exchange:
			return r.Repeated || present == held, o.value
		default:
			if r.Status == part.NotSwapped {
				return held != o.demand.value && (r.Repeated || present == held), held
			}
			if o.kind == part.Touch {
				return held == o.demand.value, held
			}
			return held == o.demand.value, o.value
		}
	},
}

// checkHistory checks that what clients saw of each key, and what is there in the end,
// could have come from one register.
func (w *world) checkHistory() {
	if w.scenario.Splits || w.scenario.Evicts {
		return
	}
	for key := range w.scenario.Keys {
		history := w.history(key)
		if porcupine.CheckOperationsTimeout(register, history, 10*time.Second) == porcupine.Illegal {
			w.watch.fail("what clients saw of %s is not linearizable", keyName(key))
			w.explain(history)
		}
	}
}

func (w *world) history(key int) []porcupine.Operation {
	var history []porcupine.Operation
	for _, o := range w.clients.ops {
		clears := o.kind == part.Clear && o.key == w.partition(key)
		if !clears && (o.kind == part.Clear || o.key != key) || o.outcome == nothing || o.outcome == pending {
			continue
		}
		end := o.end
		if o.outcome == unknown {
			if o.kind == part.Get || o.kind == part.Touch {
				continue
			}
			end = math.MaxInt64
		}
		history = append(history, porcupine.Operation{ClientId: o.client, Input: o, Call: o.start, Return: end})
	}
	found, _ := w.final(key)
	last := &op{kind: part.Get, key: key, outcome: done, result: part.Result{Present: found}}
	return append(history, porcupine.Operation{ClientId: w.scenario.Clients, Input: last, Call: w.now, Return: w.now + 1})
}

// explain writes to the trace what had been seen when there was no order any more that
// explains it.
func (w *world) explain(history []porcupine.Operation) {
	if w.trace == nil {
		return
	}
	slices.SortFunc(history, func(a, b porcupine.Operation) int { return cmp.Compare(a.Return, b.Return) })
	for i, end := range history {
		seen := slices.Clone(history[:i+1])
		for _, h := range history[i+1:] {
			o := *h.Input.(*op)
			if h.Call < end.Return && o.kind != part.Get && o.kind != part.Touch {
				o.outcome = unknown
				h.Input, h.Return = &o, math.MaxInt64
				seen = append(seen, h)
			}
		}
		if porcupine.CheckOperations(register, seen) {
			continue
		}
		for _, h := range seen[max(0, i-12):] {
			w.log("   %.3f to %.3f  %v", float64(h.Call)/float64(ms), float64(h.Return)/float64(ms), h.Input)
		}
		return
	}
}
