package httpsession

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
)

// A record is a session as it is stored:
//
//	version      1 byte
//	state        1 byte: live, renewed or invalidated
//	created      8 bytes, microseconds since 1970
//	accessed     8 bytes, the same: when the last request came that changed it; of a session
//	             that has ended, when it did
//	stored       4 bytes, how many microseconds later its idle time began
//	maxInactive  8 bytes, milliseconds; not positive: for ever
//	chosen       8 bytes, when maxInactive was set; zero: at the beginning
//	origin       32 bytes, only in version 4: the hash in the first store key of a session whose
//	             id was renewed
//	attributes   see below; of a session that has ended: successors
//
// Numbers are little-endian. A session that has ended leaves a record without
// attributes, a tombstone, so that whoever still holds its id learns that it is dead. If its
// id was renewed, the tombstone has the store keys of its successors, each as the 32 bytes
// of the hash, in order. There is one, or several if a grid was split and its id renewed on
// both sides.
type record struct {
	state       state
	created     int64
	accessed    int64
	stored      int64
	maxInactive time.Duration
	chosen      int64
	origin      []byte // immutable; nil: not known, or its own
	attributes  []byte // immutable
	successors  []byte // immutable
}

// A state is what became of a session. Where records are merged, the greater one wins.
type state byte

const (
	live state = iota
	renewed
	invalidated
)

const (
	formatVersion = 3
	withOrigin    = 4
	fixedBytes    = 2 + 4*8 + 4
	originBytes   = sha256.Size
)

var errRecord = errors.New("damaged session record")

// codecID is the number of recordCodec among the codecs of jcache.
const codecID = 64

// recordCodec encodes records for jcache.
type recordCodec struct{}

func (recordCodec) ID() byte { return codecID }

func (recordCodec) Append(dst []byte, r record) ([]byte, error) { return r.append(dst), nil }

func (r *record) append(dst []byte) []byte {
	version := byte(formatVersion)
	if r.origin != nil {
		version = withOrigin
	}
	dst = append(dst, version, byte(r.state))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(r.created))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(r.accessed))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(min(max(0, r.stored-r.accessed), math.MaxUint32)))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(r.maxInactive.Milliseconds()))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(r.chosen))
	dst = append(dst, r.origin...)
	if r.state == live {
		return append(dst, r.attributes...)
	}
	return append(dst, r.successors...)
}

// Decode keeps data, which is immutable as every stored record is. It checks the
// whole structure, so that reading attributes cannot fail later.
func (recordCodec) Decode(data []byte) (record, error) {
	fixed := fixedBytes
	if len(data) > 0 && data[0] == withOrigin {
		fixed += originBytes
	}
	if len(data) < fixed || data[0] != formatVersion && data[0] != withOrigin || data[1] > byte(invalidated) {
		return record{}, fmt.Errorf("%w: %w", jcache.ErrUndecodable, errRecord)
	}
	r := record{
		state:       state(data[1]),
		created:     int64(binary.LittleEndian.Uint64(data[2:])),
		accessed:    int64(binary.LittleEndian.Uint64(data[10:])),
		maxInactive: millis(int64(binary.LittleEndian.Uint64(data[22:]))),
		chosen:      int64(binary.LittleEndian.Uint64(data[30:])),
	}
	r.stored = r.accessed + int64(binary.LittleEndian.Uint32(data[18:]))
	valid := false
	if fixed > fixedBytes {
		r.origin = data[fixedBytes:fixed]
	}
	if rest := data[fixed:]; r.state == live {
		r.attributes, valid = rest, wellFormed(rest)
	} else {
		r.successors, valid = rest, wellFormedSuccessors(rest)
	}
	if !valid {
		return record{}, fmt.Errorf("%w: %w", jcache.ErrUndecodable, errRecord)
	}
	return r, nil
}

// tombstone is what a session leaves that ends now.
func (r *record) tombstone(s state, successors []byte) record {
	now := time.Now().UnixMicro()
	return record{state: s, created: r.created, accessed: now, stored: now, origin: r.origin, successors: successors}
}

// millis saturates where milliseconds do not fit a Duration.
func millis(n int64) time.Duration {
	const most = int64(1<<63-1) / int64(time.Millisecond)
	return time.Duration(max(-most, min(most, n))) * time.Millisecond
}

// stampTime returns the time for changes of the record that are made now, in microseconds: now, but
// later than every change before, so that a change wins over what it replaces although
// the clocks of two servers differ. It is a hybrid logical clock (Kulkarni et al., 2014).
func (r *record) stampTime(now int64) int64 {
	latest := r.chosen
	for rest := r.attributes; len(rest) > 0; {
		latest = max(latest, stampIn(rest).time())
		_, _, end := measure(rest)
		rest = rest[end:]
	}
	return max(now, latest+1)
}

// touchInterval is how much of the idle time may pass before a use is recorded.
func touchInterval(maxInactive time.Duration) time.Duration {
	return min(maxInactive/100, time.Minute)
}

// expiry is how long a record is kept that was last used at some time.
func (r *record) expiry(used, now time.Time, lifetime time.Duration) jcache.Expiry {
	left := time.Duration(-1) // for ever
	if r.maxInactive > 0 {
		left = max(0, r.maxInactive+touchInterval(r.maxInactive)-max(0, now.Sub(used)))
	}
	if lifetime > 0 {
		if end := time.UnixMicro(r.created).Add(lifetime).Sub(now); left < 0 || end < left {
			left = max(0, end)
		}
	}
	if left < 0 {
		return jcache.ExpireNever()
	}
	return jcache.ExpireAfter(left)
}

// touched is when a use was last recorded by moving the record's deadline; ok is false if
// none was since the record was stored.
func (r *record) touched(deadline time.Time) (at time.Time, ok bool) {
	if r.maxInactive <= 0 || deadline.IsZero() {
		return time.Time{}, false
	}
	interval := touchInterval(r.maxInactive)
	at = deadline.Add(-r.maxInactive - interval)
	// The first deadline is the end of a millisecond, and was set a moment later.
	return at, at.Sub(time.UnixMicro(r.stored)) > max(interval/2, 2*time.Millisecond)
}

// lastAccess is when the session was last recorded to be used; deadline is the record's own.
func (r *record) lastAccess(deadline time.Time) time.Time {
	if at, ok := r.touched(deadline); ok {
		return at
	}
	return time.UnixMicro(r.accessed)
}

// idleSince is when the idle time began that deadline is the end of.
func (r *record) idleSince(deadline time.Time) time.Time {
	if at, ok := r.touched(deadline); ok {
		return at
	}
	return time.UnixMicro(r.stored)
}

// expired reports whether the session has reached the end of its idle time. deadline is the
// record's own, and zero if it is not known.
func (r *record) expired(deadline, now time.Time) bool {
	if deadline.IsZero() && r.maxInactive > 0 {
		deadline = time.UnixMicro(r.stored).Add(r.maxInactive + touchInterval(r.maxInactive))
	}
	return !deadline.IsZero() && !now.Before(deadline)
}

// over reports whether the session has lived as long as any may.
func (r *record) over(now time.Time, lifetime time.Duration) bool {
	return lifetime > 0 && !now.Before(time.UnixMicro(r.created).Add(lifetime))
}
