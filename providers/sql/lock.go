package sql

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// lockSuffix follows a cache's name in that of its locks. No cache has such a name.
const lockSuffix = "#lock"

// Lock implements driver.Locker. A lock is a row that lives for the lease: whoever creates it
// has the lock.
func (c *cache) Lock(ctx context.Context, key string, lease time.Duration) (func(context.Context) error, error) {
	locks := &cache{provider: c.provider, name: c.name + lockSuffix, buckets: bucketsFor(driver.CacheOptions{LongestTTL: lease}), info: c.info}
	owner := make([]byte, driver.WriteIDBytes)
	_, _ = rand.Read(owner) // never fails
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		taken, err := locks.take(ctx, key, owner, lease)
		if err != nil {
			return nil, err
		}
		if taken {
			return func(ctx context.Context) error {
				_, err := locks.swap(ctx, key, token(owner), nil, time.Time{})
				return err
			}, nil
		}
		if !rest(ctx, pause) {
			return nil, c.provider.named(ctx, fmt.Errorf("%w: the lock is taken: %w", driver.ErrUnavailable, ctx.Err()))
		}
	}
}

// take tries to get a lock. If ctx ends meanwhile, what was got is given back.
func (c *cache) take(ctx context.Context, key string, owner []byte, lease time.Duration) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, c.provider.named(ctx, fmt.Errorf("%w: %w", driver.ErrUnavailable, err))
	}
	type outcome struct {
		taken bool
		err   error
	}
	done, whole, p := make(chan outcome), context.WithoutCancel(ctx), c.provider
	p.tasks.Go(func() {
		taken, err := c.create(whole, c.row(key, owner, time.Now().Add(lease)))
		if errors.Is(err, driver.ErrIndeterminate) {
			c.free(whole, key, owner)
			err = fmt.Errorf("%w: it is not known whether the lock was taken, so it was freed", driver.ErrUnavailable)
		}
		select {
		case done <- outcome{taken, err}:
		case <-ctx.Done(): // nobody waits for it
			if taken {
				c.free(whole, key, owner)
			}
		}
	})
	select {
	case o := <-done:
		if o.err == nil || ended(ctx, nil) == nil {
			return o.taken, o.err
		}
	case <-ctx.Done():
	}
	return false, p.named(ctx, fmt.Errorf("%w: %w", driver.ErrUnavailable, ended(ctx, nil)))
}

// free gives a lock back that its owner does not know of. If that fails, the lease ends it.
func (c *cache) free(ctx context.Context, key string, owner []byte) {
	_, _ = c.swap(ctx, key, token(owner), nil, time.Time{})
}
