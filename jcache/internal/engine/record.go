package engine

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/codec"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// What a driver stores is
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

// NewWriteID returns an identifier that no other write has. It is never zero, the
// identifier of "no record".
func NewWriteID() uint64 {
	for {
		if id := rand.Uint64(); id != 0 {
			return id
		}
	}
}

// AppendHeader begins a record. Deadlines are in milliseconds since 1970.
func AppendHeader(dst []byte, writeID uint64, codec byte, deadline int64, inRecord bool) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, writeID)
	if !inRecord {
		return append(dst, recordVersion, codec)
	}
	dst = append(dst, recordVersion|flagDeadline, codec)
	return binary.LittleEndian.AppendUint64(dst, uint64(deadline))
}

// HeaderBytes is the length of what precedes the value.
func HeaderBytes(inRecord bool) int {
	if inRecord {
		return longHeader
	}
	return shortHeader
}

// HoldsDeadline reports whether the deadline stands in a record, which Parse has read.
func HoldsDeadline(record []byte) bool { return record[driver.WriteIDBytes]&flagDeadline != 0 }

// A Record is what a read showed of a key. The zero value is an absent key.
type Record struct {
	Token    driver.Token
	WriteID  uint64
	Deadline int64 // milliseconds since 1970; 0: never
	Value    []byte
	Codec    byte
	Live     bool // present and not expired when it was read
}

// Parse takes the header off an item.
func Parse(item driver.Item) (seen Record, err error) {
	err = seen.parse(&item)
	return seen, err
}

// parse is Parse into a place of the caller's: records are too long to be copied often.
func (r *Record) parse(item *driver.Item) error {
	data := item.Record
	if len(data) < shortHeader {
		return fmt.Errorf("%w: it has %d bytes, less than a header", codec.ErrUndecodable, len(data))
	}
	format := data[driver.WriteIDBytes]
	if format&versionMask != recordVersion || format&^versionMask > flagDeadline {
		return fmt.Errorf("%w: its format is %#x, which this version does not know", codec.ErrUndecodable, format)
	}
	value, deadline := data[shortHeader:], int64(0)
	if format&flagDeadline != 0 {
		if len(data) < longHeader {
			return fmt.Errorf("%w: its deadline is cut off", codec.ErrUndecodable)
		}
		deadline = int64(binary.LittleEndian.Uint64(value))
		value = data[longHeader:]
	} else if !item.Deadline.IsZero() {
		deadline = Millis(item.Deadline)
	}
	*r = Record{
		Token:    item.Token,
		WriteID:  binary.LittleEndian.Uint64(data),
		Codec:    data[driver.WriteIDBytes+1],
		Deadline: deadline,
		Value:    value,
		Live:     true,
	}
	r.Age()
	return nil
}

// Age looks at the clock, for a record that was read before.
func (r *Record) Age() {
	if r.Deadline != 0 && r.Live {
		r.Live = time.Now().UnixMilli() < r.Deadline
	}
}

// Millis rounds up, so that nothing expires early.
func Millis(t time.Time) int64 {
	return t.Add(time.Millisecond - 1).UnixMilli()
}

// Time is the reverse of Millis. It returns the zero time for "never".
func Time(millis int64) time.Time {
	if millis == 0 {
		return time.Time{}
	}
	return time.UnixMilli(millis)
}
