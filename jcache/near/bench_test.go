package near_test

import (
	"context"
	"testing"
	"time"

	"github.com/allegro/bigcache/v3"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/near"
	"github.com/keepsake-cache/keepsake/providers/memory"
)

// A hit of a typed cache, beside a bigcache alone.
func BenchmarkHit(b *testing.B) {
	value := make([]byte, 100)
	b.Run("bigcache", func(b *testing.B) {
		c, err := bigcache.New(context.Background(), bigcache.Config{Shards: 16, LifeWindow: time.Hour, HardMaxCacheSize: 32, MaxEntrySize: 256, MaxEntriesInWindow: 256})
		if err != nil {
			b.Fatal(err)
		}
		_ = c.Set("key", value)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.Get("key"); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("near", func(b *testing.B) {
		m, err := memory.Open(memory.Options{})
		if err != nil {
			b.Fatal(err)
		}
		defer m.Close(context.Background())
		c, err := jcache.CreateCache(b.Context(), m, "c", jcache.Options[string, []byte]{Near: near.Options{MaxAge: time.Hour}})
		if err != nil {
			b.Fatal(err)
		}
		if err := c.Put(b.Context(), "key", value); err != nil {
			b.Fatal(err)
		}
		ctx := b.Context()
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := c.Get(ctx, "key"); err != nil {
				b.Fatal(err)
			}
		}
		if s, _ := c.NearStatistics(); s.HitRatio() < 0.99 {
			b.Errorf("%+v", s)
		}
	})
}
