package main

import (
	"bytes"
	"context"
	"fmt"
	"hash/maphash"
	"os"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
)

// local compares a read of an entry whose primary is this process with one from a map, with
// a lock, that is divided into as many parts as the grid has partitions. Both end with a
// copy of the value.
func local(ctx context.Context, o options, found *promises) error {
	g, err := peerConfig{Plaintext: true}.connect(ctx, jcache.Options[string, []byte]{})
	if err != nil {
		return err
	}
	defer g.close()
	fmt.Println("\nreads in one process, a copy of the value included: ns for each, by the time of all")
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\tpeer\tdivided map\tratio\t")
	for _, size := range []int{100, 1000} {
		keys, plain := make([]string, speedKeys), newDividedMap()
		for i := range keys {
			keys[i] = sessionKey(i)
			if err := g.cache.Put(ctx, keys[i], make([]byte, size)); err != nil {
				return err
			}
			plain.put(keys[i], make([]byte, size))
		}
		ours := func(key string) ([]byte, error) {
			value, _, err := g.cache.Get(ctx, key)
			return value, err
		}
		theirs := func(key string) ([]byte, error) { return bytes.Clone(plain.get(key)), nil }
		for _, callers := range []int{1, 16, mostCallers} {
			var peer, bare []float64
			for range o.rounds {
				for _, m := range []struct {
					to  *[]float64
					get func(string) ([]byte, error)
				}{{&peer, ours}, {&bare, theirs}} {
					ns, err := reads(o.time, callers, keys, size, m.get)
					if err != nil {
						return err
					}
					*m.to = append(*m.to, ns)
				}
			}
			a, b := middle(peer), middle(bare)
			fmt.Fprintf(table, "%d B, %d callers\t%.0f\t%.0f\t%.2f\t\n", size, callers, a, b, a/b)
			found.atMost(6, a/b, "×", "local get, %d B, %d callers, by a read from a divided map", size, callers)
		}
	}
	return table.Flush()
}

// reads returns how many nanoseconds a read takes, by the time of all callers together.
func reads(limit time.Duration, callers int, keys []string, size int, get func(string) ([]byte, error)) (float64, error) {
	counts := make([]int, callers)
	begin := time.Now()
	err := together(callers, func(n int) error {
		i := n * 997 // each begins elsewhere
		for time.Since(begin) < limit {
			for range 1000 {
				i++
				if got, err := get(keys[i%len(keys)]); err != nil || len(got) != size {
					return fmt.Errorf("got %d bytes instead of %d, error %w", len(got), size, err)
				}
			}
			counts[n] += 1000
		}
		return nil
	})
	took := time.Since(begin)
	total := 0
	for _, n := range counts {
		total += n
	}
	return float64(took) / float64(total), err
}

// A dividedMap is a map with a lock for each part.
type dividedMap struct {
	seed  maphash.Seed
	parts [271]struct {
		sync.RWMutex
		records map[string][]byte
	}
}

func newDividedMap() *dividedMap {
	m := &dividedMap{seed: maphash.MakeSeed()}
	for i := range m.parts {
		m.parts[i].records = make(map[string][]byte)
	}
	return m
}

func (m *dividedMap) put(key string, record []byte) {
	p := &m.parts[maphash.String(m.seed, key)%uint64(len(m.parts))]
	p.Lock()
	defer p.Unlock()
	p.records[key] = record
}

func (m *dividedMap) get(key string) []byte {
	p := &m.parts[maphash.String(m.seed, key)%uint64(len(m.parts))]
	p.RLock()
	defer p.RUnlock()
	return p.records[key]
}
