package hazelcast_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/hazelcast"
)

// TestEvictedEntriesAreAllThatIsLost: the provider depends on no key but those of entries. A map holds nothing
// else, whatever was done with it, and without some of its keys, those entries are gone and no others.
func TestEvictedEntriesAreAllThatIsLost(t *testing.T) {
	t.Parallel()
	ctx := limited(t, time.Minute)
	c := openCache(t, connect(t, hazelcast.Options{}), driver.CacheOptions{LongestTTL: time.Hour})
	must(t, c.Put(ctx, "cleared", record(""), time.Time{}))
	must(t, c.(driver.Clearer).Clear(ctx))
	unlock, err := c.(driver.Locker).Lock(ctx, "locked", time.Minute)
	must(t, err)
	var keys []any
	for i := range 40 {
		key := fmt.Sprintf("%02d", i)
		keys = append(keys, key)
		must(t, replace(t, c, key, in(time.Hour)))
	}
	m := mapOf(c)
	have, err := m.GetKeySet(ctx)
	must(t, err)
	slices.SortFunc(have, func(a, b any) int { return slices.Compare([]byte(fmt.Sprint(a)), []byte(fmt.Sprint(b))) })
	if !slices.Equal(have, keys) {
		t.Errorf("the map has the keys %v", have)
	}
	for _, key := range keys[:20] {
		_, err := m.Evict(ctx, key)
		must(t, err)
	}
	for i, key := range keys {
		if _, found, err := c.Get(ctx, key.(string)); err != nil || found != (i >= 20) {
			t.Errorf("entry %d of 40, of which 20 were evicted, is found: %v, %v", i, found, err)
		}
	}
	must(t, unlock(ctx))
}
