package jcache

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// A record is what a driver stores:
//
//	write id   8 bytes, random, different for any two writes
//	format     1 byte: version in the high half, flags in the low half
//	codec      1 byte: who encoded the value
//	deadline   8 bytes, milliseconds since 1970, only with flagDeadline; 0: never
//	value      the rest
//
// The deadline stands in the record unless the driver keeps deadlines itself, as
// those with driver.Toucher do.
const (
	recordVersion = 1 << 4
	versionMask   = 0xf0
	flagDeadline  = 1 << 0

	shortHeader = driver.WriteIDBytes + 2
	longHeader  = shortHeader + 8
)

// newWriteID returns an identifier that no other write has. It is never zero, the
// identifier of "no record".
func newWriteID() uint64 {
	for {
		if id := rand.Uint64(); id != 0 {
			return id
		}
	}
}

// appendHeader begins a record. Deadlines are in milliseconds since 1970.
func appendHeader(dst []byte, writeID uint64, codec byte, deadline int64, inRecord bool) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, writeID)
	if !inRecord {
		return append(dst, recordVersion, codec)
	}
	dst = append(dst, recordVersion|flagDeadline, codec)
	return binary.LittleEndian.AppendUint64(dst, uint64(deadline))
}

// observed is what a read showed of a key. The zero value is an absent key.
type observed struct {
	token    driver.Token
	writeID  uint64
	codec    byte
	deadline int64 // milliseconds since 1970; 0: never
	value    []byte
	live     bool // present and not expired when it was read
}

// observe takes the header off an item.
func observe(item driver.Item, now time.Time) (observed, error) {
	r := item.Record
	if len(r) < shortHeader {
		return observed{}, fmt.Errorf("%w: it has %d bytes, less than a header", ErrUndecodable, len(r))
	}
	format := r[driver.WriteIDBytes]
	if format&versionMask != recordVersion || format&^versionMask > flagDeadline {
		return observed{}, fmt.Errorf("%w: its format is %#x, which this version does not know", ErrUndecodable, format)
	}
	o := observed{
		token:   item.Token,
		writeID: binary.LittleEndian.Uint64(r),
		codec:   r[driver.WriteIDBytes+1],
		value:   r[shortHeader:],
	}
	if format&flagDeadline != 0 {
		if len(r) < longHeader {
			return observed{}, fmt.Errorf("%w: its deadline is cut off", ErrUndecodable)
		}
		o.deadline = int64(binary.LittleEndian.Uint64(r[shortHeader:]))
		o.value = r[longHeader:]
	} else if !item.Deadline.IsZero() {
		o.deadline = toMillis(item.Deadline)
	}
	o.live = o.deadline == 0 || now.UnixMilli() < o.deadline
	return o, nil
}

// toMillis rounds up, so that nothing expires early.
func toMillis(t time.Time) int64 {
	return t.Add(time.Millisecond - 1).UnixMilli()
}

// fromMillis returns the zero time for "never".
func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}
