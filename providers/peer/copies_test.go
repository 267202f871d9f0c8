package peer_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/peer"
)

// Where a write waits for one of two replicas, nothing is lost when members leave; and while
// fewer members are there than must have a copy, nothing is written, and everything is read.
func TestCopiesThatWritesWaitFor(t *testing.T) {
	opts := peer.Options{Security: peer.Security{Secret: secret}, Replicas: 2, SyncReplicas: 1, MinCopies: 2,
		Logger: quiet, FailureTimeout: time.Minute, LeaveTimeout: time.Minute}
	var members []*peer.Provider
	for range 3 {
		members = append(members, start(t, opts))
		opts.Join = []string{members[0].Addr()}
	}
	settled(t, members...)
	cache, err := members[0].OpenCache(t.Context(), "copies", driver.CacheOptions{})
	if err != nil {
		t.Fatal(err)
	}
	key := func(i int) string { return fmt.Sprint("key", i) }
	for i := range 300 {
		if err := cache.Put(t.Context(), key(i), []byte("record"), never); err != nil {
			t.Fatal(err)
		}
	}
	check := func() {
		t.Helper()
		for i := range 300 {
			if item, found, err := cache.Get(t.Context(), key(i)); err != nil || !found || string(item.Record) != "record" {
				t.Fatalf("key %d: found %v, %v", i, found, err)
			}
		}
	}
	for n := 2; n > 0; n-- {
		if err := members[n].Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		settled(t, members[:n]...)
		check()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := cache.Put(ctx, key(0), []byte("another"), never); !errors.Is(err, driver.ErrUnavailable) {
		t.Errorf("a write with one member left ends with %v", err)
	}
	check()
}
