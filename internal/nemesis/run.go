package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/keepsake-cache/keepsake/internal/lan"
	"github.com/keepsake-cache/keepsake/jcache"
)

// A plan is what a run is asked to do.
type plan struct {
	file     string // the configuration
	app      string // the program of the servers, if they serve sessions
	servers  int
	replicas int           // where servers form a grid
	kept     int           // entries of the ledger
	duration time.Duration // how long faults are begun, if limit is zero
	limit    int           // of rounds
	onSplit  string        // of a grid: what its sides do
	callers  string        // whom clients call while one member is hurt: everybody, others, or mixed
	seed     uint64
	faults   []fault
	network  bool // the network may be cut, though no fault does
	out      io.Writer
}

// A runner is a run at work.
type runner struct {
	plan
	config    jcache.Config
	dir       string // of what the servers print
	fleet     *fleet
	cluster   cluster
	noNetwork string // why there is no network
	failed    bool   // it could not be made
	rng       *rand.Rand
	ledger    *ledger
	counters  []*counter
	base      baseline
	load      workload // of this round
	report    *report

	printing sync.Mutex

	mu      sync.Mutex
	round   *round
	printed int // violations in this round
}

// run carries the plan out. An error says that it could not be; violations are in the
// report.
func (p plan) run(ctx context.Context) (*report, error) {
	r, err := p.open(ctx)
	if err != nil {
		return nil, err
	}
	defer r.close()
	return r.report, r.rounds(ctx)
}

// needsNetwork reports whether servers need addresses of their own.
func (p plan) needsNetwork() bool {
	return p.network || slices.ContainsFunc(p.faults, func(f fault) bool { return f.network })
}

// open starts what the plan needs, and writes the ledger. The caller closes the runner.
func (p plan) open(ctx context.Context) (_ *runner, err error) {
	if p.servers < 1 || p.servers > maxServers {
		return nil, fmt.Errorf("the number of servers is not from 1 to %d", maxServers)
	}
	config, err := configOf(p.file)
	if err != nil {
		return nil, err
	}
	provider := config.Provider
	r := &runner{plan: p, config: config, rng: rand.New(rand.NewPCG(p.seed, 0)), report: &report{provider: provider, seed: p.seed}, round: &round{}}
	defer func() {
		if err != nil {
			r.failed = true
			r.close()
		}
	}()
	if r.dir, err = os.MkdirTemp("", "nemesis-"); err != nil {
		return nil, err
	}
	var w *lan.LAN
	r.noNetwork = "no fault needs them"
	if p.needsNetwork() {
		var missing error
		if w, missing = lan.New(maxServers, p.seed); missing != nil {
			r.noNetwork = missing.Error()
		}
	}
	if r.fleet, err = newFleet(p, r.dir, w); err != nil {
		if w != nil {
			w.Close()
		}
		return nil, err
	}
	if provider == "hazelcast" {
		if r.cluster, err = startMembers(ctx, r.fleet, p.servers, p.replicas); err != nil {
			return nil, err
		}
	} else {
		r.cluster = grid{r.fleet, p.servers}
	}
	r.printf("provider %s, %d servers, seed %d, onSplit %s", provider, p.servers, p.seed, p.onSplit)
	return r, r.begin(ctx)
}

// close ends every process. What the servers printed is kept if there were violations, or
// the run could not be made.
func (r *runner) close() {
	if r.fleet != nil {
		r.fleet.close()
		if m, ok := r.cluster.(*members); ok {
			m.Kill()
		}
	}
	if len(r.report.violations) > 0 || r.failed {
		r.printf("what the servers printed is in %s", r.dir)
		return
	}
	_ = os.RemoveAll(r.dir) // it is a temporary directory
}

func (r *runner) printf(format string, args ...any) {
	at := time.Duration(0)
	if r.fleet != nil {
		at = r.fleet.since()
	}
	r.printing.Lock()
	defer r.printing.Unlock()
	fmt.Fprintf(r.out, "%8.3f s  %s\n", at.Seconds(), fmt.Sprintf(format, args...))
}

