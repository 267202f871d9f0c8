package hazelcast_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/hazelcast"
)

// TestOutage breaks the only connection for a while.
func TestOutage(t *testing.T) {
	t.Parallel()
	const patience = 1500 * time.Millisecond
	p := startProxy(t, cluster(t).Addrs[0], nil)
	provider := connectThrough(t, p, hazelcast.Options{RequestTimeout: patience})
	c := openCache(t, provider, driver.CacheOptions{})
	put := func(limit time.Duration) (time.Duration, error) {
		start := time.Now()
		err := c.Put(limited(t, limit), "k", record("v"), time.Time{})
		return time.Since(start), err
	}
	_, err := put(time.Minute)
	must(t, err)

	p.outage(true)
	eventually(t, "the outage is noticed", func() bool {
		_, err := put(200 * time.Millisecond)
		return errors.Is(err, driver.ErrUnavailable) && !errors.Is(err, driver.ErrIndeterminate)
	})
	if h := provider.Health(); h.Ready() || !strings.Contains(h.Unready[0], "no connection to the cluster") {
		t.Errorf("during the outage its health is %+v", h)
	}
	// Whoever has time waits for the connection; …
	if _, err := put(time.Minute); !errors.Is(err, driver.ErrUnavailable) || errors.Is(err, driver.ErrIndeterminate) {
		t.Errorf("during the outage: %v", err)
	}
	// … when it has been gone for long, nobody does.
	for range 3 {
		if took, err := put(time.Minute); !errors.Is(err, driver.ErrUnavailable) || took > slow {
			t.Errorf("late in the outage: %v after %v", err, took)
		}
	}
	if _, _, err := c.Get(limited(t, time.Minute), "k"); !errors.Is(err, driver.ErrUnavailable) {
		t.Errorf("a read during the outage: %v", err)
	}

	p.outage(false)
	eventually(t, "it works again", func() bool { _, err := put(time.Second); return err == nil })
	eventually(t, "its health is good again", func() bool { return provider.Health().Safe() })

	// A connection that breaks and comes back costs time only, but for a write
	// that it broke under.
	p.outage(true)
	p.outage(false)
	if took, err := put(time.Minute); err != nil && !errors.Is(err, driver.ErrIndeterminate) {
		t.Errorf("a call that waited out an outage: %v after %v", err, took)
	}
}

// TestGapAfterAReconnect watches through a connection that breaks.
func TestGapAfterAReconnect(t *testing.T) {
	t.Parallel()
	p := startProxy(t, cluster(t).Addrs[0], nil)
	c := openCache(t, connectThrough(t, p, hazelcast.Options{}), driver.CacheOptions{})
	ctx := limited(t, time.Minute)
	var events notebook
	stop := watch(t, c, events.note)
	defer stop()
	must(t, c.Put(ctx, "before", record(""), time.Time{}))
	events.wait(t, "put before > ")
	p.outage(true)
	p.outage(false)
	eventsAgain(t, c, &events)
}

// eventsAgain expects a gap, and after it the events of new writes.
func eventsAgain(t *testing.T, c driver.Cache, events *notebook) {
	t.Helper()
	events.wait(t, "gap")
	before := len(events.read())
	eventually(t, "events come again", func() bool {
		_ = c.Put(limited(t, time.Second), "after", record(""), time.Time{}) // the trouble may not be over yet
		return slices.ContainsFunc(events.read()[before:], func(line string) bool { return line != "gap" })
	})
}

// TestStuckClientIsReplaced has the client connect again to a member that hangs. It would
// wait for the answer for ever.
func TestStuckClientIsReplaced(t *testing.T) {
	t.Parallel()
	p := startProxy(t, cluster(t).Addrs[0], nil)
	c := openCache(t, connectThrough(t, p, hazelcast.Options{}), driver.CacheOptions{})
	ctx := limited(t, time.Minute)
	must(t, c.Put(ctx, "k", record("v"), time.Time{}))
	var events notebook
	stop := watch(t, c, events.note)
	defer stop()

	p.silence(true)
	p.outage(true)
	p.outage(false)
	eventually(t, "the client connects again", func() bool { return p.silent() > 0 })
	p.silence(false)
	eventually(t, "it works again", func() bool {
		got, found, err := c.Get(limited(t, time.Second), "k")
		return err == nil && found && text(got.Record) == "v"
	})
	eventsAgain(t, c, &events)
	if v, err := mapOf(c).Get(ctx, "k"); v == nil || err != nil {
		t.Error("Unwrap returned the map of the former client", err)
	}
}
