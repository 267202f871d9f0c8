package conformance

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// wholeDefects break what is done to a whole cache or to many keys at once.
var wholeDefects = []defect{
	{"a scan that yields one twice", "scan/yields every record once", func(b *broken) {
		b.breakScan(func(items []driver.Item) []driver.Item { return append(items, items[0]) })
	}},
	{"a scan that leaves one out", "scan/yields every record once", func(b *broken) {
		b.breakScan(func(items []driver.Item) []driver.Item { return items[1:] })
	}},
	{"a scan that sees what passes instead of what stays", "scan/while others write", func(b *broken) {
		b.breakScan(func(items []driver.Item) []driver.Item {
			if slices.ContainsFunc(items, func(i driver.Item) bool { return strings.Contains(i.Key, "passing") }) {
				return items[:len(items)/2]
			}
			return items
		})
	}},
	{"a scan that ends with its context and says nothing", "scan/does not end early", func(b *broken) {
		scan := b.f.Scanner
		b.f.Scanner = scanFunc(func(ctx context.Context) iter.Seq2[driver.Item, error] {
			return func(yield func(driver.Item, error) bool) {
				for item, err := range scan.Scan(ctx) {
					if err != nil || !yield(item, err) {
						return
					}
				}
			}
		})
	}},
	{"a clear that clears another cache too", "clear/only this cache", func(b *broken) {
		clearer := b.f.Clearer
		b.f.Clearer = clearFunc(func(ctx context.Context) error {
			other, err := b.provider.OpenCache(ctx, b.name+"x", driver.CacheOptions{})
			if err == nil {
				err = errors.Join(driver.FeaturesOf(other).Clearer.Clear(ctx), clearer.Clear(ctx))
			}
			return err
		})
	}},
	{"a clear that goes on after it returned", "clear/what is put later", func(b *broken) {
		clearer := b.f.Clearer
		b.f.Clearer = clearFunc(func(ctx context.Context) error {
			time.AfterFunc(time.Millisecond, func() { _ = clearer.Clear(context.Background()) })
			return clearer.Clear(ctx)
		})
	}},
	{"a size that counts writes", "size/counts", func(b *broken) {
		var n atomic.Int64
		b.put = func(ctx context.Context, key string, record []byte, deadline time.Time) error {
			n.Add(1)
			return b.Cache.Put(ctx, key, record, deadline)
		}
		b.f.Sizer = sizeFunc(func(context.Context) (int, error) { return int(n.Load()), nil })
	}},
	{"a batch get that drops one", "get batch/many keys", func(b *broken) {
		batch := b.f.BatchGetter
		b.f.BatchGetter = getBatchFunc(func(ctx context.Context, keys []string) ([]driver.Item, error) {
			return batch.GetBatch(ctx, keys[:min(len(keys), 600)])
		})
	}},
	{"a batch put that drops one", "put batch/stores all", func(b *broken) {
		batch := b.f.BatchPutter
		b.f.BatchPutter = putBatchFunc(func(ctx context.Context, entries []driver.Entry) []error {
			return batch.PutBatch(ctx, entries[:min(len(entries), 599)])
		})
	}},
}
