package conformance

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// lockLease is long enough for a lock that is freed by its owner.
const lockLease = 20 * time.Second

// lockWait is for how long somebody waits for a lock that it should not get.
const lockWait = time.Second

func (c client) lock(key string, lease time.Duration) (unlock func()) {
	free, err := c.f.Locker.Lock(c.e.ctx, key, lease)
	c.e.ok(err)
	return func() { c.e.ok(free(c.e.ctx)) }
}

// locked reports whether the key's lock stays taken for a while; if not, it is free
// again afterwards.
func (c client) locked(key string) bool { return !c.lockable(key, lockWait) }

// free reports whether the key's lock can be taken, and leaves it free. A busy backend has
// time for that, but not until a lease ends.
func (c client) free(key string) bool { return c.lockable(key, lockLease/4) }

func (c client) lockable(key string, patience time.Duration) bool {
	ctx, cancel := context.WithTimeout(c.e.ctx, patience)
	defer cancel()
	unlock, err := c.f.Locker.Lock(ctx, key, lockLease)
	if err == nil {
		c.e.ok(unlock(c.e.ctx))
		return true
	}
	c.e.is("a Lock whose context ended", err, context.DeadlineExceeded)
	return false
}

var lockCases = []testCase{
	{
		name:   "lock/excludes",
		rule:   "Lock waits until the key's lock is free, and takes it.",
		source: "driver.Locker",
		needs:  needing(driver.FeatureLock),
		run: func(e *env) {
			a, b := e.pair()
			var inside atomic.Int64
			e.parallel(6, func(i int) {
				c := [2]client{a, b}[i%2]
				for range 4 {
					unlock := c.lock(key, lockLease)
					if inside.Add(1) > 1 {
						e.Errorf("two have the lock")
					}
					e.wait(time.Now().Add(time.Millisecond))
					inside.Add(-1)
					unlock()
				}
			})
		},
	},
	{
		name:   "lock/is handed over",
		rule:   "Lock waits until the key's lock is free, takes it and returns the call that frees it.",
		source: "driver.Locker",
		needs:  needing(driver.FeatureLock),
		run: func(e *env) {
			a, b := e.pair()
			unlock := a.lock(key, lockLease)
			e.equal("locked for another client", b.locked(key), true)
			e.equal("locked for the same client", a.locked(key), true)
			e.equal("free under another key", b.free(otherKey), true)
			e.equal("free in another cache", e.openAs(1, e.name+"x").free(key), true)
			e.parallel(2, func(i int) {
				if i == 0 {
					e.wait(in(30 * time.Millisecond))
					unlock()
					return
				}
				b.lock(key, lockLease)()
			})
			e.equal("free after it was freed", a.free(key), true)
		},
	},
	{
		name:   "lock/who stops waiting does not get it later",
		rule:   "The context is honoured: a Lock whose context has ended takes nothing.",
		source: "driver contract 6",
		needs:  needing(driver.FeatureLock),
		run: func(e *env) {
			a, b := e.pair()
			unlock := a.lock(key, lockLease)
			for range 3 {
				e.equal("locked", b.locked(key), true)
			}
			unlock()
			for range 2 {
				e.equal("free after its owner freed it and all others gave up", a.free(key), true)
				e.wait(in(50 * time.Millisecond))
			}
		},
	},
	{
		name:   "lock/frees itself",
		rule:   "The lock frees itself after lease.",
		source: "driver.Locker",
		needs:  needing(driver.FeatureLock),
		run: func(e *env) {
			a, b := e.pair()
			const lease = 1200 * time.Millisecond
			start := time.Now()
			free, err := a.f.Locker.Lock(e.ctx, key, lease)
			e.ok(err)
			unlock := b.lock(key, lockLease)
			switch took := time.Since(start); {
			case took < lease-clockGrace:
				e.Errorf("the lock was taken over after %v, its lease is %v", took, lease)
			case took > lease+5*time.Second:
				e.Errorf("the lock was taken over only after %v, its lease is %v", took, lease)
			}
			_ = free(e.ctx) // too late; whether that is an error is open
			e.equal("locked, although the owner before frees what it has no more", a.locked(key), true)
			unlock()
			e.equal("free after its owner freed it", a.free(key), true)
		},
	},
	{
		name:   "lock/binds only those who ask",
		rule:   "Locks do not stop a Put or a Swap.",
		source: "driver.Locker",
		needs:  needing(driver.FeatureLock),
		run: func(e *env) {
			a, b := e.pair()
			unlock := a.lock(key, lockLease)
			e.equal("a locked key without a record", b.get(key), absent)
			if a.f.Scanner != nil {
				e.equal("records after a Lock", len(b.scan()), 0)
			}
			ctx, cancel := context.WithTimeout(e.ctx, 3*time.Second)
			defer cancel()
			if err := b.Put(ctx, key, record("one"), never); err != nil {
				e.Fatalf("a Put of a locked key: %v", err)
			}
			swapped, _, err := b.Swap(ctx, key, b.item(key).Token, record("two"), never)
			if !swapped || err != nil {
				e.Errorf("a Swap of a locked key: swapped %v, error %v", swapped, err)
			}
			unlock()
			e.equal("written while locked", a.get(key), "two")
			if a.f.Clearer != nil {
				unlock := a.lock(key, lockLease)
				e.ok(b.f.Clearer.Clear(ctx))
				e.equal("a locked key after Clear", b.get(key), absent)
				unlock()
			}
		},
	},
}
