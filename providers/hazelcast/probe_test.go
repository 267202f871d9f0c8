package hazelcast_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/internal/logtest"
	"github.com/keepsake-cache/keepsake/internal/servers"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/hazelcast"
)

func TestMapsThatLoseRecordsAreRefused(t *testing.T) {
	t.Parallel()
	for prefix, setting := range map[string]string{"idle.": "max-idle-seconds", "object.": "<in-memory-format>BINARY"} {
		p := connect(t, hazelcast.Options{MapPrefix: prefix})
		_, err := p.OpenCache(limited(t, time.Minute), "refused", driver.CacheOptions{})
		if !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), setting) || !strings.Contains(err.Error(), prefix+"refused") {
			t.Errorf("%s: %v", prefix, err)
		}
	}
}

// TestEachMemberIsProbed opens maps that one of two members has another configuration for.
func TestEachMemberIsProbed(t *testing.T) {
	t.Parallel()
	ctx := limited(t, time.Minute)
	for prefix, setting := range map[string]string{"odd.idle.": "max-idle-seconds", "odd.object.": "<in-memory-format>BINARY"} {
		p := connect(t, hazelcast.Options{MapPrefix: prefix})
		for n := range 12 {
			if _, err := p.OpenCache(ctx, fmt.Sprint("refused", n), driver.CacheOptions{}); !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), setting) {
				t.Errorf("%s: %v", prefix, err)
			}
		}
	}
	var log logtest.Log
	p := connect(t, hazelcast.Options{MapPrefix: "odd.ttl.", Logger: slog.New(slog.NewTextHandler(&log, nil))})
	outlives(t, openCache(t, p, driver.CacheOptions{LongestTTL: time.Hour}))
	if got := log.String(); !strings.Contains(got, "the members have different configurations") {
		t.Errorf("the log is %q", got)
	}
}

// outlives replaces records of an hour and expects them to outlive a time-to-live-seconds of 3.
func outlives(t *testing.T, c driver.Cache) {
	t.Helper()
	var records []watched
	for n := range 40 {
		key := fmt.Sprint(n)
		must(t, replace(t, c, key, in(time.Hour)))
		records = append(records, watched{c, key, in(5 * time.Second)})
	}
	alive(t, records)
}

// joinOdd lets a member join that has other configurations for maps which are open.
func joinOdd(t *testing.T, cluster *servers.HazelcastCluster) {
	var log logtest.Log
	ctx := limited(t, 2*time.Minute)
	cluster.Member(1).Kill()
	must(t, cluster.Await(ctx, 1))
	open := func(prefix string) (*hazelcast.Provider, driver.Cache) {
		p := connect(t, hazelcast.Options{MapPrefix: prefix, Servers: cluster.Addrs, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		return p, openCache(t, p, driver.CacheOptions{LongestTTL: time.Hour})
	}
	_, c := open("odd.ttl.")
	idle, _ := open("odd.idle.")
	object, _ := open("odd.object.")
	must(t, cluster.Restart(1))
	must(t, cluster.Await(ctx, 2))
	for p, why := range map[*hazelcast.Provider]string{idle: "max-idle-seconds", object: "in-memory-format"} {
		eventually(t, "its health says that "+why+" is wrong", func() bool {
			h := p.Health()
			return h.Ready() && len(h.Unsafe) == 1 && strings.Contains(h.Unsafe[0], why)
		})
	}
	eventually(t, "the shorter life is known", func() bool { return strings.Contains(log.String(), "the members have different configurations") })
	outlives(t, c)
	if n := strings.Count(log.String(), "a member that has joined is configured otherwise"); n != 2 {
		t.Errorf("%d lines for two maps: %s", n, log.String())
	}
}

func TestProbeLeavesNothing(t *testing.T) {
	t.Parallel()
	p := connect(t, hazelcast.Options{})
	c := openCache(t, p, driver.CacheOptions{})
	if n, err := c.(driver.Sizer).Size(limited(t, time.Minute)); n != 0 || err != nil {
		t.Errorf("%d entries, %v", n, err)
	}
	// A probe that a crash left behind is not shown.
	must(t, mapOf(c).Set(limited(t, time.Minute), "\x00keepsake.probe.0", []byte("before")))
	for item, err := range c.(driver.Scanner).Scan(limited(t, time.Minute)) {
		t.Errorf("scanned %q, %v", item.Key, err)
	}
}

func TestSlowMapsAreReportedOnce(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		prefix  string
		longest time.Duration
		want    string // "" for no warning
	}{
		{recommended, time.Hour, ""},
		{recommended, 0, ""},
		{recommended, 2*time.Hour - time.Second, "raise it"},
		{none, time.Hour, "has no time-to-live-seconds"},
		{none, 0, "has no time-to-live-seconds"}, // when it was seen what a write costs
	} {
		var log logtest.Log
		p := connect(t, hazelcast.Options{MapPrefix: test.prefix, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))})
		c := openCache(t, p, driver.CacheOptions{LongestTTL: test.longest})
		must(t, replace(t, c, "k", in(time.Minute)))
		must(t, replace(t, c, "k", in(time.Minute)))
		got := log.String()
		if n := strings.Count(got, "second round trip"); n > 1 || (n > 0) != (test.want != "") || !strings.Contains(got, test.want) {
			t.Errorf("%s %v: %q, want %q", test.prefix, test.longest, got, test.want)
		}
		if n := strings.Count(got, "per-entry-stats-enabled"); n != map[string]int{none: 1}[test.prefix] {
			t.Errorf("%s: %d lines about updates after a split: %s", test.prefix, n, got)
		}
	}
}
