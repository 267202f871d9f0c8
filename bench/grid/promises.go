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

// verdict names the bound and says whether it holds. A figure without a bound is only told.
func (p promise) verdict() string {
	sign, holds := "≥", p.found >= p.bound
	if p.atMost {
		sign, holds = "≤", p.found <= p.bound
	}
	switch {
	case p.bound == 0:
		return ""
	case holds:
		return fmt.Sprintf("%s %g\tholds", sign, p.bound)
	}
	return fmt.Sprintf("%s %g\tDOES NOT HOLD", sign, p.bound)
}

func (p *promises) atLeast(bound, found float64, unit, format string, args ...any) {
	p.list = append(p.list, promise{what: fmt.Sprintf(format, args...), found: found, bound: bound, unit: unit})
}

func (p *promises) atMost(bound, found float64, unit, format string, args ...any) {
	p.list = append(p.list, promise{what: fmt.Sprintf(format, args...), found: found, bound: bound, unit: unit, atMost: true})
}

// speed compares like with like: what is not encrypted on either side, one process without a
// backup with the one of Redis, and two with two. An Olric is asked in the way in which it is
// faster. Many callers at once are what servers have, and the bounds hold for them. What one and
// sixteen see is printed beside it, whichever side is faster.
func (p *promises) speed(medians map[cell]map[string]figure) {
	for _, size := range []int{100, 1000} {
		for _, callers := range []int{1, 16, mostCallers} {
			get, put := medians[cell{false, size, callers}], medians[cell{true, size, callers}]
			for _, c := range []struct {
				what   string
				ours   float64
				rival  string
				theirs float64
				bound  float64
			}{
				{"remote get, one server", get[namePeerAlone].Rate, "Redis", get[nameRedis].Rate, 1},
				{"put, one server", put[namePeerAlone].Rate, "Redis", put[nameRedis].Rate, 0},
				{"remote get", get[namePeer].Rate, "Olric", max(get[nameOlric].Rate, get[nameOlricFar].Rate), 5},
				{"put with one backup", put[namePeer].Rate, "Olric", max(put[nameOlric].Rate, put[nameOlricFar].Rate), 2.5},
				{"put with one backup", put[namePeer].Rate, "Hazelcast", put[nameHazelcast].Rate, 2},
			} {
				if c.ours == 0 || c.theirs == 0 {
					continue
				}
				if callers < mostCallers {
					c.bound = 0
				}
				p.atLeast(c.bound, c.ours/c.theirs, "×", "%s, %d B, %d callers, by that of %s", c.what, size, callers, c.rival)
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
		fmt.Fprintf(table, "%s\t%.2f %s\t%s\n", p.what, p.found, p.unit, p.verdict())
	}
	_ = table.Flush() // to the terminal
}
