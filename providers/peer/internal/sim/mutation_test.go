package sim_test

import (
	"flag"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/rules"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/sim"
)

// noticed says which scenario notices soonest that a rule does not hold.
var noticed = map[string]string{
	"PromoteInSync": "crash 3", "WaitAll": "hand-off 3", "LearnerAck": "hand-off 3", "Versioned": "founders 3", "Lease": "pause 3",
	"Barrier": "hand-off 3", "NoticePause": "pause 2", "KeepUntilMerged": "noise 4", "MergeTombstones": "split 2",
	"Monotone": "rolling 2", "CopyThenDrop": "rolling 3", "NumberedStream": "hand-off 3", "Reclaim": "majority 3",
	"Ancestry": "one way 3", "CoordinatorFresh": "restless 3", "KeepLost": "majority 5", "Dedup": "hand-off 3",
	"RollForward": "rolling 2", "ConfirmConfig": "rolling 2", "KeepTail": "lag 4", "SettleFirst": "shift 4",
	"ReportUnheard": "bridge 3", "GreetLearner": "bridge 3", "JoinBothWays": "bridge 3", "DeafIsSilent": "deaf 3",
	"Hold": "flap all 3", "OneSide": "flap 3", "FenceRequests": "shy 3", "ForkAlone": "shy 3", "Outnumber": "shy 3",
	"FreshConnection": "seclude 2", "Mute": "seclude 2", "DistantLease": "far 3",
}

// unnoticed are the rules that others make up for, so that no promise is broken without
// one alone. They are kept as a second line of defence; tests of the machines themselves
// notice their absence.
var unnoticed = map[string]string{
	"Fence":         "a primary that was replaced has no lease, and cannot commit without those who replaced it",
	"CollectNewest": "members tell each other newer configurations anyway, so that a claimant rarely lacks one",
	"Seal":          "the primary that still writes has usually gone, too, or has no lease without the member",
	"ClaimCheck":    "a claim that forestalls somebody who is alive ends in a claim of that one, under a higher term",
}

// gateSeeds bounds the runs after which a scenario must have noticed.
const gateSeeds = 10000

// The simulation notices the absence of every rule of the protocol.
func TestMutations(t *testing.T) {
	if !gate || *seeds != 0 || *seed != 0 {
		return
	}
	for i, name := range rules.Names {
		if _, ok := unnoticed[name]; ok {
			continue
		}
		t.Run(name, func(t *testing.T) {
			s := scenario(t, noticed[name])
			var tried atomic.Int64
			var once sync.Once
			found := ""
			runs(gateSeeds, func(seed uint64) bool {
				tried.Add(1)
				v := sim.Run(seed, s, 1<<i, nil)
				if len(v.Violations) > 0 {
					once.Do(func() { found = fmt.Sprintf("seed %d: %s", seed, v.Violations[0]) })
				}
				return len(v.Violations) == 0
			})
			if found == "" {
				t.Errorf("%d runs of %q do not notice that %s does not hold", gateSeeds, s.Name, name)
			}
			t.Logf("%q, run %d, %s", s.Name, tried.Load(), found)
		})
	}
}

func scenario(t *testing.T, name string) sim.Scenario {
	i := slices.IndexFunc(sim.Scenarios, func(s sim.Scenario) bool { return s.Name == name })
	if i < 0 {
		t.Fatalf("no scenario %q", name)
	}
	return sim.Scenarios[i]
}

var table = flag.Bool("table", false, "print how many runs of each scenario fail without each rule, with -seeds runs each")

// TestTable prints which scenarios notice the absence of which rules, if it is asked to:
// go test -run TestTable -table -seeds 500 -v
func TestTable(t *testing.T) {
	if !*table {
		return
	}
	fmt.Printf("%-16s", "rule removed")
	for _, s := range sim.Scenarios {
		fmt.Printf(" %10s", s.Name)
	}
	for i, name := range rules.Names {
		fmt.Printf("\n%-16s", name)
		for _, s := range sim.Scenarios {
			fmt.Printf(" %10s", breaks(s, 1<<i, max(1, *seeds)))
		}
	}
	fmt.Println()
}

// breaks reports how often a scenario fails without a rule, and the first seed.
func breaks(s sim.Scenario, rule rules.Set, n int) string {
	var mu sync.Mutex
	var bad int
	var first uint64
	runs(n, func(seed uint64) bool {
		if v := sim.Run(seed, s, rule, nil); len(v.Violations) > 0 {
			mu.Lock()
			defer mu.Unlock()
			bad++
			if first == 0 || seed < first {
				first = seed
			}
		}
		return true
	})
	if bad == 0 {
		return "-"
	}
	return fmt.Sprintf("%d (%d)", bad, first)
}

// TestSizes prints what clusters of different sizes cost, if it is asked to:
// go test -run TestSizes -table -v
func TestSizes(t *testing.T) {
	if s := sim.Size(3, 271); s.Crash > time.Second || s.Repair > 10*time.Second {
		t.Errorf("three members, one of which has crashed: partitions have primaries after %v and copies after %v", s.Crash, s.Repair)
	}
	if !*table {
		return
	}
	fmt.Println("members  config  change  join      copies  steps  takeover  repair    messages/s")
	for _, n := range []int{3, 10, 50, 200} {
		s := sim.Size(n, 271)
		fmt.Printf("%7d  %6d  %6d  %-8v  %6d  %5d  %-8v  %-8v  %d\n", n, s.Config, s.Change, s.Join.Round(1e6), s.Copies, s.Steps,
			s.Crash.Round(1e6), s.Repair.Round(1e6), s.Messages)
	}
}
