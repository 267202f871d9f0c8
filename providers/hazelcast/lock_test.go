package hazelcast_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/hazelcast"
)

// tryLock takes the key's lock if it is free soon.
func tryLock(t *testing.T, c driver.Cache, key string) (unlock func(), ok bool) {
	t.Helper()
	free, err := c.(driver.Locker).Lock(limited(t, 600*time.Millisecond), key, time.Minute)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, false
	}
	must(t, err)
	return func() { must(t, free(limited(t, 10*time.Second))) }, true
}

func TestLockExcludes(t *testing.T) {
	t.Parallel()
	c := openCache(t, connect(t, hazelcast.Options{}), driver.CacheOptions{})
	var inside, most atomic.Int32
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			free, err := c.(driver.Locker).Lock(limited(t, time.Minute), "k", time.Minute)
			if err != nil {
				t.Error(err)
				return
			}
			most.Store(max(most.Load(), inside.Add(1)))
			if _, _, err := c.Get(limited(t, time.Minute), "k"); err != nil {
				t.Error(err)
			}
			inside.Add(-1)
			if err := free(limited(t, time.Minute)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if most.Load() != 1 {
		t.Errorf("%d were inside at once", most.Load())
	}
}

func TestLockThatNobodyWaitsForStaysFree(t *testing.T) {
	t.Parallel()
	a := openCache(t, connect(t, hazelcast.Options{}), driver.CacheOptions{})
	unlock, ok := tryLock(t, a, "k")
	if !ok {
		t.Fatal("a free lock was not to be had")
	}
	for range 3 {
		if _, ok := tryLock(t, a, "k"); ok {
			t.Fatal("two have the lock")
		}
	}
	unlock()
	unlock, ok = tryLock(t, a, "k")
	if !ok {
		t.Fatal("one of those who gave up has the lock")
	}
	unlock()
}

func TestLockEndsWithItsLease(t *testing.T) {
	t.Parallel()
	c := openCache(t, connect(t, hazelcast.Options{}), driver.CacheOptions{})
	ctx := limited(t, time.Minute)
	late, err := c.(driver.Locker).Lock(ctx, "k", time.Second)
	must(t, err)
	free, err := c.(driver.Locker).Lock(ctx, "k", time.Minute)
	must(t, err)
	must(t, late(ctx)) // changes nothing any more
	if _, ok := tryLock(t, c, "k"); ok {
		t.Error("the former owner freed the lock of its successor")
	}
	must(t, free(ctx))
}

func TestLocksDoNotStopWriters(t *testing.T) {
	t.Parallel()
	c := openCache(t, connect(t, hazelcast.Options{}), driver.CacheOptions{})
	ctx := limited(t, time.Minute)
	unlock, _ := tryLock(t, c, "k")
	if free, ok := tryLock(t, openCache(t, connect(t, hazelcast.Options{}), driver.CacheOptions{}), "k"); !ok {
		t.Error("the key is locked in another cache, too")
	} else {
		free()
	}
	first := record("one")
	must(t, c.Put(ctx, "k", first, time.Time{}))
	if swapped, _, err := c.Swap(ctx, "k", driver.Token{B: first}, record("two"), time.Time{}); !swapped || err != nil {
		t.Error("swap of a locked key:", swapped, err)
	}
	must(t, c.(driver.Clearer).Clear(ctx))
	if _, found, err := c.Get(ctx, "k"); found || err != nil {
		t.Error("a locked key survived Clear", err)
	}
	unlock()
}

// TestLockOfALostAnswerIsGivenBack: the member gave the lock to somebody who does not know.
func TestLockOfALostAnswerIsGivenBack(t *testing.T) {
	t.Parallel()
	p := startProxy(t, cluster(t).Addrs[0], nil)
	c := openCache(t, connectThrough(t, p, hazelcast.Options{}), driver.CacheOptions{})
	p.next("tryLock", unanswered)
	if _, err := c.(driver.Locker).Lock(limited(t, 300*time.Millisecond), "k", time.Hour); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	free, err := c.(driver.Locker).Lock(limited(t, 10*time.Second), "k", time.Hour)
	must(t, err)
	must(t, free(limited(t, 10*time.Second)))

	// Who waits longer gets it at the second attempt, perhaps for the second time.
	p.next("tryLock", unanswered)
	free, err = c.(driver.Locker).Lock(limited(t, 4*time.Second), "k", time.Hour)
	must(t, err)
	must(t, free(limited(t, 10*time.Second)))
	free, err = c.(driver.Locker).Lock(limited(t, 10*time.Second), "k", time.Hour)
	must(t, err)
	must(t, free(limited(t, 10*time.Second)))
}
