package conformance

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// T is what a case needs of a *testing.T, so that cases also run in a command.
type T interface {
	// All methods are those of *testing.T.
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
	// Server and ConnectTo let the suite break the network: Server is the address,
	// host:port, of a server that has all records, and ConnectTo opens a connection to
	// it that goes through addr and nowhere else. The suite puts a proxy there. Without
	// them the cases "network/…" are not run.
	Server    string
	ConnectTo func(t T, addr string) driver.Provider
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
// -parallel says, since most of them wait. At the end the test logs the first rule that
// was broken.
func Run(t *testing.T, h Harness) {
	s := connect(t, h)
	if testing.Verbose() { // it is seen at once, should the test not come to its end
		t.Log(repeats(s.seed))
	}
	report := s.report()
	cases := s.cases()
	results := make([]result, len(cases))
	t.Cleanup(func() { // when all subtests are over
		s.fill(&report, cases, results)
		t.Log(report)
	})
	for i, c := range cases {
		t.Run(c.fullName(), func(t *testing.T) {
			wait := s.start(c)
			t.Parallel() // only after the case was started: from here on the test waits
			results[i] = wait()
			switch r := results[i]; r.outcome {
			case failed:
				t.Errorf("%s", r.failure)
			case unsupported:
				t.Logf("unsupported: the provider lacks %v", c.needs.anyOf)
			}
		})
	}
	if report.NotRun > 0 {
		t.Run("network", func(t *testing.T) { t.Skipf("SKIPPED: %d cases: %s", report.NotRun, report.Why) })
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
		report = s.report()
		cases := slices.DeleteFunc(s.cases(), func(c testCase) bool { return !chosen(c) })
		waits := make([]func() result, len(cases))
		for i, c := range cases {
			waits[i] = s.start(c)
		}
		results := make([]result, len(cases))
		for i, wait := range waits {
			results[i] = wait()
		}
		s.fill(&report, cases, results)
	})
	t.clean()
	if t.broken() {
		report.add(result{outcome: failed, failure: t.failure(rule{})})
	}
	return report
}

// A suite is one run on one provider.
type suite struct {
	harness  Harness
	ctx      context.Context
	conns    [2]driver.Provider // of two clients; the same one if not info.Shared
	observer driver.Provider    // a connection to Harness.Server without a proxy; nil: the network is not broken
	info     driver.Info
	features driver.Features
	seed     uint64
	prefix   string // of the names of caches; different for each run
	slots    chan struct{}
}

// width is how many cases run at once: more than there are cores, since most of them
// wait.
const width = 32

// report returns a report to which the results are added.
func (s *suite) report() Report {
	r := Report{Provider: s.harness.Name, Seed: s.seed}
	if r.Why = s.noNetwork(); r.Why != "" {
		r.NotRun = len(networkCases)
	}
	return r
}

// fill adds the results. A driver that goes wrong in one case may hurt those that run at the
// same time or later, so the cases that failed are run again, one after the other and each
// on connections of its own, until one fails: the report begins with that one. Those that
// ran out of time come last, since they may have been hurt most.
func (s *suite) fill(report *Report, cases []testCase, results []result) {
	var inTime, late []int
	for i, r := range results {
		report.add(r)
		switch {
		case r.outcome == failed && r.late:
			late = append(late, i)
		case r.outcome == failed:
			inTime = append(inTime, i)
		}
	}
	report.Failures = nil
	order := append(inTime, late...)
	for _, i := range order {
		report.Failures = append(report.Failures, results[i].failure)
	}
	end := time.Now().Add(againAtMost)
	for at, i := range order {
		if time.Now().After(end) {
			return
		}
		if alone := s.again(cases[i]); alone.outcome == failed && !alone.late {
			report.Failures = slices.Insert(slices.Delete(report.Failures, at, at+1), 0, alone.failure)
			return
		}
	}
}

// again runs a case alone.
func (s *suite) again(c testCase) (r result) {
	ctx, cancel := context.WithTimeout(s.ctx, againAtMost)
	defer cancel()
	t := newRecorder(ctx, c.fullName())
	t.do(func() {
		h := s.harness
		h.Seed = s.seed
		r = connect(t, h).run(c, func() {})
	})
	t.clean()
	return r
}

// noNetwork says why the cases on a broken network are not run, if so.
func (s *suite) noNetwork() string {
	switch {
	case s.info.RequestTimeout == 0 && s.harness.ConnectTo == nil:
		return "the records are in this process, so there is no network to break"
	case s.harness.ConnectTo == nil || s.harness.Server == "":
		return "what the driver does when the network breaks was not looked at; Harness.Server and Harness.ConnectTo let a proxy do that"
	}
	return ""
}

// againAtMost bounds how long cases are run again.
const againAtMost = 30 * time.Second

func connect(t T, h Harness) *suite {
	s := &suite{
		harness: h,
		ctx:     t.Context(),
		seed:    seed(t, h),
		prefix:  fmt.Sprintf("conformance-%08x", rand.Uint32()),
		slots:   make(chan struct{}, width),
	}
	open := func(connect func(T) driver.Provider) driver.Provider {
		p := connect(t)
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), 10*time.Second)
			defer cancel()
			if err := p.Close(ctx); err != nil {
				t.Errorf("close the connection: %v", err)
			}
		})
		return p
	}
	s.conns[0] = open(h.Connect)
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
		s.conns[1] = open(h.Connect)
	}
	if s.noNetwork() == "" {
		s.observer = open(func(t T) driver.Provider { return h.ConnectTo(t, h.Server) })
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
	if s.noNetwork() == "" {
		for _, c := range networkCases {
			c.group = "network"
			list = append(list, c)
		}
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
