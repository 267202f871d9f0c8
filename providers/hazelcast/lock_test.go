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

// isFree reports whether the key's lock is to be had within a moment, and takes it then.
func isFree(t *testing.T, c driver.Cache, key string) bool {
	t.Helper()
	_, err := c.(driver.Locker).Lock(limited(t, 600*time.Millisecond), key, time.Minute)
	if !errors.Is(err, context.DeadlineExceeded) {
		must(t, err)
	}
	return err == nil
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
	unlock, err := a.(driver.Locker).Lock(limited(t, slow), "k", time.Minute)
	must(t, err)
	for range 3 {
		if isFree(t, a, "k") {
			t.Fatal("two have the lock")
		}
	}
	must(t, unlock(limited(t, slow)))
	unlock, err = a.(driver.Locker).Lock(limited(t, slow), "k", time.Minute) // none of those who gave up has it
	must(t, err)
	must(t, unlock(limited(t, slow)))
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
	if isFree(t, c, "k") {
		t.Error("the former owner freed the lock of its successor")
	}
	must(t, free(ctx))
}

func TestLocksDoNotStopWriters(t *testing.T) {
	t.Parallel()
	c := openCache(t, connect(t, hazelcast.Options{}), driver.CacheOptions{})
	ctx := limited(t, time.Minute)
	unlock, err := c.(driver.Locker).Lock(ctx, "k", time.Minute)
	must(t, err)
	other := openCache(t, connect(t, hazelcast.Options{}), driver.CacheOptions{})
	free, err := other.(driver.Locker).Lock(ctx, "k", time.Minute) // another cache's key is another one
	must(t, err)
	must(t, free(ctx))
	first := record("one")
	must(t, c.Put(ctx, "k", first, time.Time{}))
	if swapped, _, err := c.Swap(ctx, "k", driver.Token{B: first}, record("two"), time.Time{}); !swapped || err != nil {
		t.Error("swap of a locked key:", swapped, err)
	}
	must(t, c.(driver.Clearer).Clear(ctx))
	if _, found, err := c.Get(ctx, "k"); found || err != nil {
		t.Error("a locked key survived Clear", err)
	}
	must(t, unlock(ctx))
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
	free, err = c.(driver.Locker).Lock(limited(t, 10*time.Second), "k", time.Hour)
	must(t, err)
	must(t, free(limited(t, 10*time.Second)))
	free, err = c.(driver.Locker).Lock(limited(t, 10*time.Second), "k", time.Hour)
	must(t, err)
	must(t, free(limited(t, 10*time.Second)))
}
