package conformance

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// lateDefects show a client the writes of others too late.
var lateDefects = []defect{
	{"a delete that is seen late", "every write is seen by every client", func(b *broken) {
		b.delete = func(_ context.Context, key string) error {
			time.AfterFunc(20*time.Millisecond, func() { _ = b.Cache.Delete(context.Background(), key) })
			return nil
		}
	}},
	{"a put that is seen late", "every write is seen by every client", func(b *broken) {
		b.put = func(_ context.Context, key string, record []byte, deadline time.Time) error {
			time.AfterFunc(20*time.Millisecond, func() { _ = b.Cache.Put(context.Background(), key, record, deadline) })
			return nil
		}
	}},
	{"a client that remembers what it read", "every write is seen by every client", func(b *broken) {
		var near sync.Map
		b.get = func(ctx context.Context, key string) (driver.Item, bool, error) {
			if item, ok := near.Load(key); ok {
				return item.(driver.Item), true, nil
			}
			item, found, err := b.Cache.Get(ctx, key)
			if found {
				near.Store(key, item)
				time.AfterFunc(10*time.Millisecond, func() { near.Delete(key) })
			}
			return item, found, err
		}
	}},
	{"a batch that is behind", "every write is seen by every client", func(b *broken) {
		batch := b.f.BatchGetter
		var mu sync.Mutex
		last := map[string][]driver.Item{}
		b.f.BatchGetter = getBatchFunc(func(ctx context.Context, keys []string) ([]driver.Item, error) {
			items, err := batch.GetBatch(ctx, keys)
			mu.Lock()
			defer mu.Unlock()
			k := strings.Join(keys, " ")
			if old, ok := last[k]; ok {
				items, last[k] = old, items
			} else {
				last[k] = items
			}
			return items, err
		})
	}},
}
