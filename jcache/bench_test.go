package jcache_test

import (
	"context"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/providers/memory"
)

// What the portable layer costs: on memory, where everything else is next to nothing.
func BenchmarkCache(b *testing.B) {
	type cache = *jcache.Cache[string, int]
	eternal, touched, created := jcache.Eternal[string, int](), jcache.Touched[string, int](time.Hour), jcache.Created[string, int](time.Hour)
	for _, bench := range []struct {
		name   string
		policy jcache.ExpiryPolicy[string, int]
		run    func(ctx context.Context, c cache, key string) error
	}{
		{"Get", eternal, func(ctx context.Context, c cache, key string) error { _, _, err := c.Get(ctx, key); return err }},
		{"Get/touched", touched, func(ctx context.Context, c cache, key string) error { _, _, err := c.Get(ctx, key); return err }},
		{"Put", eternal, func(ctx context.Context, c cache, key string) error { return c.Put(ctx, key, 1) }},
		{"Put/created", created, func(ctx context.Context, c cache, key string) error { return c.Put(ctx, key, 1) }},
		{"GetAndPut", eternal, func(ctx context.Context, c cache, key string) error {
			_, _, err := c.GetAndPut(ctx, key, 1)
			return err
		}},
		{"PutIfAbsent", eternal, func(ctx context.Context, c cache, key string) error { _, err := c.PutIfAbsent(ctx, key, 1); return err }},
		{"Replace", eternal, func(ctx context.Context, c cache, key string) error { _, err := c.Replace(ctx, key, 1); return err }},
		{"Remove", eternal, func(ctx context.Context, c cache, key string) error { _, err := c.Remove(ctx, key); return err }},
		{"Invoke", eternal, func(ctx context.Context, c cache, key string) error {
			_, err := jcache.Invoke(ctx, c, key, increment)
			return err
		}},
		{"ContainsKey", eternal, func(ctx context.Context, c cache, key string) error { _, err := c.ContainsKey(ctx, key); return err }},
	} {
		prepare := func(b *testing.B) (cache, []string) {
			m, err := memory.Open(memory.Options{})
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { _ = m.Close(context.Background()) }) // memory has no errors
			c, err := jcache.CreateCache(b.Context(), m, "bench", jcache.Options[string, int]{ExpiryPolicy: bench.policy})
			if err != nil {
				b.Fatal(err)
			}
			keys := make([]string, 1024)
			for i := range keys {
				keys[i] = "key-" + strconv.Itoa(i)
				if err := c.Put(b.Context(), keys[i], i); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			b.ResetTimer()
			return c, keys
		}
		b.Run(bench.name, func(b *testing.B) {
			c, keys := prepare(b)
			ctx := b.Context()
			for i := range b.N {
				if err := bench.run(ctx, c, keys[i%len(keys)]); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(bench.name+"/parallel", func(b *testing.B) {
			c, keys := prepare(b)
			ctx := b.Context()
			var next atomic.Int64
			b.RunParallel(func(pb *testing.PB) {
				for i := int(next.Add(97)); pb.Next(); i++ {
					if err := bench.run(ctx, c, keys[i%len(keys)]); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}
