package near_test

import (
	"context"
	"testing"
	"time"

	"github.com/allegro/bigcache/v3"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/jcache/near"
	"github.com/keepsake-cache/keepsake/providers/memory"
)

// A copy of a record, and a hit of a typed cache, beside a bigcache alone.
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
	b.Run("copy", func(b *testing.B) {
		p, err := memory.Connect(memory.Options{})
		if err != nil {
			b.Fatal(err)
		}
		defer p.Close(context.Background()) //nolint:errcheck // it is not what is tested
		c, err := p.OpenCache(b.Context(), "c", driver.CacheOptions{})
		if err != nil {
			b.Fatal(err)
		}
		r, err := near.Options{MaxAge: time.Hour}.Open(b.Context(), c, driver.FeaturesOf(c))
		if err != nil {
			b.Fatal(err)
		}
		defer r.Close() //nolint:errcheck // it is not what is tested
		if err := r.Put(b.Context(), "key", value, time.Time{}); err != nil {
			b.Fatal(err)
		}
		if _, _, err := r.Get(b.Context(), "key"); err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if _, ok := r.Copy("key"); !ok {
				b.Fatal("there is no copy")
			}
		}
	})
	b.Run("cache", func(b *testing.B) {
		m, err := memory.Open(memory.Options{})
		if err != nil {
			b.Fatal(err)
		}
		defer m.Close(context.Background()) //nolint:errcheck // it is not what is tested
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
