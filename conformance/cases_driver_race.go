package conformance

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

const ruleLinearizable = "Swap is linearizable for each key against every Put, Delete and Swap of every client of the backend."

var raceCases = []testCase{
	{
		name:   "race/one of many swaps wins",
		rule:   ruleLinearizable,
		source: "driver contract 1",
		run: func(e *env) {
			a, b := e.pair()
			const racers = 8
			for round := range 20 {
				k := fmt.Sprint(keyMark, round)
				race := func(what string, token driver.Token, text func(i int) string) {
					var winners atomic.Int64
					e.parallel(racers, func(i int) {
						if swapped, _ := [2]client{a, b}[i%2].swap(k, token, text(i)); swapped {
							winners.Add(1)
						}
					})
					e.equal("winners of "+what, winners.Load(), int64(1))
				}
				race("an absent key", driver.Token{}, func(i int) string { return fmt.Sprint("first ", i) })
				race("a present key", a.item(k).Token, func(i int) string { return fmt.Sprint("second ", i) })
				race("a removal", b.item(k).Token, func(int) string { return "" })
				e.equal("after the removal", a.get(k), absent)
			}
		},
	},
	{
		name:   "race/no increment is lost",
		rule:   ruleLinearizable,
		source: "driver contract 1",
		run: func(e *env) {
			a, b := e.pair()
			const goroutines, each = 6, 30
			a.put(key, "0")
			// Goroutines of one client take turns, as they do above the driver.
			var turns [2]sync.Mutex
			e.parallel(goroutines, func(i int) {
				c := [2]client{a, b}[i%2]
				for range each {
					c.increment(key, &turns[i%2])
				}
			})
			e.equal("the sum", a.get(key), strconv.Itoa(goroutines*each))
		},
	},
	{
		name:   "race/histories are linearizable",
		rule:   ruleLinearizable,
		source: "driver contract 1",
		run: func(e *env) {
			a, b := e.pair()
			const keys, goroutines, each = 25, 4, 8
			for k := range keys {
				k := fmt.Sprint(keyMark, k)
				h := newHistory(stepRecord)
				e.parallel(goroutines, func(i int) {
					c := [2]client{a, b}[i%2]
					random := rand.New(rand.NewPCG(e.suite.seed, uint64(i)))
					last := driver.Item{} // what this goroutine read last
					for j := range each {
						next := fmt.Sprint(i, ".", j)
						switch random.IntN(6) {
						case 0, 1:
							h.do(i, recordCall{op: "get"}, func() any {
								item, found, err := c.Get(e.ctx, k)
								e.ok(err)
								if last = item; !found {
									last = driver.Item{}
								}
								return textIf(item, found)
							})
						case 2:
							h.do(i, recordCall{op: "put", next: next}, func() any { c.put(k, next); return "" })
						case 3:
							h.do(i, recordCall{op: "delete"}, func() any { c.delete(k); return "" })
						case 4:
							h.do(i, recordCall{op: "swap", old: textIf(last, !last.Token.IsZero()), next: next}, func() any {
								swapped, _ := c.swap(k, last.Token, next)
								return strconv.FormatBool(swapped)
							})
						case 5:
							if last.Token.IsZero() {
								continue // the portable layer removes nothing that it has not seen
							}
							h.do(i, recordCall{op: "swap", old: text(last)}, func() any {
								swapped, _ := c.swap(k, last.Token, "")
								return strconv.FormatBool(swapped)
							})
						}
					}
				})
				h.check(e)
			}
		},
	},
}

// increment adds one to the number under a key, in its turn.
func (c client) increment(key string, turn *sync.Mutex) {
	turn.Lock()
	defer turn.Unlock() // also if the case ends here
	for range 1000 {
		item := c.item(key)
		n, err := strconv.Atoi(text(item))
		c.e.ok(err)
		runtime.Gosched() // so that others come in between, be the driver ever so fast
		if swapped, _ := c.swap(key, item.Token, strconv.Itoa(n+1)); swapped {
			return
		}
	}
	c.e.Fatalf("a swap with the token that was just read is refused again and again")
}

// A recordCall is a call of the bare driver. Texts stand for records, which are all
// different, and for their tokens; empty is no record.
type recordCall struct{ op, old, next string }

// stepRecord is the register with compare-and-swap that a key has to be.
func stepRecord(state string, call any) (result any, next string) {
	c := call.(recordCall)
	switch {
	case c.op == "get":
		return state, state
	case c.op == "put":
		return "", c.next
	case c.op == "delete":
		return "", ""
	case state == c.old: // swap
		return "true", c.next
	}
	return "false", state
}
