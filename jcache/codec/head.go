package codec

import (
	"encoding/binary"
	"math"
	"unicode/utf8"
)

// The parts of CBOR (RFC 8949) that are written: definite lengths, the shortest heads,
// entries of maps in the order of their encoded keys, floats as wide as their type.
const (
	majorUint byte = iota << 5
	majorNegative
	majorBytes
	majorText
	majorArray
	majorMap
	majorTag
	majorOther

	majorMask = 7 << 5

	cborFalse   = majorOther | 20
	cborTrue    = majorOther | 21
	cborNull    = majorOther | 22
	cborFloat32 = majorOther | 26
	cborFloat64 = majorOther | 27
)

// tagObject marks an array of a type's name and a value of that type; it is registered
// for that with IANA.
const tagObject = 27

func appendHead(dst []byte, major byte, n uint64) []byte {
	switch {
	case n < 24:
		return append(dst, major|byte(n))
	case n <= math.MaxUint8:
		return append(dst, major|24, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, major|25), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, major|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, major|27), n)
}

func appendInt(dst []byte, n int64) []byte {
	if n < 0 {
		return appendHead(dst, majorNegative, uint64(^n))
	}
	return appendHead(dst, majorUint, uint64(n))
}

// appendText writes bytes where a Go string is not the UTF-8 that text has to be.
func appendText(dst []byte, s string) []byte {
	if !utf8.ValidString(s) {
		return append(appendHead(dst, majorBytes, uint64(len(s))), s...)
	}
	return append(appendHead(dst, majorText, uint64(len(s))), s...)
}

// A head begins every item. Its number is an integer, a length, the number of elements
// or entries, a tag, or the bits of a float; of the other simple items it is nothing, and
// their first byte says all.
type head struct {
	first byte
	n     uint64
}

func (h head) major() byte { return h.first & majorMask }
func (h head) null() bool  { return h.first == cborNull }

var errDamaged error = &fault{kind: ErrUndecodable, why: "the value is damaged"}

// readHead takes a head off the data. A length or a number of elements that the data
// cannot have is an error.
func readHead(data []byte) (h head, rest []byte, err error) {
	if len(data) == 0 {
		return h, nil, errDamaged
	}
	h.first, rest = data[0], data[1:]
	short := h.first &^ majorMask
	switch {
	case short < 24:
		h.n = uint64(short)
	case short <= 27:
		size := 1 << (short - 24)
		if len(rest) < size {
			return h, nil, errDamaged
		}
		for _, b := range rest[:size] {
			h.n = h.n<<8 | uint64(b)
		}
		rest = rest[size:]
	default:
		return h, nil, errDamaged
	}
	left := uint64(len(rest))
	switch h.major() {
	case majorBytes, majorText, majorArray:
		if h.n > left {
			return h, nil, errDamaged
		}
	case majorMap:
		if h.n > left/2 {
			return h, nil, errDamaged
		}
	case majorOther:
		switch h.first {
		case cborFalse, cborTrue, cborNull, cborFloat32, cborFloat64:
		default:
			return h, nil, errDamaged
		}
	}
	return h, rest, nil
}

// readValueHead is readHead for a reader that knows the type of the value: the name of
// the one that it was written as is skipped.
func readValueHead(data []byte) (h head, rest []byte, err error) {
	if h, rest, err = readHead(data); err != nil || h.major() != majorTag {
		return h, rest, err
	}
	if _, rest, err = readName(h, rest); err != nil {
		return h, nil, err
	}
	if h, rest, err = readHead(rest); err == nil && h.major() == majorTag {
		err = errDamaged
	}
	return h, rest, err
}

// readName takes the name of a type off, after a tag's head.
func readName(tag head, data []byte) (name string, rest []byte, err error) {
	h, rest, err := readHead(data)
	if err != nil || tag.n != tagObject || h.first != majorArray|2 {
		return "", nil, errDamaged
	}
	if h, rest, err = readHead(rest); err != nil || h.major() != majorText {
		return "", nil, errDamaged
	}
	return string(rest[:h.n]), rest[h.n:], nil
}

// skip takes one item off, whatever is in it. It needs no stack, however deep that is.
func skip(data []byte) (rest []byte, err error) {
	for items := uint64(1); items > 0; items-- {
		var h head
		if h, data, err = readHead(data); err != nil {
			return nil, err
		}
		switch h.major() {
		case majorBytes, majorText:
			data = data[h.n:]
		case majorArray:
			items += h.n
		case majorMap:
			items += 2 * h.n
		case majorTag:
			items++
		}
	}
	return data, nil
}
