package jcache

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// A processorCall is what a registered processor is told in another process:
//
//	flags   1 byte
//	write   8 bytes: the identifier of what the processor stores
//	limit   varint: the longest record, zero if there is no limit
//	policy  with flagPolicy: for create, access and update the kind of the answer,
//	        1 byte, and its duration in nanoseconds, varint
//	key     length as a varint, and that many bytes
//	args    the rest
type processorCall struct {
	inRecord bool
	writeID  uint64
	limit    int
	fixed    *fixedExpiry // or nil
	key      string       // as it is stored
	args     []byte
}

const (
	flagInRecord = 1 << iota
	flagPolicy
)

func (c *processorCall) append(b []byte) []byte {
	flags := byte(0)
	if c.inRecord {
		flags |= flagInRecord
	}
	if c.fixed != nil {
		flags |= flagPolicy
	}
	b = binary.LittleEndian.AppendUint64(append(b, flags), c.writeID)
	b = binary.AppendUvarint(b, uint64(c.limit))
	if c.fixed != nil {
		for _, e := range []Expiry{c.fixed.create, c.fixed.access, c.fixed.update} {
			b = binary.AppendVarint(append(b, byte(e.kind)), int64(e.d))
		}
	}
	b = append(binary.AppendUvarint(b, uint64(len(c.key))), c.key...)
	return append(b, c.args...)
}

var errCall = fmt.Errorf("%w: a call of a processor is damaged or of another version", ErrInvalid)

func parseCall(data []byte) (c processorCall, err error) {
	const head = 1 + driver.WriteIDBytes
	if len(data) < head || data[0]&^(flagInRecord|flagPolicy) != 0 {
		return c, errCall
	}
	flags, rest := data[0], data[head:]
	c.writeID = binary.LittleEndian.Uint64(data[1:])
	limit, n := binary.Uvarint(rest)
	if n <= 0 || int64(limit) < 0 {
		return c, errCall
	}
	c.inRecord, c.limit, rest = flags&flagInRecord != 0, int(limit), rest[n:]
	if flags&flagPolicy != 0 {
		c.fixed = &fixedExpiry{}
		for _, e := range []*Expiry{&c.fixed.create, &c.fixed.access, &c.fixed.update} {
			if len(rest) == 0 || expiryKind(rest[0]) > expiryAfter {
				return c, errCall
			}
			d, n := binary.Varint(rest[1:])
			if n <= 0 {
				return c, errCall
			}
			*e, rest = Expiry{expiryKind(rest[0]), time.Duration(d)}, rest[1+n:]
		}
	}
	size, n := binary.Uvarint(rest)
	if n <= 0 || size > uint64(len(rest)-n) {
		return c, errCall
	}
	end := n + int(size)
	c.key, c.args = string(rest[n:end]), rest[end:]
	return c, nil
}

// An answer is a byte that tells a result from a failure. The encoded result follows; or
// the sentinels that the error matches, a byte with a bit for each, and its text.
const (
	answerResult byte = iota
	answerFailure
)

// sentinels are the errors that a program can recognise although they come from another
// process. Their order is part of the format.
var sentinels = []error{ErrProcessor, ErrInvalid, ErrTypeMismatch, ErrUndecodable, ErrTooLarge, errors.ErrUnsupported, ErrPanic}

// maxFailureText bounds the text of an error that travels, in bytes.
const maxFailureText = 1024

func beginAnswer() []byte { return []byte{answerResult} }

func appendFailure(err error) []byte {
	text := err.Error()
	return append([]byte{answerFailure, matches(err)}, text[:min(len(text), maxFailureText)]...)
}

// matches returns a set with a bit for each sentinel that the error matches.
func matches(err error) (set byte) {
	for i, s := range sentinels {
		if errors.Is(err, s) {
			set |= 1 << i
		}
	}
	return set
}

// parseAnswer returns an encoded result, or the error that was answered.
func parseAnswer(b []byte) ([]byte, error) {
	switch {
	case len(b) > 0 && b[0] == answerResult:
		return b[1:], nil
	case len(b) > 1 && b[0] == answerFailure:
		return nil, newAnswered(string(b[2:]), b[1])
	}
	return nil, fmt.Errorf("%w: the processor's answer is damaged or of another version", ErrIndeterminate)
}

// An answeredError is an error that may come from another process: its text, and the
// sentinels that it matches.
type answeredError struct {
	text string
	is   []error
}

func newAnswered(text string, set byte) error {
	e := &answeredError{text: text}
	for i, s := range sentinels {
		if set&(1<<i) != 0 {
			e.is = append(e.is, s)
		}
	}
	return e
}

func (e *answeredError) Error() string   { return e.text }
func (e *answeredError) Unwrap() []error { return e.is }
