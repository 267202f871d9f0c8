package memcached

import (
	"math"
	"testing"
	"time"
)

func TestExpiration(t *testing.T) {
	now := time.Unix(1_800_000_000, 300_000_000)
	const day = 24 * time.Hour
	for _, test := range []struct {
		life time.Duration
		want int32
	}{
		{-time.Hour, 1},
		{0, 1},
		{time.Nanosecond, 2},
		{time.Second, 2},
		{time.Second + 1, 3},
		{30*day - 2*time.Second, maxRelative - 1},
		{30*day - time.Second, maxRelative},
		{30 * day, 1_800_000_000 + maxRelative + 2}, // the deadline rounded up is 1 s later
		{365 * day, 1_800_000_000 + 365*24*60*60 + 2},
		{30 * 365 * day, 0}, // 31 bits end in 2038
		{math.MaxInt64, 0},
	} {
		if got := expiration(now, now.Add(test.life)); got != test.want {
			t.Errorf("%v: %d, want %d", test.life, got, test.want)
		}
	}
	if got := expiration(now, time.Time{}); got != 0 {
		t.Errorf("no deadline: %d, want 0", got)
	}
}
