package conformance

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

const (
	randomSequences = 8
	randomLength    = 150
	// shrinkTries bounds the work of making a failing sequence shorter.
	shrinkTries = 300
)

// A step is one operation of a random sequence.
type step struct {
	op         operation
	keys       []string
	value, old string
	policy     policy
}

func (s step) String() string {
	return fmt.Sprintf("%s under %s: keys %s, value %s, compared with %s", s.op.name, s.policy.name, strings.Join(s.keys, " "), s.value, s.old)
}

// randomCases run sequences of all operations and compare each result, and what is
// there after each step, with the model.
func randomCases() []testCase {
	var cases []testCase
	for i := range randomSequences {
		cases = append(cases, testCase{
			name:   fmt.Sprint("random/sequence ", i+1),
			rule:   "Whatever the order of the operations, each does what it would do to a map.",
			source: "JSR-107: Cache",
			uses:   []driver.Feature{driver.FeatureBatchGet, driver.FeatureBatchPut, driver.FeatureExchange, driver.FeatureTouch, driver.FeatureInvoke, driver.FeatureClear},
			run: func(e *env) {
				random := rand.New(rand.NewPCG(e.suite.seed, uint64(i)))
				m := e.manager(0)
				cache := createCache(e, m, e.name, jcache.Options[string, string]{ExpiryPolicy: keepAll{}})
				steps := randomSteps(e, random)
				n, wrong := replay(e, cache, steps)
				if wrong == "" {
					return
				}
				shorter := shrink(steps[:n+1], func(steps []step) bool {
					_, wrong := replay(e, cache, steps)
					return wrong != ""
				})
				_, shorterWrong := replay(e, cache, shorter)
				var log strings.Builder
				for _, s := range shorter {
					fmt.Fprintf(&log, "\n    %v", s)
				}
				e.Fatalf("%s; step %d of seed %d\nit takes no more than these steps:%s\n%s", wrong, n+1, e.suite.seed, log.String(), shorterWrong)
			},
		})
	}
	return cases
}

// randomSteps makes a sequence. It depends on nothing but the seed, so that all
// providers meet the same one; what a provider cannot do is left out when it runs.
func randomSteps(e *env, random *rand.Rand) []step {
	pick := func(list []string) string { return list[random.IntN(len(list))] }
	keys := []string{"a", "b", "c", "d"}
	values := []string{valueMark + "1", valueMark + "2", valueMark + "3"}
	expiries := []jcache.Expiry{jcache.KeepExpiry(), jcache.ExpireNever(), jcache.ExpireNow(), jcache.ExpireAfter(lifeFromCreate), jcache.ExpireAfter(lifeFromUpdate)}
	steps := make([]step, randomLength)
	for i := range steps {
		s := step{op: operations[random.IntN(len(operations))], value: pick(values), old: pick(values)}
		if s.op.whole && random.IntN(4) > 0 {
			s.op = operations[0] // or else the cache would mostly be empty
		}
		for _, k := range random.Perm(len(keys))[:1+random.IntN(3)] {
			s.keys = append(s.keys, keys[k])
		}
		if policies := builtIn(); random.IntN(2) == 0 {
			s.policy = policies[random.IntN(len(policies))]
		} else {
			a := answers{expiries[random.IntN(5)], expiries[random.IntN(5)], expiries[random.IntN(5)]}
			s.policy = counted(a.String(), a)
		}
		steps[i] = s
	}
	features := e.suite.features.Without(e.disabled...)
	return slices.DeleteFunc(steps, func(s step) bool { return !s.op.needs.met(features) })
}

// replay runs the steps on the cache, with keys that it has not seen, and on the
// model. It returns where and how the two first differ.
func replay(e *env, cache stringCache, steps []step) (at int, wrong string) {
	prefix := fmt.Sprintf("%s%08x.", keyMark, rand.Uint32())
	m := make(model)
	for i, s := range steps {
		keys := make([]string, len(s.keys))
		for j, k := range s.keys {
			keys[j] = prefix + k
		}
		want := m.apply(s.op, keys, s.value, s.old, s.policy.answers)
		if s.op.name == "iterate" { // it passes other keys too
			for k := range m {
				if !slices.Contains(keys, k) {
					m.access(k, s.policy.answers)
				}
			}
		}
		got, err := s.op.run(e.ctx, cache.WithExpiryPolicy(s.policy.policy), keys, s.value, s.old)
		if err != nil {
			return i, fmt.Sprintf("%s: %v", s.op.name, err)
		}
		if got != want {
			return i, fmt.Sprintf("%s: got %q, want %q", s.op.name, got, want)
		}
		for _, k := range "abcd" {
			if wrong := m.compare(e, cache, prefix+string(k)); wrong != "" {
				return i, fmt.Sprintf("after %s, key %c: %s", s.op.name, k, wrong)
			}
		}
	}
	return 0, ""
}

// compare looks at an entry without touching it.
func (m model) compare(e *env, cache stringCache, key string) (wrong string) {
	entry, ok, err := cache.GetEntry(e.ctx, key)
	if err != nil {
		return err.Error()
	}
	want, present := m[key]
	if got, want := orAbsent(entry.Value, ok), orAbsent(want.value, present); got != want {
		return fmt.Sprintf("got %s, want %s", got, want)
	}
	if !ok {
		return ""
	}
	life := lifeOf(want.expiry)
	left := time.Until(entry.Deadline)
	switch eternal := entry.Deadline.IsZero(); {
	case eternal != (life == 0), !eternal && (left > life+2*time.Millisecond || left < life-caseTimeout):
		return fmt.Sprintf("the deadline is %v, want %v from the last write or access that set it", entry.Deadline, life)
	}
	return ""
}

// shrink leaves out steps, as many as it can, so that the rest still fails.
func shrink(steps []step, fails func([]step) bool) []step {
	tries := 0
	for size := len(steps) / 2; size > 0; size /= 2 {
		for start := 0; start+size <= len(steps) && tries < shrinkTries; tries++ {
			if shorter := slices.Delete(slices.Clone(steps), start, start+size); fails(shorter) {
				steps = shorter
			} else {
				start += size
			}
		}
	}
	return steps
}
