package peer_test

import (
	"context"
	"sync"
	"testing"

	"github.com/keepsake-cache/keepsake/conformance"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/peer"
)

func TestJoinAndServe(t *testing.T) {
	ctx := context.Background()
	a := join(t)
	b := join(t, a)
	settled(t, 2, a, b)
	ca, err := a.OpenCache(ctx, "c", driver.CacheOptions{})
	if err != nil {
		t.Fatal(err)
	}
	cb, err := b.OpenCache(ctx, "c", driver.CacheOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"a", "b", "c", "d", "e", "f"} {
		if err := ca.Put(ctx, key, []byte("record of "+key), never); err != nil {
			t.Fatal(err)
		}
		item, found, err := cb.Get(ctx, key)
		if err != nil || !found || string(item.Record) != "record of "+key {
			t.Fatalf("%q, %v, %v", item.Record, found, err)
		}
	}
}

func TestConformance(t *testing.T) {
	first := join(t)
	var mu sync.Mutex
	members := []*peer.Provider{first}
	conformance.Run(t, conformance.Harness{
		Name: "peer",
		Connect: func(ct conformance.T) driver.Provider {
			mu.Lock()
			defer mu.Unlock()
			members = append(members, join(t, first))
			settled(t, len(members), members...)
			return members[len(members)-1]
		},
		Lacks: []driver.Feature{driver.FeatureLock, driver.FeatureBatchGet, driver.FeatureBatchPut},
	})
}
