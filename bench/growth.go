package main

import (
	"fmt"
	"io"
	"net/http"
	"text/tabwriter"
)

// growth measures how the cost of a request grows with the number of attributes: reading
// each of them, setting each of them, and changing one of many.
func growth(out io.Writer, count int) error {
	fmt.Fprintln(out, "\na request to a session of many attributes of 64 B: µs")
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "attributes\t\tkeepsake on memory\tscs v2.9.0 memstore\tratio\t")
	for _, step := range []struct {
		name   string
		choose func(handlers) http.Handler
	}{
		{"read one", func(h handlers) http.Handler { return h.read }},
		{"change one", func(h handlers) http.Handler { return h.write }},
		{"read all", func(h handlers) http.Handler { return h.readAll }},
		{"set all", func(h handlers) http.Handler { return h.writeAll }},
	} {
		for _, fill := range []int{20, 200, mostAttributes} {
			var ours, theirs []figure
			for range count {
				for _, c := range []struct {
					to   *[]figure
					make func(int) (handlers, error)
				}{{&ours, keepsakeOnMemory}, {&theirs, scsMemory}} {
					h, err := c.make(fill)
					if err != nil {
						return err
					}
					f, err := measure(h, step.choose(h), bare)
					if err != nil {
						return fmt.Errorf("%s of %d attributes: %w", step.name, fill, err)
					}
					*c.to = append(*c.to, f)
				}
			}
			a, b := median(ours).ns/1e3, median(theirs).ns/1e3
			fmt.Fprintf(table, "%d\t%s\t%.1f\t%.1f\t%.2f\t\n", fill, step.name, a, b, b/a)
		}
	}
	return table.Flush()
}