// begin starts the servers and writes the ledger.
func (r *runner) begin(ctx context.Context) error {
	if err := r.fleet.startAll(ctx, r.servers); err != nil {
		return err
	}
	if err := r.cluster.awaitReady(ctx); err != nil {
		return err
	}
	r.printf("the servers are ready")
	if r.app != "" {
		return nil
	}
	var err error
	if r.base, err = r.fleet.baseline(ctx); err != nil {
		return err
	}
	keys := make([]string, r.kept)
	for i := range keys {
		keys[i] = fmt.Sprintf("kept-%d", i)
	}
	r.ledger, r.counters = newLedger("key ", keys), newCounters()
	return each(keys, registerClients, func(key string) error {
		c := call{kind: put, key: key, value: newValue()}
		a := r.fleet.do(r.fleet.up()[0], c, callDeadline+lateness)
		r.ledger.note(record{0, c, a}, false)
		if a.outcome != done {
			return errors.New("an entry cannot be written, though nothing is wrong yet")
		}
		return nil
	})
}

// rounds lets faults come until the time is over, or one cannot be healed. An error says that
// none is possible here.
func (r *runner) rounds(ctx context.Context) error {
	var possible []fault
	for _, f := range r.faults {
		if missing := f.missing(r); missing != "" {
			r.printf("LEFT OUT: %s: %s", f.name, missing)
			continue
		}
		possible = append(possible, f)
	}
	if len(possible) == 0 {
		return errors.New("none of the faults is possible here: see what is left out")
	}
	var deck []fault // each fault comes as often as the others
	more := func() bool { return len(r.report.rounds) < r.limit }
	if r.limit == 0 {
		end := time.Now().Add(r.duration)
		more = func() bool { return time.Now().Before(end) }
	}
	for more() && ctx.Err() == nil {
		if len(deck) == 0 {
			deck = slices.Clone(possible)
			r.rng.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
		}
		f := deck[0]
		deck = deck[1:]
		if !r.hurt(ctx, f) {
			return nil
		}
	}
	if r.app == "" {
		r.agree(ctx)
	}
	for _, text := range r.fleet.alarms() {
		r.broken("%s", text)
	}
	return nil
}

// hurt makes one round: the fault comes, is healed, and everything is checked. It reports
// whether there can be another one.
func (r *runner) hurt(ctx context.Context, f fault) bool {
	rd := &round{fault: f.name, number: len(r.report.rounds) + 1, others: f.one && r.onlyOthers()}
	r.mu.Lock()
	r.round, r.printed = rd, 0
	r.report.rounds = append(r.report.rounds, rd)
	r.mu.Unlock()
	before := r.fleet.stats(ctx)
	if r.app != "" {
		r.load = r.startVisits(r.rng.Uint64())
	} else {
		r.load = r.startLoad(rd.number, r.rng.Uint64())
	}
	pauseFor(calm)
	what, err := f.strike(ctx, r)
	if err == nil {
		steady := calm
		if f.network {
			steady = splitCalm
		}
		rd.ready, err = r.awaitSteady(ctx, steady)
	}
	if rd.others {
		what += ", and nobody calls it"
	}
	rd.counts = r.load.stop()
	after := r.fleet.stats(ctx)
	rd.reborn = max(0, rebirths(after)-rebirths(before))
	r.printf("%3d %s: %s; %v", rd.number, f.name, what, rd)
	for _, crash := range r.fleet.crashes() {
		r.broken("%s", crash)
	}
	if err != nil {
		if ctx.Err() == nil {
			r.broken("not healed: %v", err)
			r.fleet.dump(ctx, r.printf)
		}
		return false
	}
	if rd.ready > healingTimeout {
		r.broken("there was not one cluster again %v after the end of the fault, but after %v", healingTimeout, rd.ready)
	}
	r.load.judge(r, increase(before, after, conflictsOf) > 0)
	return true
}
