package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// ruins are the ways in which drivers go wrong. by is the beginning of
// the names of the cases of which one must notice.
var ruins = []struct {
	name string
	by   string
	ruin func(b *broken)
}{
	{"a swap that does not compare", "race/no increment is lost", func(b *broken) {
		b.swap = func(ctx context.Context, key string, _ driver.Token, record []byte, deadline time.Time) (bool, *driver.Item, error) {
			if record == nil {
				return true, nil, b.Cache.Delete(ctx, key)
			}
			return true, nil, b.Cache.Put(ctx, key, record, deadline)
		}
	}},
	{"a swap that compares and then writes", "race/one of many", func(b *broken) {
		b.swap = func(ctx context.Context, key string, old driver.Token, record []byte, deadline time.Time) (bool, *driver.Item, error) {
			item, found, err := b.Cache.Get(ctx, key)
			if err != nil || found && item.Token.N != old.N || !found && !old.IsZero() {
				return false, nil, err
			}
			<-time.After(time.Millisecond) // where another client comes in between
			if record == nil {
				return true, nil, b.Cache.Delete(ctx, key)
			}
			return true, nil, b.Cache.Put(ctx, key, record, deadline)
		}
	}},
	{"a zero token that demands nothing", "swap/zero token on a present key", func(b *broken) {
		b.swap = func(ctx context.Context, key string, old driver.Token, record []byte, deadline time.Time) (bool, *driver.Item, error) {
			if old.IsZero() && record != nil {
				return true, nil, b.Cache.Put(ctx, key, record, deadline)
			}
			return b.Cache.Swap(ctx, key, old, record, deadline)
		}
	}},
	{"a conflict that is an error", "swap/stale token", func(b *broken) {
		b.swap = func(ctx context.Context, key string, old driver.Token, record []byte, deadline time.Time) (bool, *driver.Item, error) {
			swapped, _, err := b.Cache.Swap(ctx, key, old, record, deadline)
			if err == nil && !swapped {
				err = errors.New("conflict")
			}
			return swapped, nil, err
		}
	}},
	{"a conflict that shows another item than the present one", "swap/zero token on a present", func(b *broken) {
		b.swap = func(ctx context.Context, key string, old driver.Token, record []byte, deadline time.Time) (bool, *driver.Item, error) {
			swapped, current, err := b.Cache.Swap(ctx, key, old, record, deadline)
			if current != nil {
				current.Record = bytes.Clone(record)
			}
			return swapped, current, err
		}
	}},
	{"a token of the content", "token/after put and put back", func(b *broken) {
		token := func(item driver.Item) driver.Token { return driver.Token{B: item.Record[driver.WriteIDBytes:]} }
		b.ruinTokens(token)
	}},
	{"a token that is used again", "token/never comes back", func(b *broken) {
		b.ruinTokens(func(item driver.Item) driver.Token { return driver.Token{N: item.Token.N%16 + 1} })
	}},
	{"a zero token for a record", "put/", func(b *broken) {
		b.get = func(ctx context.Context, key string) (driver.Item, bool, error) {
			item, found, err := b.Cache.Get(ctx, key)
			item.Token = driver.Token{}
			return item, found, err
		}
	}},
	{"an expiry that is early", "expiry/not early", func(b *broken) {
		b.ruinDeadlines(func(d time.Time) time.Time { return d.Add(-100 * time.Millisecond) })
	}},
	{"an expiry in whole seconds", "expiry/not early", func(b *broken) {
		b.ruinDeadlines(func(d time.Time) time.Time { return d.Truncate(time.Second) })
	}},
	{"an expiry that is late", "expiry/not early, not late", func(b *broken) {
		b.ruinDeadlines(func(d time.Time) time.Time { return d.Add(300 * time.Millisecond) })
	}},
	{"durations over 30 days that are taken for times of day", "expiry/far deadlines", func(b *broken) {
		b.ruinDeadlines(func(d time.Time) time.Time {
			if time.Until(d) > 30*24*time.Hour {
				return time.Unix(int64(time.Until(d).Seconds()), 0)
			}
			return d
		})
	}},
	{"a put that keeps the old deadline", "expiry/an eternal record replaces", func(b *broken) {
		b.put = func(ctx context.Context, key string, record []byte, deadline time.Time) error {
			if item, found, _ := b.Cache.Get(ctx, key); found && deadline.IsZero() {
				deadline = item.Deadline
			}
			return b.Cache.Put(ctx, key, record, deadline)
		}
	}},
	{"a past deadline that is not stored", "expiry/a deadline in the past", func(b *broken) {
		b.put = func(ctx context.Context, key string, record []byte, deadline time.Time) error {
			if !deadline.IsZero() && time.Until(deadline) < 0 {
				return nil
			}
			return b.Cache.Put(ctx, key, record, deadline)
		}
	}},
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
	{"a buffer that is used again", "put/overwrites", func(b *broken) {
		var mu sync.Mutex
		buffer := make([]byte, 0, 64)
		b.get = func(ctx context.Context, key string) (driver.Item, bool, error) {
			item, found, err := b.Cache.Get(ctx, key)
			if found && len(item.Record) <= 64 {
				mu.Lock()
				defer mu.Unlock()
				buffer = append(buffer[:0], item.Record...)
				item.Record = buffer
			}
			return item, found, err
		}
	}},
	{"a record that is changed by the driver", "put/overwrites", func(b *broken) {
		b.put = func(ctx context.Context, key string, record []byte, deadline time.Time) error {
			err := b.Cache.Put(ctx, key, bytes.Clone(record), deadline)
			clear(record)
			return err
		}
	}},
	{"an error of a write that was applied", "context/a write whose context ends", func(b *broken) {
		b.put = func(ctx context.Context, key string, record []byte, deadline time.Time) error {
			err := b.Cache.Put(ctx, key, record, deadline)
			if ctx.Err() != nil {
				return fmt.Errorf("%w: %w", driver.ErrUnavailable, ctx.Err())
			}
			return err
		}
	}},
	{"an unknown outcome that hides the context's error", "context/", func(b *broken) {
		b.put = func(ctx context.Context, key string, record []byte, deadline time.Time) error {
			if ctx.Err() != nil {
				return driver.ErrIndeterminate
			}
			return b.Cache.Put(ctx, key, record, deadline)
		}
	}},
	{"a context that is ignored", "context/a call returns", func(b *broken) {
		b.get = func(ctx context.Context, key string) (driver.Item, bool, error) {
			if d, ok := ctx.Deadline(); ok && time.Until(d) < time.Second {
				<-time.After(lateAfter + time.Second)
			}
			return b.Cache.Get(ctx, key)
		}
	}},
	{"a key in an error", "context/", func(b *broken) {
		b.delete = func(ctx context.Context, key string) error {
			if ctx.Err() != nil {
				return fmt.Errorf("delete %s: %w", key, ctx.Err())
			}
			return b.Cache.Delete(ctx, key)
		}
	}},
	{"a removal of nothing that is an error", "get/absent", func(b *broken) {
		b.delete = func(ctx context.Context, key string) error {
			if _, found, _ := b.Cache.Get(ctx, key); !found {
				return errors.New("not found")
			}
			return b.Cache.Delete(ctx, key)
		}
	}},
	{"keys in lower case", "put/any key", func(b *broken) {
		b.get = func(ctx context.Context, key string) (driver.Item, bool, error) {
			return b.Cache.Get(ctx, strings.ToLower(key))
		}
		b.put = func(ctx context.Context, key string, record []byte, deadline time.Time) error {
			return b.Cache.Put(ctx, strings.ToLower(key), record, deadline)
		}
	}},
	{"keys that are cut off", "put/any key", func(b *broken) {
		cut := func(key string) string { return key[:min(len(key), 250)] }
		b.get = func(ctx context.Context, key string) (driver.Item, bool, error) { return b.Cache.Get(ctx, cut(key)) }
		b.put = func(ctx context.Context, key string, record []byte, deadline time.Time) error {
			return b.Cache.Put(ctx, cut(key), record, deadline)
		}
	}},
	{"records that are texts", "put/any record", func(b *broken) {
		b.put = func(ctx context.Context, key string, record []byte, deadline time.Time) error {
			text := bytes.ToValidUTF8(record[driver.WriteIDBytes:], []byte("?"))
			return b.Cache.Put(ctx, key, append(bytes.Clone(record[:driver.WriteIDBytes]), text...), deadline)
		}
	}},
	{"a name that is not looked at", "names are separate", func(b *broken) {
		one, _ := b.provider.OpenCache(context.Background(), "one", driver.CacheOptions{})
		b.get, b.put = one.Get, one.Put
	}},
	{"information that changes", "info", func(b *broken) {
		info, n := b.info(), 0
		b.info = func() driver.Info { n++; info.MaxRecordBytes = 1000 + n; return info }
	}},
	{"a scan that yields one twice", "scan/yields every record once", func(b *broken) {
		b.ruinScan(func(items []driver.Item) []driver.Item { return append(items, items[0]) })
	}},
	{"a scan that leaves one out", "scan/yields every record once", func(b *broken) {
		b.ruinScan(func(items []driver.Item) []driver.Item { return items[1:] })
	}},
	{"a scan that sees what passes instead of what stays", "scan/while others write", func(b *broken) {
		b.ruinScan(func(items []driver.Item) []driver.Item {
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
	{"a batch put without deadlines", "expiry/not early, not late/put batch", func(b *broken) {
		batch := b.f.BatchPutter
		b.f.BatchPutter = putBatchFunc(func(ctx context.Context, entries []driver.Entry) []error {
			entries = slices.Clone(entries)
			for i := range entries {
				entries[i].Deadline = never
			}
			return batch.PutBatch(ctx, entries)
		})
	}},
	{"an exchange in two steps", "exchange/each record is returned once", func(b *broken) {
		b.f.Exchanger = exchangeFunc(func(ctx context.Context, key string, record []byte, deadline time.Time) (driver.Item, bool, error) {
			item, found, err := b.Cache.Get(ctx, key)
			if err != nil {
				return item, found, err
			}
			<-time.After(100 * time.Microsecond) // where another client comes in between
			if record == nil {
				return item, found, b.Cache.Delete(ctx, key)
			}
			return item, found, b.Cache.Put(ctx, key, record, deadline)
		})
	}},
	{"an exchange that returns what it stored", "exchange/returns the previous item", func(b *broken) {
		exchange := b.f.Exchanger
		b.f.Exchanger = exchangeFunc(func(ctx context.Context, key string, record []byte, deadline time.Time) (driver.Item, bool, error) {
			item, existed, err := exchange.Exchange(ctx, key, record, deadline)
			if record != nil {
				item.Record = record
			}
			return item, existed, err
		})
	}},
	{"a touch that changes the token", "touch/keeps the token", func(b *broken) {
		b.f.Toucher = touchFunc(func(ctx context.Context, key string, _ driver.Token, deadline time.Time) (bool, error) {
			item, found, err := b.Cache.Get(ctx, key)
			if !found || err != nil {
				return false, err
			}
			return true, b.Cache.Put(ctx, key, item.Record, deadline)
		})
	}},
	{"a touch of whichever version", "touch/a stale token", func(b *broken) {
		touch := b.f.Toucher
		b.f.Toucher = touchFunc(func(ctx context.Context, key string, _ driver.Token, deadline time.Time) (bool, error) {
			item, found, err := b.Cache.Get(ctx, key)
			if !found || err != nil {
				return false, err
			}
			return touch.Touch(ctx, key, item.Token, deadline)
		})
	}},
	{"a touch that touches nothing", "touch/moves the deadline", func(b *broken) {
		b.f.Toucher = touchFunc(func(ctx context.Context, key string, _ driver.Token, _ time.Time) (bool, error) {
			_, found, err := b.Cache.Get(ctx, key)
			return found, err
		})
	}},
	{"an invoke that takes effect twice", "invoke/does what the processor decides", func(b *broken) {
		b.ruinInvoke(func(_ context.Context, _ string, _ decideFunc, call callFunc) ([]byte, error) {
			output, err := call()
			if err == nil {
				_, err = call()
			}
			return output, err
		})
	}},
	{"an invoke that now and then takes effect twice", "invoke/each call takes effect once", func(b *broken) {
		var n atomic.Int64
		b.ruinInvoke(func(_ context.Context, _ string, _ decideFunc, call callFunc) ([]byte, error) {
			output, err := call()
			if err == nil && n.Add(1)%50 == 0 {
				_, err = call()
			}
			return output, err
		})
	}},
	{"an invoke that loses the output", "invoke/does what the processor decides", func(b *broken) {
		b.ruinInvoke(func(_ context.Context, _ string, _ decideFunc, call callFunc) ([]byte, error) {
			_, err := call()
			return nil, err
		})
	}},
	{"an invoke that gives the output of another run", "invoke/each call takes effect once", func(b *broken) {
		b.ruinInvoke(func(_ context.Context, _ string, decide decideFunc, call callFunc) ([]byte, error) {
			_, d := decide()
			<-time.After(100 * time.Microsecond) // where another client comes in between
			_, err := call()
			return d.Output, err
		})
	}},
	{"an invoke in two steps", "invoke/each call takes effect once", func(b *broken) {
		b.ruinInvoke(func(ctx context.Context, key string, decide decideFunc, call callFunc) ([]byte, error) {
			_, d := decide()
			if d.Change != driver.DecideStore {
				return call()
			}
			<-time.After(100 * time.Microsecond) // likewise
			return d.Output, b.Cache.Put(ctx, key, d.Record, d.Deadline)
		})
	}},
	{"an invoke that stores without a deadline", "invoke/deadlines", func(b *broken) {
		b.ruinInvoke(func(ctx context.Context, key string, decide decideFunc, call callFunc) ([]byte, error) {
			_, d := decide()
			if d.Change != driver.DecideStore {
				return call()
			}
			return d.Output, b.Cache.Put(ctx, key, d.Record, never)
		})
	}},
	{"an invoke that stores to move a deadline", "invoke/deadlines", func(b *broken) {
		b.ruinInvoke(func(ctx context.Context, key string, decide decideFunc, call callFunc) ([]byte, error) {
			item, d := decide()
			if d.Change != driver.DecideRetime {
				return call()
			}
			return d.Output, b.Cache.Put(ctx, key, item.Record, d.Deadline)
		})
	}},
	{"an unknown processor that does nothing", "invoke/an unknown processor", func(b *broken) {
		invoke := b.f.Invoker
		b.f.Invoker = invokeFunc(func(ctx context.Context, key, processor string, args []byte) ([]byte, error) {
			output, err := invoke.Invoke(ctx, key, processor, args)
			if errors.Is(err, driver.ErrNoProcessor) {
				err = nil
			}
			return output, err
		})
	}},
	{"a lock that does not exclude", "lock/excludes", func(b *broken) {
		b.f.Locker = lockFunc(func(context.Context, string, time.Duration) (func(context.Context) error, error) {
			return func(context.Context) error { return nil }, nil
		})
	}},
	{"a lock that excludes other clients only", "lock/is handed over", func(b *broken) {
		lock := b.f.Locker
		var mu sync.Mutex
		held := map[string]int{}
		b.f.Locker = lockFunc(func(ctx context.Context, key string, lease time.Duration) (func(context.Context) error, error) {
			mu.Lock()
			defer mu.Unlock()
			if held[key]++; held[key] > 1 {
				return func(context.Context) error { return nil }, nil
			}
			unlock, err := lock.Lock(ctx, key, lease)
			return func(ctx context.Context) error {
				mu.Lock()
				defer mu.Unlock()
				held[key] = 0
				return unlock(ctx)
			}, err
		})
	}},
	{"a lock that is taken by who has given up", "lock/who stops waiting", func(b *broken) {
		lock := b.f.Locker
		b.f.Locker = lockFunc(func(ctx context.Context, key string, lease time.Duration) (func(context.Context) error, error) {
			unlock, err := lock.Lock(ctx, key, lease)
			if err != nil {
				go func() { _, _ = lock.Lock(context.Background(), key, time.Minute) }()
			}
			return unlock, err
		})
	}},
	{"a lock whose lease has no effect", "lock/frees itself", func(b *broken) {
		lock := b.f.Locker
		b.f.Locker = lockFunc(func(ctx context.Context, key string, _ time.Duration) (func(context.Context) error, error) {
			return lock.Lock(ctx, key, 7*time.Second)
		})
	}},
	{"a watch out of order", "watch/events of a key in order", func(b *broken) {
		var held []driver.Event
		b.ruinWatch(func(on func(driver.Event), e driver.Event) {
			if held = append(held, e); len(held) == 2 {
				on(held[1])
				on(held[0])
				held = nil
			}
		})
	}},
	{"a watch that loses events and says nothing", "watch/events of a key in order", func(b *broken) {
		n := 0
		b.ruinWatch(func(on func(driver.Event), e driver.Event) {
			if n++; n%20 > 0 {
				on(e)
			}
		})
	}},
	{"a watch that goes on after stop", "watch/stop", func(b *broken) {
		b.ruinWatch(func(on func(driver.Event), e driver.Event) { time.AfterFunc(time.Millisecond, func() { on(e) }) })
	}},
	{"an expiry that is told as a removal", "watch/expiry is no removal", func(b *broken) {
		b.ruinWatch(func(on func(driver.Event), e driver.Event) {
			if e.Kind == driver.EventExpired {
				e.Kind = driver.EventRemoved
			}
			on(e)
		})
	}},
}
