package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/keepsake-cache/keepsake/internal/lan"
)

// A failure is what happens to one member while clients use the others.
type failure struct {
	name string
	goal time.Duration // for the median outage; zero: there must be no error
	// missing says why it cannot be tried, or nothing.
	missing func(r *runner) string
	begin   func(ctx context.Context, r *runner, i int) error
	end     func(ctx context.Context, r *runner, i int) error
	// lasting is how long it lasts at least, and calm for how long the cluster must
	// be steady after it.
	lasting, calm time.Duration
}

var failures = []failure{
	{name: "killed", goal: 500 * time.Millisecond, missing: needsTwo, begin: beginKill, end: endByStart, calm: calm},
	{name: "frozen", goal: 2500 * time.Millisecond, missing: needsTwo, begin: beginPause, end: endPause, lasting: 4 * time.Second, calm: calm},
	{name: "cut off", goal: 2500 * time.Millisecond, missing: needsNetwork, begin: beginCut, end: endCut, lasting: 4 * time.Second, calm: splitCalm},
	{name: "restarted", missing: needsTwo, begin: beginRestart, end: endByStart, calm: calm},
}

func beginKill(_ context.Context, r *runner, i int) error { r.cluster.kill(i); return nil }

func beginPause(_ context.Context, r *runner, i int) error { return r.cluster.pause(i) }

func endPause(_ context.Context, r *runner, i int) error { return r.cluster.resume(i) }

func beginCut(_ context.Context, r *runner, i int) error {
	r.fleet.down(i, true)
	r.fleet.set(lan.Condition{Cut: true}, r.around(i)...)
	return nil
}

func endCut(_ context.Context, r *runner, i int) error {
	r.fleet.set(lan.Condition{}, r.around(i)...)
	r.fleet.back(i)
	return nil
}

func beginRestart(_ context.Context, r *runner, i int) error { return r.cluster.terminate(i) }

func endByStart(ctx context.Context, r *runner, i int) error { return r.cluster.start(ctx, i) }

// A trial is what the clients of the other servers saw of one failure.
type trial struct {
	outage   time.Duration // until every key could be written and read
	unserved int           // whether some key could not for as long as was waited
	calls    int
	affected int // errors of calls on keys whose primary was hurt
	others   int // errors of other calls
	late     int // calls without an answer at their deadline
	slowest  time.Duration
}

// primaries returns which server is the primary of each key, as far as the provider tells.
func (f *fleet) primaries(ctx context.Context, keys []string) (map[string]int, error) {
	at := make(map[string]int, len(keys))
	for _, i := range f.up() {
		code, text, err := request(ctx, f.client, http.MethodPost, f.url(i)+"/local", strings.Join(keys, "\n")+"\n")
		switch {
		case err != nil:
			return nil, err
		case code == http.StatusNotFound:
			return nil, nil
		}
		for line := range strings.Lines(text) {
			at[strings.TrimSuffix(line, "\n")] = i
		}
	}
	return at, nil
}

// failoverClients is how many clients there are beside those who measure the outage.
const failoverClients = 6

// try lets one failure happen to member i.
func (r *runner) try(ctx context.Context, f failure, i int) (trial, error) {
	keys := numbered("probe", probeKeys)
	primaries, err := r.fleet.primaries(ctx, keys)
	if err != nil {
		return trial{}, err
	}
	var t trial
	var mu sync.Mutex
	var stopping atomic.Bool
	var work sync.WaitGroup
	for range failoverClients {
		work.Go(func() {
			for !stopping.Load() {
				c := call{kind: get, key: keys[rand.IntN(len(keys))]}
				if rand.IntN(2) == 0 {
					c.kind, c.value = put, newValue()
				}
				places := r.fleet.up()
				a := r.fleet.do(places[rand.IntN(len(places))], c, callDeadline+lateness)
				if !r.fleet.excused(a) {
					mu.Lock()
					primary, known := primaries[c.key]
					t.note(a, !known || primary == i)
					mu.Unlock()
				}
				pauseFor(time.Duration(rand.Int64N(int64(pace))))
			}
		})
	}
	pauseFor(calm)
	began := time.Now()
	err = f.begin(ctx, r, i)
	if f.goal == 0 {
		began = time.Now() // it is a good end until here
	}
	outage, ok := r.fleet.outageSince(began)
	pauseFor(f.lasting - time.Since(began))
	if err == nil {
		err = f.end(ctx, r, i)
	}
	if err == nil {
		_, err = r.awaitSteady(ctx, f.calm)
	}
	stopping.Store(true)
	work.Wait()
	if t.outage = outage; !ok {
		t.unserved = 1
	}
	return t, err
}

