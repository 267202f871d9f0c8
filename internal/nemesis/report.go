package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// A report is what came of a run.
type report struct {
	provider   string
	seed       uint64
	rounds     []*round
	violations []string
}

// A round is one fault and what came of it.
type round struct {
	number     int
	fault      string
	outages    []time.Duration
	healed     time.Time
	ready      time.Duration // from the end of the fault, for good
	reborn     int           // processes that had to come back empty
	counts     counts
	undecided  int  // histories
	others     bool // whoever is hurt is not called
	fork       fork
	lost       int // increments that a fork may lose
	violations int
}

func (rd *round) String() string {
	return fmt.Sprintf("outage %s, ready %s after it was healed, %d came back empty; %d calls, %d refused, %d unknown, slowest %s",
		durations(rd.outages), seconds(rd.ready), rd.reborn, rd.counts.calls, rd.counts.nothing, rd.counts.unknown, seconds(rd.counts.slowest))
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

func durations(list []time.Duration) string {
	if len(list) == 0 {
		return "not measured"
	}
	var texts []string
	for _, d := range list {
		texts = append(texts, seconds(d))
	}
	return strings.Join(texts, " and ")
}

func (rep *report) add(other *report) {
	rep.rounds = append(rep.rounds, other.rounds...)
	rep.violations = append(rep.violations, other.violations...)
}

// String is the last line of the output.
func (rep *report) String() string {
	operations, faults := 0, 0
	for _, rd := range rep.rounds {
		operations += rd.counts.calls
		if rd.fault != control {
			faults++
		}
	}
	return fmt.Sprintf("nemesis: %d operations, %d faults, %d violations", operations, faults, len(rep.violations))
}

// control is the fault that is none.
const control = "none"

// of returns the rounds of one fault.
func (rep *report) of(fault string) (rounds []*round) {
	for _, rd := range rep.rounds {
		if rd.fault == fault {
			rounds = append(rounds, rd)
		}
	}
	return rounds
}

// A row sums up the rounds of one fault.
type row struct {
	rounds, calls, refused, unknown, undecided, violations int
	outage, worst, slowest, ready                          string
}

func rowOf(rounds []*round) row {
	var r row
	var outages, slowest, ready []time.Duration
	for _, rd := range rounds {
		r.rounds++
		r.calls += rd.counts.calls
		r.refused += rd.counts.nothing
		r.unknown += rd.counts.unknown
		r.undecided += rd.undecided
		r.violations += rd.violations
		outages = append(outages, rd.outages...)
		slowest = append(slowest, rd.counts.slowest)
		ready = append(ready, rd.ready)
	}
	r.outage, r.worst, r.slowest, r.ready = "-", "-", seconds(median(slowest)), seconds(median(ready))
	if len(outages) > 0 {
		r.outage, r.worst = seconds(median(outages)), seconds(slices.Max(outages))
	}
	return r
}

// median returns the middle of a list, the longer one of two.
func median(list []time.Duration) time.Duration {
	if len(list) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}

// summary prints a line for each fault.
func (rep *report) summary(w io.Writer) { writeTable(w, []*report{rep}) }

// writeTable prints a line for each fault and run.
func writeTable(w io.Writer, reports []*report) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\nfault\tprovider\trounds\toutage (median)\tlongest\tslowest call (median)\tready (median)\tcalls\trefused\tunknown\tundecided\tviolations\t")
	for _, f := range faults {
		for _, rep := range reports {
			if rounds := rep.of(f.name); len(rounds) > 0 {
				r := rowOf(rounds)
				fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t\n", f.name, rep.provider, r.rounds,
					r.outage, r.worst, r.slowest, r.ready, r.calls, r.refused, r.unknown, r.undecided, r.violations)
			}
		}
	}
	_ = t.Flush() // it is a terminal, or nobody cares
}
