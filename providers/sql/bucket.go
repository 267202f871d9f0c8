package sql

import (
	"hash/fnv"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// buckets say from when on a row is looked at by the reaper: from its deadline, rounded up to a
// step. The column is indexed, and the deadline is not, so that touches of a row write the index once
// in a step.
type buckets struct{ step int64 } // milliseconds

const (
	shortestStep = time.Minute
	longestStep  = time.Hour
	usualStep    = 15 * time.Minute
)

func bucketsFor(opts driver.CacheOptions) buckets {
	step := usualStep
	if opts.LongestTTL > 0 {
		step = min(max(opts.LongestTTL/2, shortestStep), longestStep)
	}
	return buckets{step.Milliseconds()}
}

// of returns the bucket of a deadline, or nil if it is never. The steps of the keys are staggered,
// in every process alike, so that rows that are written at one time are not all on one page of the index.
func (b buckets) of(key string, deadline int64) any {
	if deadline == never {
		return nil
	}
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(key)) // never fails
	shift := int64(hash.Sum32()) % b.step
	return (deadline+shift+b.step-1)/b.step*b.step - shift
}
