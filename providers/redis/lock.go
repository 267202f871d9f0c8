package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/redis/rueidis"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// lockPause is between two attempts to take a lock that somebody else has.
const lockPause = 20 * time.Millisecond

// Lock implements driver.Locker. The lock is a key of its own, which holds its owner.
func (c *cache) Lock(ctx context.Context, key string, lease time.Duration) (unlock func(context.Context) error, err error) {
	ctx, cancel := c.provider.bound(ctx)
	defer cancel()
	name, owner := c.base+"@lock:"+key, rand.Text()
	unlock = func(ctx context.Context) error {
		if c.provider.traits.values {
			return c.provider.compareAndRemove(ctx, name, []byte(owner))
		}
		_, err := c.provider.run(ctx, unlockScript, name, owner)
		return err
	}
	for {
		m, err := c.provider.write(ctx, func(b rueidis.Builder) rueidis.Completed {
			return b.Set().Key(name).Value(owner).Nx().PxMilliseconds(max(lease.Milliseconds(), 1)).Build()
		})
		if err == nil && !m.IsNil() {
			return unlock, nil
		}
		if errors.Is(err, driver.ErrIndeterminate) {
			c.provider.abandon(unlock)
			return nil, failure(ctx, errSilent, false) // no record was written
		}
		if err != nil {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(lockPause):
		}
	}
}

// abandon frees a lock that somebody may have got who has given up, or may still get: a connection
// that is silent for so long is closed, and what was sent on it has arrived by then.
func (p *Provider) abandon(unlock func(context.Context) error) {
	if p.life.Err() != nil {
		return
	}
	p.tasks.Go(func() {
		_ = unlock(p.life) // if it fails, the lease ends it
		if wait(p.life, silence+p.opts.RequestTimeout) {
			_ = unlock(p.life)
		}
	})
}