// note counts a call.
func (t *trial) note(a answer, affected bool) {
	t.calls++
	took := a.ended - a.began
	t.slowest = max(t.slowest, took)
	if took >= callDeadline+lateness {
		t.late++
	}
	switch {
	case a.outcome == done:
	case affected:
		t.affected++
	default:
		t.others++
	}
}

// A series is the trials of one failure.
type series struct {
	failure
	trials  []trial
	missing string
}

// sum adds the trials up; the slowest is the slowest of all.
func (s series) sum() (total trial) {
	for _, t := range s.trials {
		total.unserved += t.unserved
		total.calls += t.calls
		total.affected += t.affected
		total.others += t.others
		total.late += t.late
		total.slowest = max(total.slowest, t.slowest)
	}
	return total
}

func (s series) outages() (list []time.Duration) {
	for _, t := range s.trials {
		list = append(list, t.outage)
	}
	return list
}

// broken counts what must not be, whatever the machine.
func (s series) broken() int {
	t := s.sum()
	if s.goal == 0 {
		return t.unserved + t.affected + t.others + t.late
	}
	return t.unserved + t.others + t.late
}

// fail lets each failure happen so many times.
func (p plan) fail(ctx context.Context, trials int) (provider string, all []series, err error) {
	p.network = true
	r, err := p.open(ctx)
	if err != nil {
		return "", nil, err
	}
	defer r.close()
	for _, f := range failures {
		s := series{failure: f, missing: f.missing(r)}
		if s.missing != "" {
			r.printf("left out: %s: %s", f.name, s.missing)
		}
		for n := 0; n < trials && s.missing == ""; n++ {
			i := r.rng.IntN(r.cluster.size())
			t, err := r.try(ctx, f, i)
			if err != nil {
				r.failed = true
				return "", nil, fmt.Errorf("%s: %w", f.name, err)
			}
			s.trials = append(s.trials, t)
		}
		if len(s.trials) > 0 {
			t := s.sum()
			r.printf("%s, %d times: outage median %s, longest %s, %d over %v; %d calls, %d errors of keys whose primary it was, %d of others, %d late, slowest %s",
				f.name, len(s.trials), seconds(median(s.outages())), seconds(slices.Max(s.outages())), t.unserved, outageTimeout,
				t.calls, t.affected, t.others, t.late, seconds(t.slowest))
		}
		all = append(all, s)
	}
	return r.report.provider, all, nil
}

// failover measures what clients see of failures, with one configuration or with two.
func failover(ctx context.Context, first plan, compare string, trials int) error {
	w := tabwriter.NewWriter(first.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\na member is\tprovider\truns\toutage (median)\tlongest\tnot over in time\tgoal\tcalls\terrors, its keys\terrors, other keys\tlate\tslowest call\t")
	broken := 0
	for n, p := range first.with(compare) {
		provider, all, err := p.fail(ctx, trials)
		if err != nil {
			return err
		}
		for _, s := range all {
			s.write(w, provider)
			if n == 0 {
				broken += s.broken()
			}
		}
	}
	_ = w.Flush() // it is a terminal, or nobody cares
	fmt.Fprintf(first.out, "failover: %d promises broken\n", broken)
	if broken > 0 {
		return errViolations
	}
	return nil
}

func (s series) write(w io.Writer, provider string) {
	if len(s.trials) == 0 {
		return
	}
	goal := "no error"
	if s.goal != 0 {
		goal = seconds(s.goal)
	}
	t := s.sum()
	fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%d\t%s\t%d\t%d\t%d\t%d\t%s\t\n", s.name, provider, len(s.trials), seconds(median(s.outages())),
		seconds(slices.Max(s.outages())), t.unserved, goal, t.calls, t.affected, t.others, t.late, seconds(t.slowest))
}
