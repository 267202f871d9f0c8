package memcached_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/internal/logtest"
	"github.com/keepsake-cache/keepsake/internal/servers"
	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/memcached"
)

// TestLivenessOfEachServerIsKnown from calls and from a probe, whether it is killed or frozen,
// and is told in the log and in the health.
func TestLivenessOfEachServerIsKnown(t *testing.T) {
	a, b := servertest.Memcached(t), servertest.Memcached(t)
	var log logtest.Log
	manager, err := memcached.Open(t.Context(), memcached.Options{Servers: addrs(a, b), RequestTimeout: 2 * time.Second,
		Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = manager.Close(context.Background()) })
	cache, err := jcache.CreateCache(t.Context(), manager, "c", jcache.Options[string, string]{})
	if err != nil {
		t.Fatal(err)
	}
	keyOf := func(placement jcache.Placement) string {
		for i := range 1000 {
			if key := fmt.Sprint("key", i); cache.Placement(key) == placement {
				return key
			}
		}
		return ""
	}
	down := func(s *servers.Process) string {
		for _, one := range manager.Health().Servers {
			if one.Name == s.Addr {
				return one.Down
			}
		}
		return "it is not listed"
	}
	if key := keyOf(jcache.Unavailable); key != "" {
		t.Errorf("%s is unavailable, and all servers are up", key)
	}
	b.Kill()
	// Nobody calls: the probe finds it.
	eventually(t, "its end is noticed", func() bool { return down(b) == "nobody listens there" })
	if down(a) != "" || !manager.Health().Safe() {
		t.Errorf("the other server is down as well: %+v", manager.Health())
	}
	lost, kept := keyOf(jcache.Unavailable), keyOf(jcache.Anywhere)
	if err := cache.Put(t.Context(), lost, "x"); !errors.Is(err, jcache.ErrUnavailable) {
		t.Errorf("a put of an unavailable key is %v", err)
	}
	if err := cache.Put(t.Context(), kept, "x"); err != nil {
		t.Errorf("a put of another key is %v", err)
	}
	eventually(t, "a line tells of it", func() bool {
		return strings.Contains(log.String(), "a server of the provider is down\" provider=memcached server="+b.Addr)
	})
	if !strings.Contains(log.String(), "% of all, are unavailable") {
		t.Errorf("the line does not say what is affected:\n%s", log.String())
	}
	restart(t, b.Addr)
	eventually(t, "its return is noticed", func() bool { return down(b) == "" })
	if err := cache.Put(t.Context(), lost, "x"); err != nil {
		t.Errorf("after its return: %v", err)
	}
	eventually(t, "a line tells of its return", func() bool {
		return strings.Contains(log.String(), "a server of the provider is back\" provider=memcached server="+b.Addr)
	})
	if err := a.Pause(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "frozen: it is noticed", func() bool { return down(a) == "it does not answer" })
	if err := a.Resume(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "thawed: it is noticed", func() bool { return down(a) == "" })
}

// TestSharesOfServers: what is affected by the loss of a server is told as it is.
func TestSharesOfServers(t *testing.T) {
	a, b := servertest.Memcached(t), servertest.Memcached(t)
	p := connect(t, memcached.Options{Servers: addrs(a, b)})
	c := openCache(t, p, "shares")
	b.Kill()
	eventually(t, "it is noticed", func() bool {
		for _, s := range p.Health().Servers {
			if s.Down != "" {
				return true
			}
		}
		return false
	})
	unavailable := 0
	for i := range 10_000 {
		if c.(driver.Locality).Placement(fmt.Sprint("key", i)) == driver.Unavailable {
			unavailable++
		}
	}
	for _, s := range p.Health().Servers {
		var told float64
		if s.Down == "" {
			continue
		}
		if _, err := fmt.Sscanf(s.Affected, "the keys on it, %f %% of all", &told); err != nil {
			t.Fatalf("%q: %v", s.Affected, err)
		}
		if got := float64(unavailable) / 100; got < told-2 || got > told+2 {
			t.Errorf("%.0f %% of the keys are said to be affected, and %.1f %% are", told, got)
		}
	}
}
