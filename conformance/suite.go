package conformance

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// T is what a case needs of a *testing.T, so that cases also run in a command.
type T interface {
	Name() string
	Context() context.Context
	Cleanup(func())
	Helper()
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// A Harness says how to reach the provider under test.
type Harness struct {
	// Name is the provider's name, for reports.
	Name string
	// Connect opens a new connection to one and the same backend. The suite
	// closes it.
	Connect func(t T) driver.Provider
	// Lacks names every optional interface that the provider's caches do not
	// have.
	Lacks []driver.Feature
	// NoFallbacks leaves out what the portable layer does without one optional
	// interface or the other. It is for a second way to a provider that has passed the
	// whole suite.
	NoFallbacks bool
	// Seed makes the random cases repeatable. Zero: the environment's
	// KEEPSAKE_SEED, or else a new one.
	Seed uint64
}

// Run runs every case as a subtest of t. They run at the same time, whatever
// -parallel says, since most of them wait.
func Run(t *testing.T, h Harness) {
	s := connect(t, h)
	t.Logf("seed %d; KEEPSAKE_SEED=%d repeats the random cases", s.seed, s.seed)
	for _, c := range s.cases() {
		t.Run(c.fullName(), func(t *testing.T) {
			wait := s.start(c)
			t.Parallel() // only after the case was started: from here on the test waits
			switch r := wait(); r.outcome {
			case failed:
				t.Errorf("%s", r.failure)
			case unsupported:
				t.Logf("unsupported: the provider lacks %v", c.needs.anyOf)
			}
		})
	}
}

// Check runs every case and returns what came of it. When ctx ends, the cases that
// are under way fail.
func Check(ctx context.Context, h Harness) Report {
	return check(ctx, h, func(testCase) bool { return true })
}

// check runs the cases that are chosen.
func check(ctx context.Context, h Harness, chosen func(testCase) bool) Report {
	report := Report{Provider: h.Name}
	t := newRecorder(ctx, "connection")
	t.do(func() {
		s := connect(t, h)
		report.Seed = s.seed
		var waits []func() result
		for _, c := range s.cases() {
			if chosen(c) {
				waits = append(waits, s.start(c))
			}
		}
		for _, wait := range waits {
			report.add(wait())
		}
	})
	t.clean()
	if t.broken() {
		report.add(result{outcome: failed, failure: Failure{Case: t.name, Log: t.text()}})
	}
	return report
}

// A suite is one run on one provider.
type suite struct {
	harness  Harness
	ctx      context.Context
	conns    [2]driver.Provider // of two clients; the same one if not info.Shared
	info     driver.Info
	features driver.Features
	seed     uint64
	prefix   string // of the names of caches; different for each run
	slots    chan struct{}
}

// width is how many cases run at once: more than there are cores, since most of them
// wait.
const width = 32

func connect(t T, h Harness) *suite {
	s := &suite{
		harness: h,
		ctx:     t.Context(),
		seed:    seed(t, h),
		prefix:  fmt.Sprintf("conformance-%08x", rand.Uint32()),
		slots:   make(chan struct{}, width),
	}
	open := func() driver.Provider {
		p := h.Connect(t)
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), 10*time.Second)
			defer cancel()
			if err := p.Close(ctx); err != nil {
				t.Errorf("close the connection: %v", err)
			}
		})
		return p
	}
	s.conns[0] = open()
	c, err := s.conns[0].OpenCache(s.ctx, s.prefix, driver.CacheOptions{})
	if err != nil {
		t.Fatalf("open a cache: %v", err)
	}
	s.info, s.features = c.Info(), driver.FeaturesOf(c)
	if err := c.Close(); err != nil {
		t.Fatalf("close a cache: %v", err)
	}
	s.conns[1] = s.conns[0]
	if s.info.Shared {
		s.conns[1] = open()
	}
	return s
}

func seed(t T, h Harness) uint64 {
	if h.Seed != 0 {
		return h.Seed
	}
	text := os.Getenv("KEEPSAKE_SEED")
	if text == "" {
		return rand.Uint64()
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("KEEPSAKE_SEED is not a whole number")
	}
	return n
}

// cases returns every case in every variant that concerns it.
func (s *suite) cases() []testCase {
	list := driverCases()
	for i := range list {
		list[i].group = "driver"
	}
	present := s.features.List()
	if s.harness.NoFallbacks {
		present = nil
	}
	for _, c := range cacheCases() {
		c.group = "cache"
		list = append(list, c)
		for _, f := range present {
			if c.concerns(f) {
				c.group, c.disabled = "cache without "+string(f), []driver.Feature{f}
				list = append(list, c)
			}
		}
		if len(present) > 0 {
			c.group, c.disabled = "cache without anything optional", present
			list = append(list, c)
		}
	}
	return list
}
