package conformance

import (
	"context"
	"iter"
	"reflect"
	"sync"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// Functions that stand for one optional interface each.
type (
	getBatchFunc func(ctx context.Context, keys []string) ([]driver.Item, error)
	putBatchFunc func(ctx context.Context, entries []driver.Entry) []error
	exchangeFunc func(ctx context.Context, key string, record []byte, deadline time.Time) (driver.Item, bool, error)
	touchFunc    func(ctx context.Context, key string, token driver.Token, deadline time.Time) (bool, error)
	invokeFunc   func(ctx context.Context, key, processor string, args []byte) ([]byte, error)
	scanFunc     func(ctx context.Context) iter.Seq2[driver.Item, error]
	clearFunc    func(ctx context.Context) error
	sizeFunc     func(ctx context.Context) (int, error)
	watchFunc    func(ctx context.Context, on func(driver.Event)) (func(), error)
	lockFunc     func(ctx context.Context, key string, lease time.Duration) (func(context.Context) error, error)
)

func (f getBatchFunc) GetBatch(ctx context.Context, keys []string) ([]driver.Item, error) {
	return f(ctx, keys)
}
func (f putBatchFunc) PutBatch(ctx context.Context, entries []driver.Entry) []error {
	return f(ctx, entries)
}
func (f exchangeFunc) Exchange(ctx context.Context, key string, record []byte, deadline time.Time) (driver.Item, bool, error) {
	return f(ctx, key, record, deadline)
}
func (f touchFunc) Touch(ctx context.Context, key string, token driver.Token, deadline time.Time) (bool, error) {
	return f(ctx, key, token, deadline)
}
func (f invokeFunc) Invoke(ctx context.Context, key, processor string, args []byte) ([]byte, error) {
	return f(ctx, key, processor, args)
}
func (f scanFunc) Scan(ctx context.Context) iter.Seq2[driver.Item, error] { return f(ctx) }
func (f clearFunc) Clear(ctx context.Context) error                       { return f(ctx) }
func (f sizeFunc) Size(ctx context.Context) (int, error)                  { return f(ctx) }
func (f watchFunc) Watch(ctx context.Context, on func(driver.Event)) (func(), error) {
	return f(ctx, on)
}
func (f lockFunc) Lock(ctx context.Context, key string, lease time.Duration) (func(context.Context) error, error) {
	return f(ctx, key, lease)
}

// breakTokens gives items other tokens, and lets Swap take them.
func (b *broken) breakTokens(token func(driver.Item) driver.Token) {
	b.get = func(ctx context.Context, key string) (driver.Item, bool, error) {
		item, found, err := b.Cache.Get(ctx, key)
		if found {
			item.Token = token(item)
		}
		return item, found, err
	}
	b.swap = func(ctx context.Context, key string, old driver.Token, record []byte, deadline time.Time) (bool, *driver.Item, error) {
		if !old.IsZero() {
			item, found, err := b.Cache.Get(ctx, key)
			if err != nil || !found || !reflect.DeepEqual(token(item), old) {
				return false, nil, err
			}
			old = item.Token
		}
		swapped, _, err := b.Cache.Swap(ctx, key, old, record, deadline)
		return swapped, nil, err
	}
}

// What a broken Invoke is made of: a read and what the processor decides on it, and the
// call as it should be.
type (
	decideFunc func() (driver.Item, driver.Decision)
	callFunc   func() (output []byte, err error)
)

// breakInvoke replaces the execution of processors that are known.
func (b *broken) breakInvoke(invoke func(ctx context.Context, key string, decide decideFunc, call callFunc) ([]byte, error)) {
	whole := b.f.Invoker
	b.f.Invoker = invokeFunc(func(ctx context.Context, key, processor string, args []byte) ([]byte, error) {
		run := driver.ProcessorNamed(processor)
		if run == nil {
			return nil, driver.ErrNoProcessor
		}
		decide := func() (driver.Item, driver.Decision) {
			item, found, _ := b.Cache.Get(ctx, key) // of memory, which has no errors
			return item, run(item, found, args)
		}
		return invoke(ctx, key, decide, func() ([]byte, error) { return whole.Invoke(ctx, key, processor, args) })
	})
}

// breakDeadlines stores records under other deadlines.
func (b *broken) breakDeadlines(change func(time.Time) time.Time) {
	other := func(d time.Time) time.Time {
		if d.IsZero() {
			return d
		}
		return change(d)
	}
	b.put = func(ctx context.Context, key string, record []byte, deadline time.Time) error {
		return b.Cache.Put(ctx, key, record, other(deadline))
	}
	b.swap = func(ctx context.Context, key string, old driver.Token, record []byte, deadline time.Time) (bool, *driver.Item, error) {
		return b.Cache.Swap(ctx, key, old, record, other(deadline))
	}
}

// breakScan changes what a scan yields, if there is anything.
func (b *broken) breakScan(change func([]driver.Item) []driver.Item) {
	scan := b.f.Scanner
	b.f.Scanner = scanFunc(func(ctx context.Context) iter.Seq2[driver.Item, error] {
		var items []driver.Item
		for item, err := range scan.Scan(ctx) {
			if err != nil {
				return func(yield func(driver.Item, error) bool) { yield(driver.Item{}, err) }
			}
			items = append(items, item)
		}
		if len(items) > 0 {
			items = change(items)
		}
		return func(yield func(driver.Item, error) bool) {
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
		}
	})
}

// breakWatch changes how events are told, one at a time.
func (b *broken) breakWatch(tell func(on func(driver.Event), e driver.Event)) {
	watch := b.f.Watcher
	b.f.Watcher = watchFunc(func(ctx context.Context, on func(driver.Event)) (func(), error) {
		var mu sync.Mutex
		return watch.Watch(ctx, func(e driver.Event) {
			mu.Lock()
			defer mu.Unlock()
			tell(on, e)
		})
	})
}
