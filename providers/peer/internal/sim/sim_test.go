package sim_test

import (
	"flag"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/sim"
)

var (
	seeds = flag.Int("seeds", 0, "how many runs of each scenario; 0: as many as the kind of test allows")
	seed  = flag.Uint64("seed", 0, "run this seed only, and print what happens")
)

// TestMain has garbage collected less often than usual: the runs make much of it, and are
// small.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	os.Exit(m.Run())
}

// runs calls do for the seeds from 1 on, on all processors, until it returns false.
func runs(n int, do func(seed uint64) bool) {
	var next atomic.Uint64
	var stop atomic.Bool
	var group sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			for s := next.Add(1); s <= uint64(n) && !stop.Load(); s = next.Add(1) {
				if !do(s) {
					stop.Store(true)
				}
			}
		})
	}
	group.Wait()
}

// The grid keeps its promises in every scenario, whatever the seed.
func TestScenarios(t *testing.T) {
	for _, s := range sim.Scenarios {
		t.Run(s.Name, func(t *testing.T) { simulate(t, s, scenarioSeeds) })
	}
}

// Without contents, clusters form, split and become whole again.
func TestViews(t *testing.T) {
	for _, s := range sim.Scenarios {
		s.Bare, s.Clients = true, 0
		t.Run(s.Name, func(t *testing.T) { simulate(t, s, scenarioSeeds/10) })
	}
}

func simulate(t *testing.T, s sim.Scenario, n int) {
	if *seed != 0 {
		report(t, *seed, sim.Run(*seed, s, 0, os.Stdout))
		return
	}
	if *seeds != 0 {
		n = *seeds
	}
	var mu sync.Mutex
	var total sim.Verdict
	bad := 0
	runs(n, func(seed uint64) bool {
		v := sim.Run(seed, s, 0, nil)
		mu.Lock()
		defer mu.Unlock()
		total.Ops += v.Ops
		total.Done += v.Done
		total.Lineages += v.Lineages
		total.Healing = max(total.Healing, v.Healing)
		if len(v.Violations) > 0 {
			bad++
			report(t, seed, v)
		}
		return bad < 5
	})
	t.Logf("%d runs, %d operations, %.1f %% answered, %d lineages, whole again after %v at most", n, total.Ops,
		100*float64(total.Done)/float64(max(1, total.Ops)), total.Lineages, time.Duration(total.Healing))
}

func report(t *testing.T, seed uint64, v sim.Verdict) {
	for _, line := range v.Violations {
		t.Errorf("seed %d: %s\nto see it: go test -run '%s$' -seed %d", seed, line, t.Name(), seed)
	}
}

// The same seed is the same run.
func TestDeterminism(t *testing.T) {
	for _, s := range sim.Scenarios {
		a, b := new(digest), new(digest)
		sim.Run(7, s, 0, a)
		sim.Run(7, s, 0, b)
		if *a != *b {
			t.Errorf("%s: two runs of a seed differ", s.Name)
		}
	}
}

// digest sums up a trace: FNV-1a.
type digest uint64

func (d *digest) Write(p []byte) (int, error) {
	for _, b := range p {
		*d = (*d ^ digest(b)) * 1099511628211
	}
	return len(p), nil
}
