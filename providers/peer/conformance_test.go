package peer_test

import (
	"context"
	"testing"

	"github.com/keepsake-cache/keepsake/conformance"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

func TestJoinAndServe(t *testing.T) {
	ctx := context.Background()
	a := join(t)
	b := join(t, a)
	settled(t, a, b)
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
	sa, sb := a.Stats(), b.Stats()
	if sa.Members != 2 || sa.Coordinator == sb.Coordinator || sa.Primaries+sb.Primaries != 271 || sa.Replicas != sb.Primaries ||
		sa.Entries != 6 || sb.Entries != 6 || sa.Bytes == 0 || sa.Short+sa.Lost+sa.HandOffs+sa.Rebirths != 0 {
		t.Errorf("the members say of themselves:\n%+v\n%+v", sa, sb)
	}
}

func TestConformance(t *testing.T) {
	first := join(t)
	conformance.Run(t, conformance.Harness{
		Name: "peer",
		Connect: func(conformance.T) driver.Provider {
			other := join(t, first)
			settled(t, first, other)
			return other
		},
		Lacks: []driver.Feature{driver.FeatureLock},
	})
}
