package conformance

import (
	"context"
	"slices"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// expiryDefects get deadlines wrong, and the touches that move them.
var expiryDefects = []defect{
	{"an expiry that is early", "expiry/not early", func(b *broken) {
		b.breakDeadlines(func(d time.Time) time.Time { return d.Add(-100 * time.Millisecond) })
	}},
	{"an expiry in whole seconds", "expiry/not early", func(b *broken) {
		b.breakDeadlines(func(d time.Time) time.Time { return d.Truncate(time.Second) })
	}},
	{"an expiry that is late", "expiry/not early, not late", func(b *broken) {
		b.breakDeadlines(func(d time.Time) time.Time { return d.Add(300 * time.Millisecond) })
	}},
	{"durations over 30 days that are taken for times of day", "expiry/far deadlines", func(b *broken) {
		b.breakDeadlines(func(d time.Time) time.Time {
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
}
