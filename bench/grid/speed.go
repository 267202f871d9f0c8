package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
)

// A cell is what all contenders do at one time.
type cell struct {
	put           bool
	size, callers int
}

func (c cell) String() string {
	what := "get"
	if c.put {
		what = "put"
	}
	return fmt.Sprintf("%s, %d B, %d callers", what, c.size, c.callers)
}

// cells are those that the options name, ordered so that records of each size are put once.
func (o options) cells() (list []cell) {
	for _, size := range []int{100, 1000} {
		for _, put := range []bool{false, true} {
			for _, callers := range []int{1, 16, mostCallers} {
				if c := (cell{put, size, callers}); strings.Contains(c.String(), o.part) {
					list = append(list, c)
				}
			}
		}
	}
	return list
}

// speedKeys is how many keys are read and written, at random.
const speedKeys = 10_000

// speed measures remote reads and writes. In each round, and for each cell, the contenders
// are measured one after the other; those that are not at work are idle.
func speed(ctx context.Context, o options, found *promises) error {
	list := o.chosen()
	fleets := make([]*fleet, 0, len(list))
	defer func() {
		for _, f := range fleets {
			f.stop()
		}
	}()
	for _, c := range list {
		f, err := c.start(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		fleets = append(fleets, f)
	}
	if err := warm(list, fleets, o); err != nil {
		return err
	}
	results := make(map[cell][][]figure) // of each contender, in each round
	for range o.rounds {
		if err := round(list, fleets, o, results); err != nil {
			return err
		}
	}
	medians := make(map[cell]map[string]figure)
	for c, of := range results {
		medians[c] = make(map[string]figure)
		for i := range list {
			medians[c][list[i].name] = median(of[i])
		}
	}
	o.printSpeed(list, medians)
	found.speed(medians)
	return nil
}

// warm lets every contender work for a while, which the rounds do not count: a virtual
// machine compiles.
func warm(list []contender, fleets []*fleet, o options) error {
	for i, f := range fleets {
		if err := f.caller.ask(request{Do: "fill", Size: 100, Count: speedKeys}, nil); err != nil {
			return fmt.Errorf("%s: %w", list[i].name, err)
		}
		for _, put := range []bool{false, true} {
			r := request{Do: "run", Put: put, Size: 100, Callers: 16, Time: 2 * o.time}
			if err := f.caller.ask(r, nil); err != nil {
				return fmt.Errorf("%s: %w", list[i].name, err)
			}
		}
	}
	return nil
}

func round(list []contender, fleets []*fleet, o options, results map[cell][][]figure) error {
	size := 0
	for _, c := range o.cells() {
		if results[c] == nil {
			results[c] = make([][]figure, len(list))
		}
		for i, f := range fleets {
			if size != c.size {
				if err := f.caller.ask(request{Do: "fill", Size: c.size, Count: speedKeys}, nil); err != nil {
					return fmt.Errorf("%s: %w", list[i].name, err)
				}
			}
			got, err := f.measure(list[i].name, c, o)
			if err != nil {
				return fmt.Errorf("%s: %v: %w", list[i].name, c, err)
			}
			results[c][i] = append(results[c][i], got)
		}
		size = c.size
	}
	return nil
}

// measure measures a cell. If profiles are wanted, every process of a grid of peers writes one.
func (f *fleet) measure(name string, c cell, o options) (got figure, err error) {
	profiled := []*child{f.caller}
	if profiled = append(profiled, f.peers...); o.profile == "" || len(f.peers) == 0 {
		profiled = nil
	}
	toggle := func() error {
		for i, p := range profiled {
			path := filepath.Join(o.profile, fmt.Sprintf("%s, %v, process %d.pprof", name, c, i))
			if err := p.ask(request{Do: "profile", Path: path}, nil); err != nil {
				return err
			}
		}
		return nil
	}
	if err := toggle(); err != nil {
		return got, err
	}
	before := ticks(f.pids)
	err = f.caller.ask(request{Do: "run", Put: c.put, Size: c.size, Callers: c.callers, Time: o.time}, &got)
	if err != nil {
		return got, err
	}
	// The tenth of the time before the measurement uses as much.
	got.CPU = (ticks(f.pids) - before) * 1e4 / (got.Rate * o.time.Seconds() * 1.1)
	return got, toggle()
}

// median takes each figure's own median.
func median(figures []figure) figure {
	pick := func(get func(figure) float64) float64 {
		values := make([]float64, len(figures))
		for i, f := range figures {
			values[i] = get(f)
		}
		return middle(values)
	}
	return figure{
		Rate:   pick(func(f figure) float64 { return f.Rate }),
		P50:    pick(func(f figure) float64 { return f.P50 }),
		P99:    pick(func(f figure) float64 { return f.P99 }),
		Max:    pick(func(f figure) float64 { return f.Max }),
		Allocs: pick(func(f figure) float64 { return f.Allocs }),
		CPU:    pick(func(f figure) float64 { return f.CPU }),
	}
}

// middle returns the median of values, which it sorts.
func middle(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

func (o options) printSpeed(list []contender, medians map[cell]map[string]figure) {
	fmt.Println("\nremote reads and writes: latency and processor time of all processes in µs, allocations of the caller's process")
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, c := range o.cells() {
		fmt.Fprintf(table, "%v\top/s\tp50\tp99\tCPU/op\tallocs/op\tpeer's op/s by its\t\n", c)
		ours := medians[c][namePeer].Rate
		for _, who := range list {
			f := medians[c][who.name]
			fmt.Fprintf(table, "%s\t%.0f\t%.0f\t%.0f\t%.1f\t%.1f\t%.2f\t\n", who.name, f.Rate, f.P50, f.P99, f.CPU, f.Allocs, ours/f.Rate)
		}
		fmt.Fprintln(table, "\t\t\t\t\t\t\t")
	}
	_ = table.Flush() // to the terminal
}
