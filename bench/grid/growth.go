package main

import (
	"context"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
)

// growth measures how the cost of an iteration and of a count grows with the number of entries:
// those of one member, through its cache.
func growth(ctx context.Context, o options, found *promises) error {
	fmt.Println("\nall entries of a member, 100 B each: an iteration, and a count")
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "entries\tµs for each of an iteration\tµs of Size\t")
	for _, count := range []int{10_000, 100_000, 1_000_000} {
		g, err := peerConfig{Plaintext: true}.connect(ctx, jcache.Options[string, []byte]{})
		if err != nil {
			return err
		}
		var iterations, counts []float64
		err = (&aPeer{gridCache: g}).fill(ctx, count, 100)
		for i := 0; i < o.rounds && err == nil; i++ {
			begin, seen := time.Now(), 0
			for _, err = range g.cache.All(ctx) {
				if err != nil {
					break
				}
				seen++
			}
			iterations = append(iterations, float64(time.Since(begin).Microseconds())/float64(count))
			begin = time.Now()
			size, failed := g.cache.Size(ctx)
			counts = append(counts, float64(time.Since(begin).Nanoseconds())/1e3)
			if err == nil {
				err = failed
			}
			if err == nil && (seen != count || size != count) {
				err = fmt.Errorf("iterated over %d and counted %d of %d entries", seen, size, count)
			}
		}
		g.close()
		if err != nil {
			return err
		}
		each, counted := middle(iterations), middle(counts)
		fmt.Fprintf(table, "%d\t%.2f\t%.0f\t\n", count, each, counted)
		found.atMost(1.5, each, "µs", "an entry of an iteration over %d", count)
		found.atMost(1000, counted, "µs", "Size of %d entries", count)
	}
	return table.Flush()
}
