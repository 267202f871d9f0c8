package hazelcast_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/internal/logtest"
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
		if got := log.String(); strings.Count(got, "\n") > 1 || (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s %v: %q, want %q", test.prefix, test.longest, got, test.want)
		}
	}
}
