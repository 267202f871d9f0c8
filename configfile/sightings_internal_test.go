package configfile

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
)

// Two processes with clocks that are apart write and look at random moments. Whoever is told that
// clocks differ is told the truth, and clocks that are far apart are found out within a quarter
// of an hour, by both.
func TestClocksAreCompared(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range 300 {
		skew := time.Duration(random.Int64N(int64(240*time.Second))) - 2*time.Minute
		if random.IntN(2) == 0 {
			skew = time.Duration(random.Int64N(int64(10*time.Second))) - 5*time.Second
		}
		found := simulate(random, skew)
		for i, ahead := range []time.Duration{skew, -skew} { // of the other one
			for _, d := range found[i] {
				if d.What != "clock" || ahead.Abs() <= clocksMayDiffer || d.Effect != "" && ahead.Abs() <= clocksLose {
					t.Fatalf("clocks are %v apart, and it says %s", ahead, d)
				}
			}
			if ahead.Abs() > 2*clocksMayDiffer+2*time.Second && len(found[i]) == 0 {
				t.Fatalf("clocks are %v apart, and it says nothing", ahead)
			}
		}
	}
}

// simulate lets two processes, of which the second one's clock is ahead, go on for a quarter of
// an hour, and returns what each has found.
func simulate(random *rand.Rand, skew time.Duration) (found [2][]jcache.Difference) {
	names := [2]string{"a", "b"}
	start := time.Now()
	clock := func(i int, real time.Duration) time.Time { return start.Add(real + time.Duration(i)*skew) }
	var r roster
	var seen [2]*sightings
	var next, writes [2]time.Duration
	var count [2]uint64
	for i := range seen {
		seen[i] = newSightings(names[i])
		next[i] = time.Duration(random.Int64N(int64(fleetWrites)))
		writes[i] = next[i]
	}
	for real := time.Duration(0); real < 15*time.Minute; real += 100 * time.Millisecond {
		for i := range seen {
			if real < next[i] {
				continue
			}
			next[i] = real + fleetReads/2 + time.Duration(random.Int64N(int64(fleetReads)))
			lasts := time.Duration(random.Int64N(int64(100 * time.Millisecond)))
			seen[i].take(clock(i, real), clock(i, real+lasts), map[string]roster{"0": r}, true)
			if d := seen[i].differences(clock(i, real), nil); d != nil || real > 10*time.Minute {
				found[i] = d
			}
			if real >= writes[i] {
				writes[i] = real + fleetWrites
				count[i]++
				r.enter(names[i], process{Written: clock(i, real).UnixMicro(), Writes: count[i]}, nil, nil)
			}
		}
	}
	return found
}
