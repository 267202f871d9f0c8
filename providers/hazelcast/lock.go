package hazelcast

import (
	"context"
	"errors"
	"time"

	hz "github.com/hazelcast/hazelcast-go-client"
	"github.com/hazelcast/hazelcast-go-client/hzerrors"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// locksName, after the prefix, names the map of all locks. No cache can have that name.
const locksName = "~locks"

const (
	// A request that the client has given up on may get the lock later, when nobody
	// wants it any more. So a request waits on the member for lockSlice at most, and
	// not at all when time is short; then it is repeated every lockPause, but not in
	// the last moment.
	lockSlice  = time.Second
	lastSecond = time.Second
	lastMoment = 50 * time.Millisecond
	lockPause  = 25 * time.Millisecond
)

// Lock implements driver.Locker. The lock is not the entry's, because members make all
// writers of a locked entry wait: it is one in a map without entries.
func (c *cache) Lock(ctx context.Context, key string, lease time.Duration) (unlock func(context.Context) error, err error) {
	ctx, cancel := c.provider.bound(ctx)
	defer cancel()
	// All requests of this call are one owner, who gets the lock once more if the
	// answer to an earlier request was lost.
	l := &lock{locks: c.provider.locks, key: c.name + "/" + key, owner: hz.NewLockContext(context.Background())}
	for {
		locked, err := l.try(ctx, max(lease, time.Millisecond))
		switch {
		case locked:
			return l.unlock, nil
		case err != nil && !errors.Is(err, driver.ErrIndeterminate):
			return nil, err
		case err != nil:
			l.times++
		}
		if deadline, _ := ctx.Deadline(); time.Until(deadline) < lastMoment {
			<-ctx.Done()
		}
		select {
		case <-ctx.Done():
			l.abandon()
			return nil, ctx.Err()
		case <-time.After(lockPause):
		}
	}
}

// A lock is one that is being taken, or was perhaps taken several times.
type lock struct {
	locks *remoteMap
	key   string
	owner context.Context
	times int // requests whose answer was lost
}

// try asks for the lock once.
func (l *lock) try(ctx context.Context, lease time.Duration) (locked bool, err error) {
	deadline, _ := ctx.Deadline()
	half := time.Until(deadline) / 2
	slice := min(max(half-lastSecond, 0), lockSlice)
	ctx, cancel := context.WithTimeout(ctx, max(half, lastSecond))
	defer cancel()
	err = l.locks.write(lockContext{ctx, l.owner}, func(ctx context.Context, m *hz.Map) (err error) {
		locked, err = m.TryLockWithLeaseAndTimeout(ctx, l.key, lease, slice)
		return err
	})
	return locked && err == nil, err
}

// unlock gives the lock back, as often as it was perhaps taken.
func (l *lock) unlock(ctx context.Context) error {
	for range l.times + 1 {
		err := l.locks.write(lockContext{ctx, l.owner}, func(ctx context.Context, m *hz.Map) error { return m.Unlock(ctx, l.key) })
		if errors.Is(err, hzerrors.ErrIllegalMonitorState) {
			return nil // it was taken less often, or its lease has ended
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// abandon gives back what the member may grant to the requests whose answers were lost,
// when they have ended there.
func (l *lock) abandon() {
	p := l.locks.provider
	p.mu.Lock()
	defer p.mu.Unlock()
	if l.times == 0 || p.closed.Load() {
		return
	}
	p.tasks.Go(func() {
		select {
		case <-p.life.Done():
		case <-time.After(lockSlice):
			_ = l.unlock(p.life) // if it fails, the lease ends it
		}
	})
}

// A lockContext is a caller's context in the name of the owner of a lock, which the
// client keeps among a context's values.
type lockContext struct {
	context.Context
	owner context.Context
}

func (c lockContext) Value(key any) any {
	if v := c.owner.Value(key); v != nil {
		return v
	}
	return c.Context.Value(key)
}
