package conformance

import (
	"context"
	"sync"
	"time"
)

// lockDefects break locks.
var lockDefects = []defect{
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
}
