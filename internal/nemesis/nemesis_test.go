package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var long = flag.Bool("long", false, "make the measurements as often, and the pauses as long, as a report of them needs")

// TestMain is also the program of the servers.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		main()
		return
	}
	flag.Parse()
	os.Exit(m.Run())
}

// logged prints lines to a test's log.
type logged struct{ t *testing.T }

func (l logged) Write(b []byte) (int, error) {
	l.t.Log(strings.TrimRight(string(b), "\n"))
	return len(b), nil
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// peerPlan is a run on a grid.
func peerPlan(t *testing.T, servers, replicas int) plan {
	return plan{file: "peer.yaml", servers: servers, replicas: replicas, kept: 400, seed: 1, onSplit: "availability", callers: callMixed, out: logged{t}}
}

// open starts a run that ends with the test, which fails if there were violations.
func open(t *testing.T, p plan) *runner {
	t.Helper()
	r, err := p.open(t.Context())
	must(t, err)
	t.Cleanup(func() {
		for _, alarm := range r.fleet.alarms() {
			r.broken("%s", alarm)
		}
		r.clean(t)
		r.close()
	})
	return r
}

// What two servers must do.
func TestTwo(t *testing.T) { testFaults(t, 2, "kill,restart,rolling") }

// What three servers must do.
func TestThree(t *testing.T) { testFaults(t, 3, "pause,skew,full,storm") }

func testFaults(t *testing.T, servers int, names string) {
	p := peerPlan(t, servers, 1)
	p.seed = 15 // its pauses are short
	p.strike(t, names)
}

// clean fails the test if there were violations up to now.
func (r *runner) clean(t *testing.T) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.report.violations); n > 0 {
		t.Errorf("there were %d violations", n)
	}
}

// What three servers must do in a network that is ill.
func TestCuts(t *testing.T) {
	p := peerPlan(t, 3, 1)
	p.onSplit = "auto"
	p.strike(t, "flap")
}

// What three servers must do for their visitors in such a network.
func TestVisitors(t *testing.T) {
	p := peerPlan(t, 3, 1)
	p.app, p.onSplit = sessionapp(t), "auto"
	p.strike(t, "blip")
}

// TestFaultAlone: of two servers one is cut off from everybody, its callers, too, for less and for more
// than the time after which it is replaced. How long that is depends on the machine, which must not have
// much else to do.
func TestFaultAlone(t *testing.T) {
	if os.Getenv("KEEPSAKE_FAULTS") == "" {
		t.Skip("SKIPPED: it takes a minute of a quiet machine; KEEPSAKE_FAULTS=1 runs it")
	}
	p := peerPlan(t, 2, 1)
	p.onSplit, p.callers, p.network = "auto", callOthers, true
	r := open(t, p)
	for _, d := range []time.Duration{800, 1200, 1700, 2500, 4000} {
		f := fault{name: "alone", one: true, network: true, missing: needsNetwork, strike: cutOff(d * time.Millisecond)}
		if missing := f.missing(r); missing != "" {
			t.Skip("SKIPPED: " + missing)
		}
		if !r.hurt(t.Context(), f) {
			t.FailNow()
		}
	}
	r.agree(t.Context())
	r.clean(t)
	t.Log(r.report)
}

// strike makes a round with each of some faults, without a violation.
func (p plan) strike(t *testing.T, names string) {
	chosen, err := parseFaults(names)
	must(t, err)
	p.faults = chosen
	r := open(t, p)
	for _, f := range chosen {
		if missing := f.missing(r); missing != "" {
			t.Skipf("SKIPPED: %s: %s", f.name, missing)
		}
		if !r.hurt(t.Context(), f) {
			t.FailNow()
		}
	}
	if r.app == "" {
		r.agree(t.Context())
	}
	r.clean(t)
	t.Log(r.report)
}

// sessionapp builds the program of that name.
func sessionapp(t *testing.T) string {
	program := filepath.Join(t.TempDir(), "sessionapp")
	build := []string{"build", "-o", program, "../../conformance/sessionapp"}
	if raceEnabled {
		build = slices.Insert(build, 1, "-race")
	}
	if out, err := exec.CommandContext(t.Context(), "go", build...).CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return program
}

// Without copies, the loss of a server loses entries, and the nemesis must see it.
func TestNemesisFindsLosses(t *testing.T) {
	p := peerPlan(t, 3, 0)
	p.out = quiet{}
	r, err := p.open(t.Context())
	must(t, err)
	defer r.close()
	r.hurt(t.Context(), fault{name: "kill", strike: func(ctx context.Context, r *runner) (string, error) {
		r.cluster.kill(0)
		return "", r.cluster.start(ctx, 0)
	}})
	if !strings.Contains(strings.Join(r.report.violations, "\n"), "an acknowledged write is lost") {
		t.Error("entries without a copy survived the loss of their server")
	}
}

// So must the table.
func TestTableFindsLosses(t *testing.T) {
	p := peerPlan(t, 0, 0)
	p.out = quiet{}
	c := claims[0]
	c.replicas = 0
	c.try = func(ctx context.Context, r *runner, s sizes) ([]finding, error) {
		// Without replicas a grid is ready before each of its members has its share.
		must(t, poll(ctx, func() error {
			for i, of := range r.fleet.stats(ctx) {
				if of.Primaries < 60 {
					return fmt.Errorf("server %d has %d partitions", i, of.Primaries)
				}
			}
			return nil
		}))
		return tryOneAfterTheOther(ctx, r, s)
	}
	run := &tableRun{findings: make(map[string][]finding), left: make(map[string]string)}
	must(t, p.tryOne(t.Context(), c, sizes{entries: 100}, run))
	if run.broken == 0 {
		t.Errorf("entries without a copy survived: %v", run.findings)
	}
}

type quiet struct{}

func (quiet) Write(b []byte) (int, error) { return len(b), nil }

func TestClaims(t *testing.T) {
	s := shortSizes
	if *long {
		s = fullSizes
	}
	for _, c := range claims {
		t.Run(c.name, func(t *testing.T) {
			run := &tableRun{findings: make(map[string][]finding), left: make(map[string]string)}
			must(t, peerPlan(t, 0, 0).tryOne(t.Context(), c, s, run))
			if run.broken > 0 {
				t.Errorf("broken: %v", run.findings[c.name])
			}
			if why := run.left[c.name]; why != "" {
				t.Skip("SKIPPED: " + why)
			}
		})
	}
}

// TestFailover: no call outlives its deadline, and who leaves in good order disturbs nobody.
// On a machine that has other things to do, calls may come to their deadlines while a
// member fails; the long form counts them, too.
func TestFailover(t *testing.T) {
	trials := 1
	if *long {
		trials = 20
	}
	_, all, err := peerPlan(t, 3, 1).fail(t.Context(), trials)
	must(t, err)
	for _, s := range all {
		n := s.sum().late
		if *long || s.goal == 0 {
			n = s.broken()
		}
		if n > 0 {
			t.Errorf("%s: %+v", s.name, s.trials)
		}
	}
}
