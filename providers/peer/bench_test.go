package peer_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// Two members in one process, each record on both: the reads and writes of one of them, of
// keys whose primary it is itself and of keys whose primary is the other one.
func BenchmarkMembers(b *testing.B) {
	ctx := context.Background()
	one := join(b)
	other := join(b, one)
	settled(b, one, other)
	opened, err := one.OpenCache(ctx, "bench", driver.CacheOptions{})
	if err != nil {
		b.Fatal(err)
	}
	record := bytes.Repeat([]byte("r"), 100)
	keys := map[bool][]string{}
	for i := 0; len(keys[true]) < 1000 || len(keys[false]) < 1000; i++ {
		key := fmt.Sprint("key", i)
		local := opened.(driver.Locality).Placement(key) == driver.Local
		keys[local] = append(keys[local], key)
		if err := opened.Put(ctx, key, record, never); err != nil {
			b.Fatal(err)
		}
	}
	for _, place := range []struct {
		name  string
		local bool
	}{{"here", true}, {"there", false}} {
		keys := keys[place.local]
		for _, op := range []struct {
			name string
			do   func(key string) error
		}{
			{"get", func(key string) error { _, _, err := opened.Get(ctx, key); return err }},
			{"put", func(key string) error { return opened.Put(ctx, key, record, never) }},
		} {
			for _, callers := range []int{1, 16, 64} {
				b.Run(fmt.Sprintf("%s/%s/%d callers", op.name, place.name, callers), func(b *testing.B) {
					b.ReportAllocs()
					b.SetParallelism((callers + 1) / 2) // for each of two processors
					if callers == 1 {
						for i := 0; b.Loop(); i++ {
							if err := op.do(keys[i%1000]); err != nil {
								b.Fatal(err)
							}
						}
						return
					}
					b.RunParallel(func(pb *testing.PB) {
						for i := 0; pb.Next(); i++ {
							if err := op.do(keys[i%1000]); err != nil {
								b.Error(err)
								return
							}
						}
					})
				})
			}
		}
	}
}

// What reads a whole cache: by the record, so that it shows if it is not linear.
func BenchmarkWhole(b *testing.B) {
	ctx := context.Background()
	for _, entries := range []int{10_000, 1_000_000} {
		b.Run(fmt.Sprint(entries), func(b *testing.B) {
			opened, err := join(b).OpenCache(ctx, "bench", driver.CacheOptions{})
			if err != nil {
				b.Fatal(err)
			}
			record := bytes.Repeat([]byte("r"), 100)
			batch := make([]driver.Entry, 1000)
			for i := 0; i < entries; i += len(batch) {
				for j := range batch {
					batch[j] = driver.Entry{Key: fmt.Sprint("key", i+j), Record: record}
				}
				for _, err := range opened.(driver.BatchPutter).PutBatch(ctx, batch) {
					if err != nil {
						b.Fatal(err)
					}
				}
			}
			b.Run("scan", func(b *testing.B) {
				for b.Loop() {
					n := 0
					for _, err := range opened.(driver.Scanner).Scan(ctx) {
						if n++; err != nil {
							b.Fatal(err)
						}
					}
					if n != entries {
						b.Fatalf("%d of %d entries", n, entries)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*entries), "ns/entry")
			})
			b.Run("size", func(b *testing.B) {
				for b.Loop() {
					if n, err := opened.(driver.Sizer).Size(ctx); n != entries || err != nil {
						b.Fatal(n, err)
					}
				}
			})
		})
	}
}
