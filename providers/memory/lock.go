package memory

import (
	"context"
	"sync"
	"time"
)

// locks are the keys' locks that are taken.
type locks struct {
	mu    sync.Mutex
	taken map[string]*lock
}

type lock struct {
	until time.Time
	freed chan struct{}
}

// Lock implements driver.Locker.
func (c *cache) Lock(ctx context.Context, key string, lease time.Duration) (unlock func(context.Context) error, err error) {
	l := &c.locks
	for {
		mine := &lock{until: time.Now().Add(lease), freed: make(chan struct{})}
		other := l.take(key, mine)
		if other == nil {
			return func(context.Context) error { l.free(key, mine); return nil }, nil
		}
		over := time.NewTimer(time.Until(other.until))
		select {
		case <-other.freed:
		case <-over.C:
		case <-ctx.Done():
			over.Stop()
			return nil, ctx.Err()
		}
		over.Stop()
	}
}

// take makes mine the key's lock, or returns the one that is in the way.
func (l *locks) take(key string, mine *lock) *lock {
	l.mu.Lock()
	defer l.mu.Unlock()
	if other := l.taken[key]; other != nil && time.Now().Before(other.until) {
		return other
	}
	if l.taken == nil {
		l.taken = make(map[string]*lock)
	}
	l.taken[key] = mine
	return nil
}

// free gives the key's lock back, unless its lease ended and another one has it.
func (l *locks) free(key string, mine *lock) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.taken[key] == mine {
		delete(l.taken, key)
		close(mine.freed)
	}
}
