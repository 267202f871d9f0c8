package gocache

import (
	"encoding/binary"
	"errors"
	"time"
)

// What the store holds of a record is
//
//	format     1 byte
//	stamp      8 bytes: microseconds since 1970 when it was written; different for any two writes of a provider
//	deadline   8 bytes: milliseconds since 1970; 0: never
//	record     the rest
const (
	envelopeFormat = 1
	envelopeBytes  = 1 + 8 + 8
)

// An envelope is a record as it is stored. The zero envelope is an absent key.
type envelope struct {
	stamp    int64
	deadline int64
	record   []byte
}

var errForeign = errors.New("what the store holds under the key was not written by this provider")

func (e envelope) bytes() []byte {
	b := make([]byte, 0, envelopeBytes+len(e.record))
	b = binary.LittleEndian.AppendUint64(append(b, envelopeFormat), uint64(e.stamp))
	b = binary.LittleEndian.AppendUint64(b, uint64(e.deadline))
	return append(b, e.record...)
}

func parseEnvelope(b []byte) (e envelope, err error) {
	if len(b) < envelopeBytes || b[0] != envelopeFormat {
		return e, errForeign
	}
	e.stamp = int64(binary.LittleEndian.Uint64(b[1:]))
	e.deadline = int64(binary.LittleEndian.Uint64(b[9:]))
	e.record = b[envelopeBytes:]
	return e, nil
}

func (e envelope) dead() bool { return e.deadline != 0 && time.Now().UnixMilli() >= e.deadline }
