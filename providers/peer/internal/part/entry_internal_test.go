package part

import (
	"math"
	"testing"
	"time"
	"unsafe"
)

func TestEntryIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(entry{}); size > 64 {
		t.Errorf("an entry takes %d bytes, more than 64", size)
	}
}

// A deadline is about as far away as was asked for, however far that is, and however young
// the process: what lies beyond the range of time is at its end.
func TestDeadlinesOfAllLengths(t *testing.T) {
	const maxAge = time.Hour
	born := time.Date(2026, 1, 2, 3, 4, 5, 6789, time.UTC)
	for _, age := range []time.Duration{0, 1, time.Microsecond, time.Millisecond, maxSkew * time.Microsecond, time.Minute, maxAge} {
		for _, left := range []time.Duration{1, time.Millisecond, time.Second, time.Hour, 30 * 24 * time.Hour,
			math.MaxInt64 - maxAge, math.MaxInt64 - time.Minute, math.MaxInt64 - time.Second, math.MaxInt64 - 1, math.MaxInt64} {
			var e entry
			until := max(1, born.Add(age).Add(left).UnixMicro())
			e.setDeadline(int64(age), left, left, until, born.UnixMicro())
			want := deadline(int64(age), left)
			if off := time.Duration(e.deadline - want).Abs(); e.deadline <= 0 || off > time.Millisecond && want != math.MaxInt64 {
				t.Errorf("%v after %v: the deadline is %v, want about %v", left, age, time.Duration(e.deadline), time.Duration(want))
			}
			if want == math.MaxInt64 && time.Duration(want-e.deadline) > time.Second {
				t.Errorf("%v after %v: the deadline is %v, want the end of time", left, age, time.Duration(e.deadline))
			}
		}
	}
}
