package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
)

func TestStatus(t *testing.T) {
	for err, want := range map[error]int{
		fmt.Errorf("%w: no route", jcache.ErrUnavailable):                                     http.StatusServiceUnavailable,
		fmt.Errorf("%w: %w", jcache.ErrUnavailable, context.DeadlineExceeded):                 http.StatusServiceUnavailable,
		fmt.Errorf("%w: %w", jcache.ErrIndeterminate, jcache.ErrUnavailable):                  http.StatusGatewayTimeout,
		fmt.Errorf("%w: %w", errors.New("waiting for the answer"), context.Canceled):          http.StatusGatewayTimeout,
		fmt.Errorf("%w: on the way to the store", context.DeadlineExceeded):                   http.StatusGatewayTimeout,
		fmt.Errorf("%w: %w", jcache.ErrContention, errors.New("64 attempts were not enough")): http.StatusServiceUnavailable,
		jcache.ErrUndecodable: http.StatusInternalServerError,
	} {
		if got := statusOf(err); got != want {
			t.Errorf("%v: %d, want %d", err, got, want)
		}
	}
}

func TestCommandLine(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"", "usage"},
		{"hurt", "usage"},
		{"run -faults kill,lightning", `no fault "lightning"; there are none, kill`},
		{"run -servers 0", "not from 1 to 9"},
		{"run -servers 10", "not from 1 to 9"},
		{"run -config testdata/missing.yaml", "missing.yaml"},
		{"table -config testdata/missing.yaml", "missing.yaml"},
		{"failover -config testdata/missing.yaml", "missing.yaml"},
		{"serve -config testdata/missing.yaml", "missing.yaml"},
	} {
		err := command(t.Context(), strings.Fields(c.args), io.Discard)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("nemesis %s: %v, want %q", c.args, err, c.want)
		}
	}
}

func TestClaimTable(t *testing.T) {
	name, unpromised := claims[0].name, claims[2].name
	ours := &tableRun{provider: "peer", findings: map[string][]finding{
		name:       {{"entries lost", 0, 7}, {"deletes undone", 1, 8}},
		unpromised: {{"entries lost", 2, 9}},
	}}
	theirs := &tableRun{provider: "hazelcast", findings: map[string][]finding{name: {{"deletes undone", 5, 8}}},
		left: map[string]string{unpromised: "there is no network"}}
	var b strings.Builder
	writeClaims(&b, []*tableRun{ours, theirs})
	got := strings.Join(strings.Fields(b.String()), " ")
	want := "what is done what is counted peer hazelcast " +
		name + " entries lost 0 of 7 - deletes undone 1 of 8 5 of 8 " +
		unpromised + " (not promised) entries lost 2 of 9 left out"
	if got != want {
		t.Errorf("%s\nshould be\n%s", got, want)
	}
}

func TestTrials(t *testing.T) {
	call := func(o outcome, took time.Duration) answer { return answer{outcome: o, ended: took} }
	var one, two trial
	one.note(call(done, time.Second), false)
	one.note(call(unknown, 2*time.Second), true)
	two.note(call(nothing, time.Second), true)
	two.note(call(unknown, callDeadline+lateness), false)
	s := series{trials: []trial{one, two}, failure: failure{goal: time.Second}}
	want := trial{calls: 4, affected: 2, others: 1, late: 1, slowest: callDeadline + lateness}
	if got := s.sum(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if n := s.broken(); n != 2 {
		t.Errorf("%d promises broken, not the error of another key and the late call", n)
	}
	s.goal = 0
	if n := s.broken(); n != 4 {
		t.Errorf("%d promises broken where no error is allowed", n)
	}
	s.trials[0].unserved = 1
	if n := s.broken(); n != 5 {
		t.Errorf("%d promises broken where a key was not served, either", n)
	}
}

func TestReport(t *testing.T) {
	s := time.Second
	rep := &report{provider: "peer", violations: []string{"x"}, rounds: []*round{
		{fault: control, counts: counts{calls: 5}},
		{fault: "kill", outages: []time.Duration{3 * s, 1 * s}, counts: counts{calls: 10, nothing: 1, slowest: 2 * s}},
		{fault: "kill", outages: []time.Duration{2 * s}, counts: counts{calls: 20, unknown: 3, slowest: 4 * s}, violations: 1},
	}}
	other := &report{provider: "hazelcast", rounds: rep.rounds[:2]}
	var b strings.Builder
	writeTable(&b, []*report{rep, other})
	var rows []string
	for line := range strings.Lines(b.String()) {
		rows = append(rows, strings.Join(strings.Fields(line), " "))
	}
	for _, want := range []string{
		"none peer 1 - - 0.00 s 0.00 s 5 0 0 0 0",
		"none hazelcast 1 - - 0.00 s 0.00 s 5 0 0 0 0",
		"kill peer 2 2.00 s 3.00 s 4.00 s 0.00 s 30 1 3 0 1",
		"kill hazelcast 1 3.00 s 3.00 s 2.00 s 0.00 s 10 1 0 0 0",
	} {
		if !strings.Contains(strings.Join(rows, "\n"), want) {
			t.Errorf("no line %q in\n%s", want, b.String())
		}
	}
	if got := rep.String(); got != "nemesis: 35 operations, 2 faults, 1 violations" {
		t.Error(got)
	}
}

// A run that can do nothing must not look like one that found nothing.
func TestNothingPossible(t *testing.T) {
	p := peerPlan(t, 1, 0)
	p.faults = []fault{{name: "wind", missing: func(*runner) string { return "there is no air" }}}
	if _, err := p.run(t.Context()); err == nil || !strings.Contains(err.Error(), "none of the faults is possible") {
		t.Errorf("a run without a fault that is possible: %v", err)
	}
}

func TestFaultNames(t *testing.T) {
	for list, want := range map[string]int{"all": len(faults), "network": 11, "kill, blips": 2} {
		if chosen, err := parseFaults(list); err != nil || len(chosen) != want {
			t.Errorf("%s: %d faults, %v", list, len(chosen), err)
		}
	}
}
