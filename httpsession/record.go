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
//	state        1 byte: live, invalidated or renewed
//	created      8 bytes, microseconds since 1970
//	accessed     8 bytes, the same; of a session that has ended, when it did
//	maxInactive  8 bytes, milliseconds; not positive: for ever
//	attributes   each: length of name, name, length of value, value
//
// Lengths are varints; the other numbers are little-endian. Attributes stay
// encoded: they are decoded when a handler reads them, and copied as they are when
// others change. A session that has ended leaves a record without attributes, a
// tombstone, so that whoever still holds its id learns that it is dead.
type record struct {
	state       state
	created     int64
	accessed    int64
	maxInactive time.Duration
	attributes  []byte // immutable
}

type state byte

const (
	live state = iota
	invalidated
	renewed
)

const (
	formatVersion = 1
	fixedBytes    = 2 + 3*8
)

var errRecord = errors.New("damaged session record")

// recordCodec encodes records for jcache. 64 is its number among the codecs.
type recordCodec struct{}

func (recordCodec) ID() byte { return 64 }

func (recordCodec) Append(dst []byte, r record) ([]byte, error) {
	dst = append(dst, formatVersion, byte(r.state))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(r.created))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(r.accessed))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(r.maxInactive.Milliseconds()))
	return append(dst, r.attributes...), nil
}

// Decode keeps data, which is immutable as every stored record is. It checks the
// whole structure, so that reading attributes cannot fail later.
func (recordCodec) Decode(data []byte) (record, error) {
	if len(data) < fixedBytes || data[0] != formatVersion || data[1] > byte(renewed) {
		return record{}, fmt.Errorf("%w: %w", jcache.ErrUndecodable, errRecord)
	}
	r := record{
		state:       state(data[1]),
		created:     int64(binary.LittleEndian.Uint64(data[2:])),
		accessed:    int64(binary.LittleEndian.Uint64(data[10:])),
		maxInactive: millis(int64(binary.LittleEndian.Uint64(data[18:]))),
		attributes:  data[fixedBytes:],
	}
	for rest := r.attributes; len(rest) > 0; {
		var ok bool
		if _, _, rest, ok = nextAttribute(rest); !ok {
			return record{}, fmt.Errorf("%w: %w", jcache.ErrUndecodable, errRecord)
		}
	}
	return r, nil
}

// millis saturates where milliseconds do not fit a Duration.
func millis(n int64) time.Duration {
	const most = int64(1<<63-1) / int64(time.Millisecond)
	return time.Duration(max(-most, min(most, n))) * time.Millisecond
}

// nextAttribute takes the first attribute off an encoded list.
func nextAttribute(list []byte) (name, value, rest []byte, ok bool) {
	name, list, ok = cutBytes(list)
	if !ok {
		return nil, nil, nil, false
	}
	value, rest, ok = cutBytes(list)
	return name, value, rest, ok
}

// cutBytes takes a length and that many bytes off data.
func cutBytes(data []byte) (head, rest []byte, ok bool) {
	n, size := binary.Uvarint(data)
	if size <= 0 || n > uint64(len(data)-size) {
		return nil, nil, false
	}
	end := size + int(n)
	return data[size:end:end], data[end:], true
}

// attribute returns the encoded value of an attribute.
func (r *record) attribute(name string) ([]byte, bool) {
	for rest := r.attributes; len(rest) > 0; {
		var key, value []byte
		key, value, rest, _ = nextAttribute(rest)
		if string(key) == name {
			return value, true
		}
	}
	return nil, false
}

// names returns the names of the attributes.
func (r *record) names() []string {
	var names []string
	for rest := r.attributes; len(rest) > 0; {
		var key []byte
		key, _, rest, _ = nextAttribute(rest)
		names = append(names, string(key))
	}
	return names
}

// A change sets an attribute to an encoded value or, with a nil value, deletes it.
type change struct {
	name  string
	value []byte
}

// apply returns the attributes with changes, of which there is at most one for each
// name, and leaves r's own as they are.
func (r *record) apply(changes []change) []byte {
	size := len(r.attributes)
	for _, c := range changes {
		size += len(c.name) + len(c.value) + 2*binary.MaxVarintLen32
	}
	list := make([]byte, 0, size)
	for rest := r.attributes; len(rest) > 0; {
		before := rest
		var name []byte
		name, _, rest, _ = nextAttribute(rest)
		if findChange(changes, string(name)) == nil {
			list = append(list, before[:len(before)-len(rest)]...)
		}
	}
	for _, c := range changes {
		if c.value == nil {
			continue
		}
		list = binary.AppendUvarint(list, uint64(len(c.name)))
		list = append(list, c.name...)
		list = binary.AppendUvarint(list, uint64(len(c.value)))
		list = append(list, c.value...)
	}
	return list
}

func findChange(changes []change, name string) *change {
	for i := range changes {
		if changes[i].name == name {
			return &changes[i]
		}
	}
	return nil
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
