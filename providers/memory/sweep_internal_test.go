package memory

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// What is no longer in the cache must not stay in memory until its deadline.
func TestQueueForgetsDroppedEntries(t *testing.T) {
	ctx := context.Background()
	drops := map[string]struct {
		opts Options
		drop func(c *cache, key string) error
	}{
		"deleted": {Options{}, func(c *cache, key string) error { return c.Delete(ctx, key) }},
		"cleared": {Options{}, func(c *cache, _ string) error { return c.Clear(ctx) }},
		"evicted": {Options{MaxEntries: 1}, func(*cache, string) error { return nil }},
	}
	for name, d := range drops {
		t.Run(name, func(t *testing.T) {
			p, err := Connect(d.opts)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close(ctx) //nolint:errcheck // it has no errors
			opened, err := p.OpenCache(ctx, "c", driver.CacheOptions{})
			if err != nil {
				t.Fatal(err)
			}
			c := opened.(*cache)
			for i := range 1000 {
				key := fmt.Sprint(i)
				if err := c.Put(ctx, key, make([]byte, 20), time.Now().Add(time.Hour)); err != nil {
					t.Fatal(err)
				}
				if err := d.drop(c, key); err != nil {
					t.Fatal(err)
				}
			}
			queued := 0
			for i := range c.shards {
				c.shards[i].mu.Lock()
				queued += len(c.shards[i].queue)
				c.shards[i].mu.Unlock()
			}
			if queued > 1 {
				t.Errorf("%d dropped entries are still in the queue", queued)
			}
		})
	}
}

// An entry stands in the queue once, however its deadline moves, and goes when the
// last deadline has come.
func TestSweepFollowsMovedDeadlines(t *testing.T) {
	ctx := context.Background()
	p, err := Connect(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close(ctx) //nolint:errcheck // it has no errors
	opened, err := p.OpenCache(ctx, "c", driver.CacheOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c := opened.(*cache)
	start := time.Now().Add(time.Hour)
	at := func(minutes int) time.Time { return start.Add(time.Duration(minutes) * time.Minute) }
	for i, minutes := range [][]int{{5}, {5, 3}, {3, 5}, {5, 3, 4}, {5, 0}, {1, 2, 3, 4, 5, 4, 3, 2, 1}, {2, 7, 1, 5}} {
		key := fmt.Sprint(i)
		if err := c.Put(ctx, key, make([]byte, 20), at(minutes[0])); err != nil {
			t.Fatal(err)
		}
		for _, m := range minutes[1:] {
			deadline := at(m)
			if m == 0 {
				deadline = time.Time{}
			}
			item, _, _ := c.Get(ctx, key)
			if touched, err := c.Touch(ctx, key, item.Token, deadline); !touched || err != nil {
				t.Fatal(touched, err)
			}
		}
	}
	for minute, want := range []int64{7, 6, 6, 5, 4, 1, 1} {
		c.sweep(at(minute).UnixMicro() + 1)
		if n := c.entries.Load(); n != want {
			t.Errorf("after %d minutes there are %d entries, want %d", minute, n, want)
		}
	}
}
