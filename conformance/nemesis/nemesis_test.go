package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
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

// peerPlan is a run on a grid whose ports are free.
func peerPlan(t *testing.T, servers, replicas int) plan {
	t.Helper()
	first, err := freePorts(maxServers)
	must(t, err)
	ports := fmt.Sprintf("127.0.0.1:%d-%d", first, first+maxServers-1)
	config := filepath.Join(t.TempDir(), "peer.yaml")
	must(t, os.WriteFile(config, fmt.Appendf(nil, "cacheManager:\n  provider: peer\n  properties:\n    listen: %s\n    join: %s\n"+
		"    plaintext: true\n    replicas: %d\n", ports, ports, replicas), 0o600))
	return plan{config: config, servers: servers, kept: 400, seed: 1, out: logged{t}}
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

// What three servers must do, one after the other on the same servers.
func TestThree(t *testing.T) {
	p := peerPlan(t, 3, 1)
	p.seed = 15 // its pauses are short
	r := open(t, p)
	t.Run("faults", func(t *testing.T) { testFaults(t, r) })
	t.Run("failover", func(t *testing.T) { testFailover(t, r) })
	t.Run("one after the other", func(t *testing.T) { testOneAfterTheOther(t, r) })
}

// What two servers must do.
func TestTwo(t *testing.T) {
	r := open(t, peerPlan(t, 2, 1))
	t.Run("rolling restart", func(t *testing.T) {
		r.hurt(t.Context(), fault{name: "rolling", strike: strikeRolling})
		r.clean(t)
	})
	t.Run("long pause", func(t *testing.T) { testLongPause(t, r) })
	t.Run("survivor", func(t *testing.T) { testSurvivor(t, r) })
}

func testFaults(t *testing.T, r *runner) {
	chosen, err := parseFaults("kill,pause,restart,rolling")
	must(t, err)
	for _, f := range chosen {
		if !r.hurt(t.Context(), f) {
			t.FailNow()
		}
	}
	r.agree()
	r.clean(t)
	t.Log(r.report)
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

type quiet struct{}

func (quiet) Write(b []byte) (int, error) { return len(b), nil }

// numbered returns n keys.
func numbered(prefix string, n int) (keys []string) {
	for i := range n {
		keys = append(keys, fmt.Sprintf("%s-%d", prefix, i))
	}
	return keys
}

// all makes a call for every key, at one server, and counts those that were done and
// returned true. A call that was not done fails the test.
func (r *runner) all(t *testing.T, place int, keys []string, c call) int {
	t.Helper()
	var yes atomic.Int64
	_ = each(keys, 8, func(key string) error {
		c := c
		c.key = key
		a := r.fleet.do(place, c, callDeadline+lateness)
		if a.outcome != done {
			t.Errorf("not done: %v", record{0, c, a})
		}
		if a.yes {
			yes.Add(1)
		}
		return nil
	})
	return int(yes.Load())
}

func testOneAfterTheOther(t *testing.T, r *runner) {
	keys := numbered("counted", 10_000)
	r.all(t, 0, keys, call{kind: put, value: "x"})
	r.cluster.kill(0)
	must(t, r.cluster.awaitReady(t.Context()))
	r.cluster.kill(1)
	if n := r.all(t, 2, keys, call{kind: get}); n != len(keys) {
		t.Errorf("%d of %d entries survive", n, len(keys))
	}
}

// The last server must know what there is and what there is not, and so must the next one.
func testSurvivor(t *testing.T, r *runner) {
	keys := numbered("deleted", 2000)
	r.all(t, 0, keys, call{kind: put, value: "x"})
	r.cluster.kill(0)
	if n := r.all(t, 1, keys, call{kind: create, value: "y"}); n != 0 {
		t.Errorf("%d of %d entries were created though they existed", n, len(keys))
	}
	if n := r.all(t, 1, keys, call{kind: remove}); n != len(keys) {
		t.Errorf("%d of %d deletes found their entry", n, len(keys))
	}
	if n := r.all(t, 1, keys, call{kind: get}); n != 0 {
		t.Errorf("%d deleted entries can be read", n)
	}
	must(t, r.cluster.start(t.Context(), 0))
	must(t, r.cluster.awaitReady(t.Context()))
	for place := range 2 {
		if n := r.all(t, place, keys, call{kind: get}); n != 0 {
			t.Errorf("%d deleted entries can be read at server %d after another one joined", n, place)
		}
	}
}

// A server that sleeps while its entries are written elsewhere brings back no old values.
func testLongPause(t *testing.T, r *runner) {
	asleep := 4 * time.Second
	if *long {
		asleep = 20 * time.Second
	}
	keys := numbered("overwritten", 500)
	r.all(t, 0, keys, call{kind: put, value: "old"})
	load := startLoad(r.fleet, r.ledger, 100, r.seed, false, r.broken)
	slept := time.NewTimer(asleep)
	must(t, r.cluster.pause(1))
	must(t, each(keys, 8, func(key string) error {
		for range 5 {
			// One that was on its way when the server fell asleep may be unknown.
			if a := r.fleet.do(0, call{kind: put, key: key, value: "new"}, callDeadline+lateness); a.outcome == done {
				return nil
			}
		}
		return errors.New("an entry cannot be written")
	}))
	<-slept.C
	must(t, r.cluster.resume(1))
	for pass := 0; pass < 4 || r.cluster.awaitReady(t.Context()) != nil && !t.Failed(); pass++ {
		for place := range 2 {
			_ = each(keys, 8, func(key string) error {
				a := r.fleet.do(place, call{kind: get, key: key}, callDeadline+lateness)
				if a.outcome == done && a.value != "new" {
					t.Errorf("server %d says %q after the pause", place, a.value)
				}
				return nil
			})
		}
	}
	r.settle(load.stop())
	r.explain(load.histories)
	r.clean(t)
}

// The time from a failure until every key can be read and written at the others.
func testFailover(t *testing.T, r *runner) {
	kills, pauses := 5, 3
	if *long {
		kills, pauses = 20, 20
	}
	for _, how := range []struct {
		name       string
		times      int
		hurt, heal func(i int) error
	}{
		{"kill", kills, func(i int) error { r.cluster.kill(i); return nil }, func(i int) error { return r.cluster.start(t.Context(), i) }},
		{"pause", pauses, r.cluster.pause, r.cluster.resume},
	} {
		var outages []time.Duration
		for range how.times {
			i := r.rng.IntN(r.cluster.size())
			must(t, how.hurt(i))
			d, ok := r.fleet.outage()
			outages = append(outages, d)
			must(t, how.heal(i))
			must(t, r.cluster.awaitReady(t.Context()))
			pauseFor(calm) // it gets its share of the entries
			must(t, r.cluster.awaitReady(t.Context()))
			if !ok || d > 3*time.Second {
				t.Errorf("%s: the outage took %v", how.name, d)
			}
		}
		t.Logf("%s: median %v of %v", how.name, median(outages), outages)
	}
}
