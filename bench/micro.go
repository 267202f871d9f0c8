package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"text/tabwriter"
)

// figure is what one measurement gives, per request.
type figure struct {
	ns, bytes, allocs float64
}

// micro measures handlers without a network: serially, and from all processors with
// a visitor each. The response goes to a writer that keeps nothing, which shows what the
// sessions cost, and to an httptest.ResponseRecorder, which costs about as much as a server's own.
func micro(out io.Writer, count int) error {
	for _, fill := range []int{0, 20} {
		title := "one int attribute"
		if fill > 0 {
			title = fmt.Sprintf("one int attribute of a session that has %d others of 64 B", fill)
		}
		fmt.Fprintf(out, "\n%s\n", title)
		if err := microTable(out, fill, count); err != nil {
			return err
		}
	}
	return nil
}

var steps = []struct {
	name   string
	choose func(handlers) http.Handler
}{
	{"untouched", func(h handlers) http.Handler { return h.untouched }},
	{"read", func(h handlers) http.Handler { return h.read }},
	{"write", func(h handlers) http.Handler { return h.write }},
}

// The ways in which a request is measured.
const (
	bare     = iota // serially, the response is thrown away
	recorded        // serially, into a recorder
	parallel        // from all processors, the response is thrown away
	ways
)

func microTable(out io.Writer, fill, count int) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\tns\tns recorded\tns parallel\tB/op\tallocs/op\tby keepsake's\trecorded\t")
	for _, step := range steps {
		found := make([][ways][]figure, len(contenders))
		for range count {
			for i, c := range contenders {
				h, err := c.make(fill)
				if err != nil {
					return fmt.Errorf("%s: %w", c.name, err)
				}
				for way := range ways {
					f, err := measure(h, step.choose(h), way)
					if err != nil {
						return fmt.Errorf("%s, %s: %w", c.name, step.name, err)
					}
					found[i][way] = append(found[i][way], f)
				}
			}
		}
		ours := found[1]
		for i, c := range contenders {
			b, r, p := median(found[i][bare]), median(found[i][recorded]), median(found[i][parallel])
			fmt.Fprintf(table, "%s, %s\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\t%.2f\t%.2f\t\n", step.name, c.name, b.ns, r.ns, p.ns, b.bytes, b.allocs,
				b.ns/median(ours[bare]).ns, r.ns/median(ours[recorded]).ns)
		}
	}
	return table.Flush()
}

// An answer is a response that is thrown away and used again.
type answer struct {
	header http.Header
	status int
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(b []byte) (int, error) { return len(b), nil }

func (a *answer) reset() {
	clear(a.header)
	a.status = http.StatusOK
}

// measure serves requests of visitors with sessions, in one of the ways.
func measure(h handlers, handler http.Handler, way int) (figure, error) {
	var failed error
	result := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		serve := func(next func() bool) {
			r, err := visitor(h)
			if err != nil {
				failed = err
				return
			}
			w := &answer{header: make(http.Header)}
			for next() {
				// A request of its own: gorilla keeps its sessions in it.
				own := r.WithContext(r.Context())
				status := 0
				if way == recorded {
					recorder := httptest.NewRecorder()
					handler.ServeHTTP(recorder, own)
					status = recorder.Code
				} else {
					w.reset()
					handler.ServeHTTP(w, own)
					status = w.status
				}
				if status != http.StatusOK {
					failed = fmt.Errorf("status %d", status)
					return
				}
			}
		}
		b.ResetTimer()
		if way == parallel {
			b.RunParallel(func(pb *testing.PB) { serve(pb.Next) })
			return
		}
		n := 0
		serve(func() bool { n++; return n <= b.N })
	})
	if failed == nil && result.N == 0 {
		failed = errors.New("nothing was measured")
	}
	if failed != nil {
		return figure{}, failed
	}
	n := float64(result.N)
	return figure{float64(result.T.Nanoseconds()) / n, float64(result.MemBytes) / n, float64(result.MemAllocs) / n}, nil
}

// median takes each figure's own median.
func median(figures []figure) figure {
	pick := func(get func(figure) float64) float64 {
		values := make([]float64, len(figures))
		for i, f := range figures {
			values[i] = get(f)
		}
		slices.Sort(values)
		return values[len(values)/2]
	}
	return figure{
		pick(func(f figure) float64 { return f.ns }),
		pick(func(f figure) float64 { return f.bytes }),
		pick(func(f figure) float64 { return f.allocs }),
	}
}
