package hazelcast

import "time"

// Members keep deadlines in whole seconds and drop an entry up to a second early. So
// what is sent is rounded up, and a second longer.
const (
	shortestTTL = 2 * time.Second
	// longestTTL is where records become eternal for the members. They count
	// seconds in 31 bits.
	longestTTL = 10 * 365 * 24 * time.Hour
	// eternal is the TTL of an entry that does not expire, whatever the map's
	// default is.
	eternal time.Duration = 0
)

// ttlFor returns the TTL to send with a record: never less than its life.
func ttlFor(deadline, now time.Time) time.Duration {
	if deadline.IsZero() || deadline.Sub(now) > longestTTL {
		return eternal
	}
	return max(ceilSeconds(deadline.Sub(now))+time.Second, shortestTTL)
}

func ceilSeconds(d time.Duration) time.Duration {
	return (d + time.Second - 1).Truncate(time.Second)
}

// physical is how long members keep the records that are written by a conditional
// replace. That request carries no TTL: the entry gets the map's default. A second
// request, SetTTL, can change it, but it is unconditional: it may come late and hit
// somebody else's record. So its TTL is one constant for the whole cache that is longer
// than the lives of its records, and never one record's own. A record that lives longer
// than the cache's bound all the same gets the constant doubled until it is enough.
type physical struct {
	byDefault time.Duration // the map's time-to-live-seconds; 0: entries are eternal
	constant  time.Duration // what SetTTL sets
	uneven    bool          // byDefault is not every member's
}

const (
	// margin keeps constant clear of the longest life.
	margin = time.Minute
	// unknownLife is the constant of a cache whose longest life is unknown.
	unknownLife = 30 * 24 * time.Hour
)

func newPhysical(byDefault, longestLife time.Duration) physical {
	f := physical{byDefault: byDefault, constant: unknownLife}
	if longestLife > 0 && longestLife <= longestTTL {
		f.constant = ceilSeconds(longestLife) + margin
	}
	return f
}

// holds reports whether an entry with this TTL outlives a record.
func holds(ttl time.Duration, deadline, now time.Time) bool {
	return !deadline.IsZero() && deadline.Sub(now) <= ttl-shortestTTL
}

// afterReplace returns the TTL that SetTTL must set after a replace, if it must.
func (f physical) afterReplace(deadline, now time.Time) (ttl time.Duration, needed bool) {
	if f.byDefault > 0 && !f.uneven && holds(f.byDefault, deadline, now) {
		return 0, false
	}
	for ttl := f.constant; ttl <= longestTTL; ttl *= 2 {
		if holds(ttl, deadline, now) {
			return ttl, true
		}
	}
	return eternal, f.byDefault > 0
}

// longest is how long after its deadline a record may stay readable, if it lives no longer than
// the cache's bound.
func (f physical) longest() time.Duration {
	return max(f.byDefault, f.constant, shortestTTL)
}
