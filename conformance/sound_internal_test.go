package conformance

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/memory"
)

// checkSound runs the whole suite on a provider that is as it may be.
func checkSound(t *testing.T, change func(*broken), lacks []driver.Feature) Report {
	t.Helper()
	records, err := memory.Connect(memory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer records.Close(context.Background()) //nolint:errcheck // it has no errors
	report := Check(t.Context(), Harness{
		Name: "sound", Lacks: lacks,
		Connect: func(T) driver.Provider { return breaker{records, new(sync.Map), change} },
	})
	if report.Failed > 0 {
		t.Errorf("rejected:\n%v", report)
	}
	return report
}

// A provider may have nothing but the mandatory operations, keys and records of few bytes,
// and may not learn what is there when a swap is refused.
func TestBareProviderIsSound(t *testing.T) {
	t.Parallel()
	report := checkSound(t, func(b *broken) {
		info := b.info()
		info.MaxKeyBytes, info.MaxRecordBytes = 300, 100_000
		b.info = func() driver.Info { return info }
		b.f = driver.Features{}
		b.get = func(ctx context.Context, key string) (driver.Item, bool, error) {
			item, found, err := b.Cache.Get(ctx, key)
			item.Deadline = never
			return item, found, err
		}
		b.swap = func(ctx context.Context, key string, old driver.Token, record []byte, deadline time.Time) (bool, *driver.Item, error) {
			swapped, _, err := b.Cache.Swap(ctx, key, old, record, deadline)
			return swapped, nil, err
		}
	}, driver.Features{}.Missing())
	if report.Unsupported == 0 {
		t.Error("nothing is unsupported")
	}
	t.Log(strings.TrimSpace(report.String()))
}

// A provider's clock may be coarse: dead records stay readable for ExpiryStep, and are
// dead all the same.
func TestCoarseProviderIsSound(t *testing.T) {
	t.Parallel()
	const step = 1500 * time.Millisecond
	plain := func(item driver.Item) driver.Item { // only drivers with Toucher show deadlines
		item.Deadline = never
		return item
	}
	later := func(d time.Time) time.Time {
		if d.IsZero() {
			return d
		}
		return d.Add(step)
	}
	report := checkSound(t, func(b *broken) {
		info, f := b.info(), b.f
		info.ExpiryStep = step
		b.info = func() driver.Info { return info }
		b.breakDeadlines(later)
		swap := b.swap
		b.swap = func(ctx context.Context, key string, old driver.Token, record []byte, deadline time.Time) (bool, *driver.Item, error) {
			swapped, current, err := swap(ctx, key, old, record, deadline)
			if current != nil {
				*current = plain(*current)
			}
			return swapped, current, err
		}
		b.get = func(ctx context.Context, key string) (driver.Item, bool, error) {
			item, found, err := b.Cache.Get(ctx, key)
			return plain(item), found, err
		}
		b.f = driver.Features{
			Clearer: f.Clearer,
			BatchGetter: getBatchFunc(func(ctx context.Context, keys []string) ([]driver.Item, error) {
				items, err := f.BatchGetter.GetBatch(ctx, keys)
				for i := range items {
					items[i] = plain(items[i])
				}
				return items, err
			}),
			Exchanger: exchangeFunc(func(ctx context.Context, key string, record []byte, deadline time.Time) (driver.Item, bool, error) {
				item, existed, err := f.Exchanger.Exchange(ctx, key, record, later(deadline))
				return plain(item), existed, err
			}),
			Scanner: scanFunc(func(ctx context.Context) iter.Seq2[driver.Item, error] {
				return func(yield func(driver.Item, error) bool) {
					for item, err := range f.Scanner.Scan(ctx) {
						if !yield(plain(item), err) {
							return
						}
					}
				}
			}),
		}
	}, []driver.Feature{
		driver.FeatureBatchPut, driver.FeatureTouch, driver.FeatureInvoke, driver.FeatureSize, driver.FeatureWatch, driver.FeatureLock, driver.FeatureLocality, driver.FeatureUnwrap,
	})
	t.Log(strings.TrimSpace(report.String()))
}

// A driver may give up a moment before the context ends, and then knows of no end.
func TestGivingUpBeforeTheContextIsSound(t *testing.T) {
	t.Parallel()
	report, err := reject(func(b *broken) {
		b.put = func(ctx context.Context, key string, record []byte, deadline time.Time) error {
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("%w: %w", driver.ErrUnavailable, err)
			}
			if d, ok := ctx.Deadline(); ok && time.Until(d) < time.Second {
				<-ctx.Done() // the moment is over before anybody can look
				return driver.ErrIndeterminate
			}
			return b.Cache.Put(ctx, key, record, deadline)
		}
	}, func(name string) bool { return strings.HasPrefix(name, "context/") })
	if err != nil || report.Failed > 0 || report.Passed == 0 {
		t.Errorf("error %v\n%v", err, report)
	}
}
