package sql

import (
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// TestBuckets: a bucket is never before its deadline, and less than a step after it; and touches
// within a step leave it as it is.
func TestBuckets(t *testing.T) {
	b := bucketsFor(driver.CacheOptions{LongestTTL: 30 * time.Minute})
	if b.step != (15 * time.Minute).Milliseconds() {
		t.Errorf("the step is %d ms", b.step)
	}
	for _, key := range []string{"a", "b", "another"} {
		changes, last := 0, int64(0)
		for d := int64(1_800_000_000_000); d < 1_800_000_000_000+10*b.step; d += 997 {
			bucket := b.of(key, d).(int64)
			if bucket < d || bucket >= d+b.step {
				t.Fatalf("the bucket of %d is %d", d, bucket)
			}
			if bucket != last {
				changes, last = changes+1, bucket
			}
		}
		if changes > 11 {
			t.Errorf("the bucket changed %d times in 10 steps", changes)
		}
	}
	if b.of("a", never) != nil {
		t.Error("what does not expire has a bucket")
	}
}

// TestClock: a difference is measured unless it may be due to the network, or is small.
func TestClock(t *testing.T) {
	start := time.UnixMilli(1_800_000_000_000)
	for _, test := range []struct {
		trip, ahead, want time.Duration
	}{
		{time.Millisecond, 0, 0},
		{time.Millisecond, 900 * time.Millisecond, 0},
		{time.Millisecond, -time.Minute, -time.Minute},
		{4 * time.Second, 2 * time.Second, 0},
		{4 * time.Second, time.Hour, time.Hour},
	} {
		var c clock
		c.measure(start, start.Add(test.trip), start.Add(test.trip/2+test.ahead).UnixMilli())
		if got := c.difference().Round(10 * time.Millisecond); got != test.want {
			t.Errorf("a trip of %v, %v ahead: %v, want %v", test.trip, test.ahead, got, test.want)
		}
		deadline := time.UnixMilli(1_800_000_123_456)
		if got := c.load(c.store(deadline)); !got.Equal(deadline) {
			t.Errorf("%v came back as %v", deadline, got)
		}
	}
	var c clock
	if !c.load(c.store(time.Time{})).IsZero() {
		t.Error("no deadline came back as one")
	}
}
