package conformance

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/keepsake-cache/keepsake/conformance/faulty"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/memory"
)

// What came of a call that failed: nothing for certain, or nobody knows.
const (
	refused = "refused"
	unknown = "unknown"
)

// TestHistoriesWithFaults lets every fourth call of the driver fail in some way and
// checks that some order of the operations explains all answers: an operation that
// failed with ErrIndeterminate may have taken effect, at any time later or never, and
// one that failed otherwise has not. No answer may be wrong.
func TestHistoriesWithFaults(t *testing.T) {
	t.Parallel()
	const seconds, goroutines, each = 2, 4, 7
	model := (&porcupine.NondeterministicModel{
		Init: func() []any { return []any{""} },
		Step: func(state, call, result any) []any {
			want, next := stepModel(state.(string), call)
			switch result {
			case refused:
				return []any{state}
			case unknown:
				return []any{state, next}
			case want:
				return []any{next}
			}
			return nil
		},
	}).ToModel()
	names := []string{
		"get", "containsKey", "put", "getAndPut", "putIfAbsent", "remove", "getAndRemove", "replace", "getAndReplace",
		"compareAndReplace", "compareAndRemove", "invoke value+set", "invoke remove", "invokeRegistered value+set", "invokeRegistered remove", "putAll",
	}
	disabled := [][]driver.Feature{nil, {driver.FeatureExchange, driver.FeatureBatchPut}}
	var answered, failed atomic.Int64
	for round, end := 0, time.Now().Add(seconds*time.Second); time.Now().Before(end); round++ {
		seed := rand.Uint64()
		caches := faultyCaches(t, disabled[round%2])
		h := newHistory(nil)
		var wg sync.WaitGroup
		for i := range goroutines {
			wg.Go(func() {
				random := rand.New(rand.NewPCG(seed, uint64(i)))
				for j := range each {
					call := modelCall{names[random.IntN(len(names))], fmt.Sprint(i, ".", j), fmt.Sprint(random.IntN(goroutines), ".", random.IntN(each))}
					h.do(i, call, func() any {
						result, err := operationNamed(call.op).run(context.Background(), caches[i%2], []string{key}, call.value, call.old)
						switch {
						case errors.Is(err, driver.ErrIndeterminate):
							failed.Add(1)
							return unknown
						case errors.Is(err, driver.ErrUnavailable):
							failed.Add(1)
							return refused
						case err != nil:
							t.Errorf("seed %d: %v", seed, err)
						}
						answered.Add(1)
						return result
					})
				}
			})
		}
		wg.Wait()
		for i := range h.ops {
			if h.ops[i].Output == unknown {
				h.ops[i].Return = math.MaxInt64
			}
		}
		if porcupine.CheckOperationsTimeout(model, h.ops, 5*time.Second) == porcupine.Illegal {
			t.Fatalf("no order of these calls explains their results:%v", h)
		}
	}
	t.Logf("%d operations answered, %d failed", answered.Load(), failed.Load())
	if answered.Load() == 0 || failed.Load() == 0 {
		t.Error("the faults are too many or too few to show anything")
	}
}

// faultyCaches returns one cache as two clients see it through random faults.
func faultyCaches(t *testing.T, disabled []driver.Feature) (caches [2]stringCache) {
	records, err := memory.Connect(memory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range caches {
		var p *faulty.Provider
		p = faulty.New(records, func(c faulty.Call) faulty.Fault {
			if rand.IntN(3) == 0 {
				p.Deliver()
			}
			fault := faulty.Fault(rand.IntN(20))
			if fault > faulty.LostLate || c.Op == "Get" && rand.IntN(4) > 0 {
				return faulty.None
			}
			return fault
		})
		m, err := jcache.NewManager(p, jcache.ManagerOptions{Disable: disabled})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := m.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
		if caches[i], err = jcache.CreateCache(t.Context(), m, "test", jcache.Options[string, string]{}); err != nil {
			t.Fatal(err)
		}
	}
	return caches
}
