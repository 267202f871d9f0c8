package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// promises are the ratios that the grid is to keep, and what this run has found.
type promises struct{ list []promise }

type promise struct {
	what   string
	found  float64
	bound  float64
	atMost bool
	unit   string
}

func (p promise) holds() bool {
	if p.atMost {
		return p.found <= p.bound
	}
	return p.found >= p.bound
}

func (p *promises) atLeast(bound, found float64, unit, format string, args ...any) {
	p.list = append(p.list, promise{what: fmt.Sprintf(format, args...), found: found, bound: bound, unit: unit})
}

func (p *promises) atMost(bound, found float64, unit, format string, args ...any) {
	p.list = append(p.list, promise{what: fmt.Sprintf(format, args...), found: found, bound: bound, unit: unit, atMost: true})
}

// speed compares like with like: what is not encrypted on either side, one process without a
// backup with the one of Redis, and two with two. An Olric is asked in the way in which it is
// faster.
func (p *promises) speed(medians map[cell]map[string]figure) {
	for _, size := range []int{100, 1000} {
		get, put := medians[cell{false, size, mostCallers}], medians[cell{true, size, mostCallers}]
		for _, c := range []struct {
			what   string
			ours   float64
			rival  string
			theirs float64
			bound  float64
		}{
			{"remote get, one server", get[namePeerAlone].Rate, "Redis", get[nameRedis].Rate, 1},
			{"remote get", get[namePeer].Rate, "Olric", max(get[nameOlric].Rate, get[nameOlricFar].Rate), 5},
			{"put with one backup", put[namePeer].Rate, "Olric", max(put[nameOlric].Rate, put[nameOlricFar].Rate), 2.5},
			{"put with one backup", put[namePeer].Rate, "Hazelcast", put[nameHazelcast].Rate, 2},
		} {
			if c.ours > 0 && c.theirs > 0 {
				p.atLeast(c.bound, c.ours/c.theirs, "×", "%s, %d B, %d callers, by that of %s", c.what, size, mostCallers, c.rival)
			}
		}
	}
}

func (p *promises) print(out io.Writer) {
	if len(p.list) == 0 {
		return
	}
	fmt.Fprintln(out, "\nwhat the grid promises")
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, p := range p.list {
		word, sign := "holds", "≥"
		if !p.holds() {
			word = "DOES NOT HOLD"
		}
		if p.atMost {
			sign = "≤"
		}
		fmt.Fprintf(table, "%s\t%.2f %s\t%s %g\t%s\n", p.what, p.found, p.unit, sign, p.bound, word)
	}
	_ = table.Flush() // to the terminal
}
