package part

import (
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// A Version orders the writes of a key, across members and clusters: a hybrid
// logical clock (Kulkarni et al., 2014). From the high bits down: 42 bits of
// milliseconds since 2020, 12 bits of a counter, 10 bits of the member that made it.
// A version is greater than every one that its partition had before, even if the clock
// was set back. Zero is no version.
type Version uint64

const (
	counterShift = 10
	timeShift    = 22
	memberMask   = 1<<counterShift - 1
)

var versionEpoch = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()

// At returns the first version of a time.
func At(wall time.Time) Version {
	return Version(max(0, wall.UnixMilli()-versionEpoch)) << timeShift
}

// by returns v as a version that a member made.
func (v Version) by(self topology.ID) Version {
	return v&^memberMask | Version(self)&memberMask
}

// after returns the version of a write at a time by a member, greater than v.
func (v Version) after(wall time.Time, self topology.ID) Version {
	return max(At(wall), (v>>counterShift+1)<<counterShift).by(self)
}
