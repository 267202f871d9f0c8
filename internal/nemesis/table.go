package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// A claim says what a cluster must keep, whatever is done to it. Each is tried on servers
// of its own.
type claim struct {
	name              string
	servers, replicas int
	kept              int  // entries of the ledger, for claims with a load
	network           bool // the network is cut
	promised          bool // what is wrong counts; otherwise it is only printed
	try               func(ctx context.Context, r *runner, s sizes) ([]finding, error)
}

// A finding is how many of so many are not as they should be.
type finding struct {
	what    string
	bad, of int
}

// sizes are how much is done.
type sizes struct {
	entries int // of which none may be lost
	changes int // deletes, creations and updates of which none may be undone
	asleep  time.Duration
	split   time.Duration
}

var (
	fullSizes  = sizes{entries: 10_000, changes: 2000, asleep: 20 * time.Second, split: 30 * time.Second}
	shortSizes = sizes{entries: 2000, changes: 500, asleep: 4 * time.Second, split: 5 * time.Second}
)

var claims = []claim{
	{"two of three killed, the second when there are copies again", 3, 1, 0, false, true, tryOneAfterTheOther},
	{"two of three killed one second apart, two replicas", 3, 2, 0, false, true, tryTwoAtOnce},
	{"two of three killed one second apart, one replica", 3, 1, 0, false, false, tryTwoAtOnce},
	{"rolling restart of two under load", 2, 1, 400, false, true, tryRolling},
	{"one of two killed, then everything deleted", 2, 1, 0, false, true, tryDeletes},
	{"one of two killed, then everything put if absent", 2, 1, 0, false, true, tryCreations},
	{"one of two frozen under load, then awake", 2, 1, 2000, false, true, tryPause},
	{"one of three cut off, both sides write, then merged", 3, 2, 0, true, true, trySplit},
}

// A tableRun is all claims tried with one configuration.
type tableRun struct {
	provider string
	findings map[string][]finding // by claim
	left     map[string]string    // why a claim was not tried
	claims   int                  // that were tried or left out
	broken   int                  // promises
}

// tryAll tries the claims whose name contains a text.
func (p plan) tryAll(ctx context.Context, only string, s sizes) (*tableRun, error) {
	config, err := configOf(p.file)
	if err != nil {
		return nil, err
	}
	run := &tableRun{provider: config.Provider, findings: make(map[string][]finding), left: make(map[string]string)}
	for _, c := range claims {
		if !strings.Contains(c.name, only) {
			continue
		}
		run.claims++
		if err := p.tryOne(ctx, c, s, run); err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return run, nil
}

func (p plan) tryOne(ctx context.Context, c claim, s sizes, run *tableRun) error {
	p.servers, p.replicas, p.kept, p.network, p.faults = c.servers, c.replicas, c.kept, c.network, nil
	r, err := p.open(ctx)
	if err != nil {
		return err
	}
	defer r.close()
	if c.network {
		if missing := needsNetwork(r); missing != "" {
			run.left[c.name] = missing
			r.printf("left out: %s: %s", c.name, missing)
			return nil
		}
	}
	r.round.fault = c.name
	found, err := c.try(ctx, r, s)
	if err != nil {
		r.failed = true
		return err
	}
	for _, crash := range append(r.fleet.crashes(), r.fleet.alarms()...) {
		r.broken("%s", crash)
	}
	found = append(found, finding{what: "other violations", bad: len(r.report.violations)})
	for _, f := range found {
		if f.of == 0 && f.bad == 0 {
			continue
		}
		run.findings[c.name] = append(run.findings[c.name], f)
		r.printf("%s: %d of %d %s", c.name, f.bad, f.of, f.what)
		if f.bad > 0 && c.promised {
			run.broken++
		}
	}
	return nil
}

// table tries all claims, with one configuration or with two, and prints what came of it.
func table(ctx context.Context, first plan, compare, only string, s sizes) error {
	var runs []*tableRun
	for _, p := range first.with(compare) {
		run, err := p.tryAll(ctx, only, s)
		if err != nil {
			return err
		}
		runs = append(runs, run)
	}
	writeClaims(first.out, runs)
	fmt.Fprintf(first.out, "table: %d claims, %s: %d promises broken\n", runs[0].claims, runs[0].provider, runs[0].broken)
	if runs[0].broken > 0 {
		return errViolations
	}
	return nil
}

// writeClaims prints a line for each claim and what is counted of it.
func writeClaims(w io.Writer, runs []*tableRun) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "\nwhat is done\twhat is counted")
	for _, run := range runs {
		fmt.Fprintf(t, "\t%s", run.provider)
	}
	fmt.Fprintln(t)
	for _, c := range claims {
		for at, f := range runs[0].findings[c.name] {
			name := c.name
			if at > 0 {
				name = ""
			}
			if !c.promised {
				name += " (not promised)"
			}
			fmt.Fprintf(t, "%s\t%s", name, f.what)
			for _, run := range runs {
				fmt.Fprintf(t, "\t%s", run.cell(c.name, f.what))
			}
			fmt.Fprintln(t)
		}
	}
	_ = t.Flush() // it is a terminal, or nobody cares
}

func (run *tableRun) cell(name, what string) string {
	for _, f := range run.findings[name] {
		if f.what == what {
			return fmt.Sprintf("%d of %d", f.bad, f.of)
		}
	}
	if run.left[name] != "" {
		return "left out"
	}
	return "-"
}

// insistence is how often a call is made until it is done.
const insistence = 10

// count makes a call for every key at one server, until it is done, and counts those that
// are as expected.
func (r *runner) count(place int, keys []string, c call, expected func(answer) bool) (n int, err error) {
	matches := make(chan bool, len(keys))
	err = each(keys, registerClients, func(key string) error {
		c := c
		c.key = key
		for attempt := range insistence {
			a := r.fleet.do(place, c, callDeadline+lateness)
			if a.outcome == done {
				// After an attempt whose outcome is unknown, another write says
				// nothing.
				matches <- expected(a) && (attempt == 0 || c.kind == get)
				return nil
			}
		}
		return errors.New("a call was not done at all")
	})
	close(matches)
	for match := range matches {
		if match {
			n++
		}
	}
	return n, err
}

func found(a answer) bool { return a.yes }

func missing(a answer) bool { return !a.yes }

func other(value string) func(answer) bool {
	return func(a answer) bool { return a.value != value }
}

// countEverywhere is the largest count of any server that is up.
func (r *runner) countEverywhere(keys []string, expected func(answer) bool) (most int, err error) {
	for _, place := range r.fleet.up() {
		n, err := r.count(place, keys, call{kind: get}, expected)
		if err != nil {
			return 0, err
		}
		most = max(most, n)
	}
	return most, nil
}

// fill writes entries that have one value.
func (r *runner) fill(prefix string, n int) ([]string, error) {
	keys := numbered(prefix, n)
	_, err := r.count(r.fleet.up()[0], keys, call{kind: put, value: oldValue}, found)
	return keys, err
}

const (
	oldValue = "old"
	nextOne  = "new"
)
