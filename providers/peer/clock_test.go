package peer_test

import (
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/peer"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
)

// Versions count the time of day that the options give.
func TestClock(t *testing.T) {
	p := start(t, peer.Options{Security: peer.Security{Secret: secret}, Logger: quiet,
		Clock: func() time.Time { return time.Now().Add(time.Hour) }})
	c, err := p.OpenCache(t.Context(), "clocks", driver.CacheOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Put(t.Context(), "k", []byte("v"), never); err != nil {
		t.Fatal(err)
	}
	item, found, err := c.Get(t.Context(), "k")
	if err != nil || !found {
		t.Fatalf("found %v: %v", found, err)
	}
	if soonest := part.At(time.Now().Add(50 * time.Minute)); part.Version(item.Token.N) < soonest {
		t.Error("the version of a write is not of the time that the clock gives")
	}
}
