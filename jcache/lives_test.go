package jcache_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// Random scripts of lives, against what must hold for all of them: a name is never stuck,
// nothing is closed twice or used afterwards, and what was acknowledged is there.
func TestLives(t *testing.T) {
	rounds := 60
	if testing.Short() {
		rounds = 10
	}
	for round := range rounds {
		seed := rand.Uint64()
		synctest.Test(t, func(t *testing.T) {
			defer func() {
				if t.Failed() {
					t.Logf("round %d, seed %d", round, seed)
				}
			}()
			lives(t, seed)
		})
	}
}

func lives(t *testing.T, seed uint64) {
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(seed, 0))
	draw := func(n int) int { mu.Lock(); defer mu.Unlock(); return random.IntN(n) }
	var peace atomic.Bool
	oops := errors.New("oops")
	s, m := newStage(t, func(ctx context.Context, step, _ string) error {
		if peace.Load() {
			return nil
		}
		switch draw(6) {
		case 0:
			time.Sleep(time.Duration(draw(2000)) * time.Millisecond) // a step that does not mind its context
		case 1:
			if _, ok := ctx.Deadline(); ok {
				<-ctx.Done()
				return fmt.Errorf("%w: %w", driver.ErrUnavailable, ctx.Err())
			}
		case 2:
			return fmt.Errorf("%w: %w", driver.ErrUnavailable, oops)
		}
		return nil
	})
	names := []string{"a", "b", "c"}
	ctx := context.Background()
	want := func(what string, err error, allowed ...error) {
		if err == nil {
			return
		}
		for _, a := range append(allowed, context.DeadlineExceeded, jcache.ErrUnavailable) {
			if errors.Is(err, a) {
				return
			}
		}
		t.Errorf("%s: %v", what, err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			caches := make(map[string]*jcache.Cache[string, int])
			for range 25 {
				name := names[draw(len(names))]
				c := caches[name]
				ctx, cancel := context.WithTimeout(ctx, time.Duration(1+draw(3000))*time.Millisecond)
				switch op := draw(9); {
				case op < 2:
					c, err := jcache.CreateCache(ctx, m, name, jcache.Options[string, int]{})
					if want("create", err, jcache.ErrCacheExists, jcache.ErrClosed); err == nil {
						caches[name] = c
					}
				case op < 4:
					c, err := jcache.GetCache[string, int](ctx, m, name)
					if want("get", err, jcache.ErrCacheNotFound, jcache.ErrClosed); err == nil {
						caches[name] = c
					}
				case op == 4:
					want("destroy", m.DestroyCache(ctx, name), jcache.ErrClosed)
				case op == 5 && draw(20) == 0:
					want("close of the manager", m.Close(ctx))
				case c == nil:
				case op == 6:
					want("close", c.Close(ctx))
				case op == 7:
					want("put", c.Put(ctx, "k", 1), jcache.ErrClosed)
				case op == 8:
					for _, err := range c.All(ctx) {
						want("iterate", err, jcache.ErrClosed)
						time.Sleep(time.Duration(draw(1000)) * time.Millisecond)
					}
				}
				cancel()
			}
		})
	}
	wg.Wait()
	peace.Store(true)
	if !m.Closed() {
		for _, name := range names { // whatever happened: the name can be had, emptied and freed
			c, err := jcache.CreateCache(ctx, m, name, jcache.Options[string, int]{})
			if errors.Is(err, jcache.ErrCacheExists) {
				c, err = jcache.GetCache[string, int](ctx, m, name)
			}
			if err != nil {
				t.Fatalf("the name is stuck: %v", err)
			}
			if err := errors.Join(c.Put(ctx, "k", 1), m.DestroyCache(ctx, name)); err != nil {
				t.Error(err)
			}
		}
	}
	if err := m.Close(ctx); err != nil || !s.closed.Load() || s.open.Load() != 0 {
		t.Errorf("in the end: %v, %d open caches, connection closed: %v", err, s.open.Load(), s.closed.Load())
	}
}
