package memcached

import (
	"math"
	"time"
)

// maxRelative is the longest expiry that memcached takes as a number of seconds
// from now; a larger number is a time since 1970.
const maxRelative = 30 * 24 * 60 * 60

// expiryStep is how late an item may go: one second for the rounding up, one for
// the slack, and one for the server's clock, which ticks once a second.
const expiryStep = 3 * time.Second

// expiration is the protocol's expiry for a deadline, an upper bound: memcached drops
// items up to a second before their time, hence a second more than the deadline
// rounded up. Zero: never, also for deadlines that its 31 bits cannot hold.
func expiration(now, deadline time.Time) int32 {
	if deadline.IsZero() {
		return 0
	}
	seconds := ceilSeconds(deadline.Sub(now)) + 1
	if seconds > maxRelative {
		seconds = deadline.Unix() + 2 // at least the deadline rounded up, and 1
	}
	if seconds > math.MaxInt32 {
		return 0
	}
	return int32(max(1, seconds))
}

func ceilSeconds(d time.Duration) int64 {
	seconds := int64(d / time.Second)
	if d%time.Second > 0 {
		seconds++
	}
	return seconds
}
