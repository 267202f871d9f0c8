package hazelcast

import (
	"context"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	hz "github.com/hazelcast/hazelcast-go-client"
	"github.com/hazelcast/hazelcast-go-client/types"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

const (
	// width is how many requests of a bulk operation are under way at once. The
	// client's own GetAll asks one partition after the other.
	width = 16
	// scanStep is how many records a scan reads at once.
	scanStep = 500
	// wholeMapTimeout bounds a request for all keys, where the context does not.
	wholeMapTimeout = time.Minute
)

// parallel calls do for 0 to n-1, width at a time, and waits.
func parallel(n int, do func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(n, width) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	wg.Wait()
}

// GetBatch implements driver.BatchGetter.
func (c *cache) GetBatch(ctx context.Context, keys []string) ([]driver.Item, error) {
	ctx, cancel := c.provider.bound(ctx)
	defer cancel()
	parts := min(len(keys), width)
	found := make([][]types.Entry, parts)
	errs := make([]error, parts)
	parallel(parts, func(i int) {
		part := keys[i*len(keys)/parts : (i+1)*len(keys)/parts]
		asked := make([]any, len(part))
		for j, key := range part {
			asked[j] = key
		}
		found[i], errs[i] = queued(ctx, c.provider, c.mean.expects(len(part)), func(ctx context.Context) (entries []types.Entry, err error) {
			err = c.read(ctx, func(ctx context.Context, m *hz.Map) (err error) {
				entries, err = m.GetAll(ctx, asked...)
				return err
			})
			return entries, err
		})
	})
	items := make([]driver.Item, 0, len(keys))
	for i, entries := range found {
		if errs[i] != nil {
			return nil, errs[i]
		}
		for _, e := range entries {
			one, ok, err := item(e.Value)
			if err != nil {
				return nil, err
			}
			if key, isString := e.Key.(string); ok && isString {
				one.Key = key
				c.mean.saw(one.Record)
				items = append(items, one)
			}
		}
	}
	return items, nil
}

// PutBatch implements driver.BatchPutter. The members' own putAll knows no TTL, so the
// records are put one by one, many at a time.
func (c *cache) PutBatch(ctx context.Context, entries []driver.Entry) []error {
	errs := make([]error, len(entries))
	var failed atomic.Bool
	parallel(len(entries), func(i int) {
		e := entries[i]
		if errs[i] = c.Put(ctx, e.Key, e.Record, e.Deadline); errs[i] != nil {
			failed.Store(true)
		}
	})
	if !failed.Load() {
		return nil
	}
	return errs
}

// Scan implements driver.Scanner. It holds all keys in memory, as the members answer no
// smaller question.
func (c *cache) Scan(ctx context.Context) iter.Seq2[driver.Item, error] {
	return func(yield func(driver.Item, error) bool) {
		keys, err := c.keys(ctx)
		if err != nil {
			yield(driver.Item{}, err)
			return
		}
		for len(keys) > 0 {
			step := keys[:min(scanStep, len(keys))]
			keys = keys[len(step):]
			items, err := c.GetBatch(ctx, step)
			if err != nil {
				yield(driver.Item{}, err)
				return
			}
			for _, one := range items {
				if !yield(one, nil) {
					return
				}
			}
		}
	}
}

// keys returns the keys of all records.
func (c *cache) keys(ctx context.Context) ([]string, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, wholeMapTimeout)
		defer cancel()
	}
	m, err := c.open(ctx)
	if err == nil {
		err = c.provider.ready(ctx)
	}
	if err != nil {
		return nil, err
	}
	set, err := m.GetKeySet(ctx)
	if err != nil {
		return nil, readError(ctx, err)
	}
	keys := make([]string, 0, len(set))
	for _, k := range set {
		key, ok := k.(string)
		if !ok {
			return nil, errForeign
		}
		if !isProbe(key) {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// Clear implements driver.Clearer.
func (c *cache) Clear(ctx context.Context) error {
	return c.write(ctx, func(ctx context.Context, m *hz.Map) error { return m.Clear(ctx) })
}

// Size implements driver.Sizer.
func (c *cache) Size(ctx context.Context) (n int, err error) {
	err = c.read(ctx, func(ctx context.Context, m *hz.Map) (err error) {
		n, err = m.Size(ctx)
		return err
	})
	return n, err
}
