package conformance

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
)

const ruleAtomic = "Every operation on one key is atomic, across all processes that share the provider's entries, and sees every write that returned before it began."

// races are operations of which one of many callers must succeed.
var races = []struct {
	name    string
	start   string // what is there at first; empty: nothing
	expired bool   // what is there has expired
	op      string
	won     string // the result of the one winner
}{
	{"putIfAbsent", "", false, "putIfAbsent", "true"},
	{"putIfAbsent over an expired entry", oldValue, true, "putIfAbsent", "true"},
	{"remove", oldValue, false, "remove", "true"},
	{"getAndRemove", oldValue, false, "getAndRemove", oldValue},
	{"compareAndRemove", oldValue, false, "compareAndRemove", "true"},
	{"compareAndReplace", oldValue, false, "compareAndReplace", "true"},
	{"getAndPut of an absent key", "", false, "getAndPut", absent},
	{"getAndPut over an expired entry", oldValue, true, "getAndPut", absent},
	{"getAndPut of a present key", oldValue, false, "getAndPut", oldValue},
	{"getAndReplace", oldValue, false, "getAndReplace", oldValue},
	{"invoke value+set", oldValue, false, "invoke value+set", oldValue},
	{"invokeRegistered value+set", oldValue, false, "invokeRegistered value+set", oldValue},
	{"invokeRegistered value+set over an expired entry", oldValue, true, "invokeRegistered value+set", absent},
	{"invoke value+set over an expired entry", oldValue, true, "invoke value+set", absent},
}

func cacheRaceCases() []testCase {
	cases := []testCase{
		{
			name:   "race/no increment is lost",
			rule:   ruleAtomic,
			source: "package jcache, Consistency",
			run: func(e *env) {
				a, b := newCaches(e, jcache.Options[string, int]{})
				const goroutines, each = 8, 25
				e.parallel(goroutines, func(i int) {
					for range each {
						_, err := jcache.Invoke(e.ctx, [2]*jcache.Cache[string, int]{a, b}[i%2], key, increment)
						e.ok(err)
					}
				})
				n, _, err := b.Get(e.ctx, key)
				e.ok(err)
				e.equal("the sum", n, goroutines*each)
			},
		},
		{
			name:   "race/no increment by a registered processor is lost",
			rule:   ruleAtomic,
			source: "jcache.RegisteredProcessor.Invoke",
			uses:   usesInvoke,
			run: func(e *env) {
				a, b := newCaches(e, jcache.Options[string, int]{})
				const goroutines, each = 8, 25
				e.parallel(goroutines, func(i int) {
					c := [2]*jcache.Cache[string, int]{a, b}[i%2]
					for range each {
						_, err := add.Invoke(e.ctx, c, key, 2)
						e.ok(err)
						_, err = jcache.Invoke(e.ctx, c, key, increment)
						e.ok(err)
					}
				})
				n, _, err := b.Get(e.ctx, key)
				e.ok(err)
				e.equal("the sum", n, goroutines*each*3)
			},
		},
		{
			name:   "race/no value is torn or older than the last",
			rule:   ruleAtomic,
			source: "package jcache, Consistency",
			run: func(e *env) {
				a, b := newCaches(e, jcache.Options[string, []int]{})
				var written atomic.Int64
				e.parallel(4, func(i int) {
					if i == 0 {
						for n := range 60 {
							value := slices.Repeat([]int{n}, 500)
							e.ok(a.Put(e.ctx, key, value))
							written.Store(int64(n))
						}
						written.Store(-1)
						return
					}
					c := [2]*jcache.Cache[string, []int]{a, b}[i%2]
					for {
						least := written.Load()
						if least < 0 {
							return
						}
						value, ok, err := c.Get(e.ctx, key)
						e.ok(err)
						if !ok {
							continue
						}
						if len(value) != 500 || slices.Min(value) != slices.Max(value) {
							e.Fatalf("a value is torn")
						}
						if value[0] < int(least) {
							e.Fatalf("read %d after %d was written", value[0], least)
						}
					}
				})
			},
		},
		{
			name:   "race/histories are linearizable",
			rule:   ruleAtomic,
			source: "package jcache, Consistency",
			uses:   append(usesInvoke, usesExchange...),
			run:    raceHistories,
		},
	}
	for _, r := range races {
		op := operationNamed(r.op)
		cases = append(cases, testCase{
			name: "race/one winner of " + r.name, rule: ruleAtomic, source: op.source, uses: op.uses,
			run: func(e *env) {
				const rounds, racers = 12, 6
				a, b := newCaches(e, jcache.Options[string, string]{})
				expiry := jcache.Eternal[string, string]()
				if r.expired {
					expiry = jcache.Created[string, string](expiredAfter)
				}
				for round := range rounds {
					if r.start != "" {
						e.ok(a.WithExpiryPolicy(expiry).Put(e.ctx, fmt.Sprint(keyMark, round), r.start))
					}
				}
				if r.expired {
					e.wait(time.Now().Add(2 * expiredAfter))
				}
				for round := range rounds {
					var winners atomic.Int64
					e.parallel(racers, func(i int) {
						result, err := op.run(e.ctx, [2]stringCache{a, b}[i%2], []string{fmt.Sprint(keyMark, round)}, fmt.Sprint(newValue, i), oldValue)
						e.ok(err)
						if result == r.won {
							winners.Add(1)
						}
					})
					e.equal("winners", winners.Load(), int64(1))
				}
			},
		})
	}
	return cases
}

// raceHistories lets goroutines of both clients run random operations on one key,
// and checks with the model that some order of them explains all results.
func raceHistories(e *env) {
	a, b := newCaches(e, jcache.Options[string, string]{})
	names := []string{
		"get", "containsKey", "put", "getAndPut", "putIfAbsent", "remove", "getAndRemove", "replace", "getAndReplace",
		"compareAndReplace", "compareAndReplace", "compareAndRemove", "invoke value+set", "invoke remove", "invokeEntry value+set",
		"invokeRegistered value+set", "invokeRegistered remove",
	}
	const keys, goroutines, each = 20, 4, 7
	for k := range keys {
		k := fmt.Sprint(keyMark, k)
		h := newHistory(stepModel)
		e.parallel(goroutines, func(i int) {
			c := [2]stringCache{a, b}[i%2]
			random := rand.New(rand.NewPCG(e.suite.seed, uint64(i)))
			last := absent // what this goroutine saw last
			for j := range each {
				call := modelCall{names[random.IntN(len(names))], fmt.Sprint(valueMark, i, ".", j), last}
				h.do(i, call, func() any {
					result, err := operationNamed(call.op).run(e.ctx, c, []string{k}, call.value, call.old)
					e.ok(err)
					if last = call.value; strings.HasPrefix(result, valueMark) {
						last = result
					}
					return result
				})
			}
		})
		h.check(e)
	}
}

// A modelCall is an operation on the one key of a history.
type modelCall struct{ op, value, old string }

// stepModel applies a call to the model of one eternal entry.
func stepModel(state string, call any) (result any, next string) {
	c, m := call.(modelCall), make(model)
	forever := answers{jcache.ExpireNever(), jcache.KeepExpiry(), jcache.ExpireNever()}
	if state != "" {
		m.put(key, state, forever)
	}
	result = m.apply(operationNamed(c.op), []string{key}, c.value, c.old, forever)
	return result, m[key].value
}
