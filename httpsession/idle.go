package httpsession

import (
	"fmt"
	"math"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
)

// Forever is the idle time of a session that does not end for want of use.
const Forever time.Duration = math.MaxInt64

// longestIdle keeps deadlines within what every provider can count.
const longestIdle = 100 * 365 * 24 * time.Hour

// idleTime returns an idle time as it is stored, or an error if it makes no sense: zero or
// less could mean at once or never, and a product of large numbers may have overflown.
func idleTime(d time.Duration) (time.Duration, error) {
	if d == Forever {
		return d, nil
	}
	if d < time.Millisecond || d > longestIdle {
		return 0, fmt.Errorf("httpsession: %w: an idle time is 1ms to 100 years, or httpsession.Forever, not %v", jcache.ErrInvalid, d)
	}
	return (d + time.Millisecond - 1).Truncate(time.Millisecond), nil
}

// storedIdle is an idle time in a record, where zero is for ever.
func storedIdle(d time.Duration) time.Duration {
	if d == Forever {
		return 0
	}
	return d
}

// shownIdle is the inverse of storedIdle.
func shownIdle(d time.Duration) time.Duration {
	if d <= 0 {
		return Forever
	}
	return d
}
