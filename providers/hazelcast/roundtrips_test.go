package hazelcast_test

import (
	"context"
	"maps"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/providers/hazelcast"
)

// TestRoundTrips counts the requests of an application's operations at the member.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	ctx := limited(t, time.Minute)
	p := startProxy(t, cluster(t).Addrs[0], nil)
	open := func(prefix string, life time.Duration) *jcache.Cache[string, string] {
		manager, err := jcache.NewManager(connectThrough(t, p, hazelcast.Options{MapPrefix: prefix}), jcache.ManagerOptions{})
		must(t, err)
		c, err := jcache.CreateCache(ctx, manager, "TestRoundTrips"+life.String(), jcache.Options[string, string]{ExpiryPolicy: jcache.Modified[string, string](life)})
		must(t, err)
		must(t, c.Put(ctx, "k", "v"))
		return c
	}
	type requests = map[string]int
	replace := func(c *jcache.Cache[string, string]) error { _, err := c.Replace(ctx, "k", "w"); return err }
	ordinary := open(recommended, 30*time.Minute)
	for _, test := range []struct {
		name string
		c    *jcache.Cache[string, string]
		do   func(c *jcache.Cache[string, string]) error
		want requests
	}{
		{"put", ordinary, func(c *jcache.Cache[string, string]) error { return c.Put(ctx, "k", "v") }, requests{"set": 1}},
		{"get", ordinary, func(c *jcache.Cache[string, string]) error { _, _, err := c.Get(ctx, "k"); return err }, requests{"get": 1}},
		{"contains key", ordinary, func(c *jcache.Cache[string, string]) error { _, err := c.ContainsKey(ctx, "k"); return err }, requests{"get": 1}},
		{"replace", ordinary, replace, requests{"get": 1, "replaceIfSame": 1}},
		{"update", ordinary, func(c *jcache.Cache[string, string]) error {
			_, err := jcache.Invoke(ctx, c, "k", func(_ context.Context, e *jcache.MutableEntry[string, string]) (struct{}, error) {
				e.SetValue("w")
				return struct{}{}, nil
			})
			return err
		}, requests{"get": 1, "replaceIfSame": 1}},
		{"compare and remove", ordinary, func(c *jcache.Cache[string, string]) error { _, err := c.CompareAndRemove(ctx, "k", "w"); return err }, requests{"get": 1, "removeIfSame": 1}},
		{"put if absent", ordinary, func(c *jcache.Cache[string, string]) error { _, err := c.PutIfAbsent(ctx, "k", "v"); return err }, requests{"putIfAbsent": 1}},
		{"put if absent, and it is not", ordinary, func(c *jcache.Cache[string, string]) error { _, err := c.PutIfAbsent(ctx, "k", "v"); return err }, requests{"putIfAbsent": 1}},
		{"get and remove", ordinary, func(c *jcache.Cache[string, string]) error { _, _, err := c.GetAndRemove(ctx, "k"); return err }, requests{"remove": 1}},
		{"replace, longer than the map's default", open(recommended, 3*time.Hour), replace, requests{"get": 1, "replaceIfSame": 1, "setTTL": 1}},
		{"replace, without a default", open(none, time.Hour), replace, requests{"get": 1, "replaceIfSame": 1, "setTTL": 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := p.requests(func() { must(t, test.do(test.c)) })
			if !maps.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}
