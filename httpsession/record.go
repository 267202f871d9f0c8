package httpsession

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
)

// A record is a session as it is stored:
//
//	version      1 byte
//	state        1 byte: live, renewed or invalidated
//	created      8 bytes, microseconds since 1970
//	accessed     8 bytes, the same; of a session that has ended, when it did
//	maxInactive  8 bytes, milliseconds; not positive: for ever
//	chosen       8 bytes, when maxInactive was set; zero: at the beginning
//	attributes   see below
//
// Numbers are little-endian. A session that has ended leaves a record without
// attributes, a tombstone, so that whoever still holds its id learns that it is dead.
type record struct {
	state       state
	created     int64
	accessed    int64
	maxInactive time.Duration
	chosen      int64
	attributes  []byte // immutable
}

// A state is what became of a session. Where records are merged, the greater one wins.
type state byte

const (
	live state = iota
	renewed
	invalidated
)

const (
	formatVersion = 2
	fixedBytes    = 2 + 4*8
)

var errRecord = errors.New("damaged session record")

// codecID is the number of recordCodec among the codecs of jcache.
const codecID = 64

// recordCodec encodes records for jcache.
type recordCodec struct{}

func (recordCodec) ID() byte { return codecID }

func (recordCodec) Append(dst []byte, r record) ([]byte, error) { return r.append(dst), nil }

func (r *record) append(dst []byte) []byte {
	dst = append(dst, formatVersion, byte(r.state))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(r.created))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(r.accessed))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(r.maxInactive.Milliseconds()))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(r.chosen))
	return append(dst, r.attributes...)
}

// Decode keeps data, which is immutable as every stored record is. It checks the
// whole structure, so that reading attributes cannot fail later.
func (recordCodec) Decode(data []byte) (record, error) {
	if len(data) < fixedBytes || data[0] != formatVersion || data[1] > byte(invalidated) {
		return record{}, fmt.Errorf("%w: %w", jcache.ErrUndecodable, errRecord)
	}
	r := record{
		state:       state(data[1]),
		created:     int64(binary.LittleEndian.Uint64(data[2:])),
		accessed:    int64(binary.LittleEndian.Uint64(data[10:])),
		maxInactive: millis(int64(binary.LittleEndian.Uint64(data[18:]))),
		chosen:      int64(binary.LittleEndian.Uint64(data[26:])),
		attributes:  data[fixedBytes:],
	}
	if !wellFormed(r.attributes) {
		return record{}, fmt.Errorf("%w: %w", jcache.ErrUndecodable, errRecord)
	}
	return r, nil
}

// millis saturates where milliseconds do not fit a Duration.
func millis(n int64) time.Duration {
	const most = int64(1<<63-1) / int64(time.Millisecond)
	return time.Duration(max(-most, min(most, n))) * time.Millisecond
}

// now returns the time for changes of the record in microseconds: that of the clock, but
// later than every change before, so that a change wins over what it replaces although
// the clocks of two servers differ. It is a hybrid logical clock (Kulkarni et al., 2014).
func (r *record) now() int64 {
	latest := r.chosen
	for rest := r.attributes; len(rest) > 0; {
		latest = max(latest, stampIn(rest).time())
		_, _, end := measure(rest)
		rest = rest[end:]
	}
	return max(time.Now().UnixMicro(), latest+1)
}

// touchInterval is how much of the idle time may pass before a use is recorded.
func touchInterval(maxInactive time.Duration) time.Duration {
	return min(maxInactive/100, time.Minute)
}

// expiry is how long a record that was just used is kept.
func (r *record) expiry(now time.Time, lifetime time.Duration) jcache.Expiry {
	left := time.Duration(-1) // for ever
	if r.maxInactive > 0 {
		left = r.maxInactive + touchInterval(r.maxInactive)
	}
	if lifetime > 0 {
		if end := time.UnixMicro(r.created).Add(lifetime).Sub(now); left < 0 || end < left {
			left = max(0, end)
		}
	}
	if left < 0 {
		return jcache.Never()
	}
	return jcache.After(left)
}

// lastAccess is when the session was last recorded to be used; deadline is the
// record's own.
func (r *record) lastAccess(deadline time.Time) time.Time {
	accessed := time.UnixMicro(r.accessed)
	if r.maxInactive > 0 && !deadline.IsZero() {
		if t := deadline.Add(-r.maxInactive - touchInterval(r.maxInactive)); t.After(accessed) {
			return t
		}
	}
	return accessed
}

// over reports whether the session has lived as long as any may.
func (r *record) over(now time.Time, lifetime time.Duration) bool {
	return lifetime > 0 && !now.Before(time.UnixMicro(r.created).Add(lifetime))
}
