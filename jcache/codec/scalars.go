package codec

import (
	"fmt"
	"math"
	"reflect"
	"unicode/utf8"
)

func encodeBool(dst []byte, v reflect.Value, _ int) ([]byte, error) {
	if v.Bool() {
		return append(dst, cborTrue), nil
	}
	return append(dst, cborFalse), nil
}

func decodeBool(data []byte, v reflect.Value, _ int) ([]byte, error) {
	h, rest, err := readValueHead(data)
	if err != nil {
		return nil, err
	}
	if h.first != cborFalse && h.first != cborTrue {
		return nil, not(h, v)
	}
	v.SetBool(h.first == cborTrue)
	return rest, nil
}

func encodeInt(dst []byte, v reflect.Value, _ int) ([]byte, error) {
	return appendInt(dst, v.Int()), nil
}

func encodeUint(dst []byte, v reflect.Value, _ int) ([]byte, error) {
	return appendHead(dst, majorUint, v.Uint()), nil
}

func decodeWhole(data []byte, v reflect.Value, _ int) ([]byte, error) {
	h, rest, err := readValueHead(data)
	if err != nil {
		return nil, err
	}
	switch {
	case h.major() == majorUint && v.CanUint() && !v.OverflowUint(h.n):
		v.SetUint(h.n)
	case h.major() == majorUint && v.CanInt() && h.n <= math.MaxInt64 && !v.OverflowInt(int64(h.n)):
		v.SetInt(int64(h.n))
	case h.major() == majorNegative && v.CanInt() && h.n <= math.MaxInt64 && !v.OverflowInt(^int64(h.n)):
		v.SetInt(^int64(h.n))
	default:
		return nil, not(h, v)
	}
	return rest, nil
}

func encodeFloat(dst []byte, v reflect.Value, _ int) ([]byte, error) {
	return appendFloat(dst, v.Float(), v.Kind()), nil
}

func appendFloat(dst []byte, f float64, kind reflect.Kind) []byte {
	if kind == reflect.Float32 {
		return appendFixed(dst, cborFloat32, uint64(math.Float32bits(float32(f))), 4)
	}
	return appendFixed(dst, cborFloat64, math.Float64bits(f), 8)
}

func appendFixed(dst []byte, first byte, bits uint64, size int) []byte {
	dst = append(dst, first)
	for i := size - 1; i >= 0; i-- {
		dst = append(dst, byte(bits>>(8*i)))
	}
	return dst
}

// encodeKeyFloat writes one zero, which minus zero equals, and refuses what equals nothing.
func encodeKeyFloat(dst []byte, v reflect.Value, _ int) ([]byte, error) {
	if math.IsNaN(v.Float()) {
		return nil, refuse("a key that is not a number equals nothing")
	}
	return appendFloat(dst, v.Float()+0, v.Kind()), nil
}

func decodeFloat(data []byte, v reflect.Value, _ int) ([]byte, error) {
	h, rest, err := readValueHead(data)
	if err != nil {
		return nil, err
	}
	switch {
	case h.first == cborFloat32:
		v.SetFloat(float64(math.Float32frombits(uint32(h.n))))
	case h.first == cborFloat64 && (v.Kind() == reflect.Float64 || fitsFloat32(math.Float64frombits(h.n))):
		v.SetFloat(math.Float64frombits(h.n))
	default:
		return nil, not(h, v)
	}
	return rest, nil
}

func encodeString(dst []byte, v reflect.Value, _ int) ([]byte, error) {
	return appendText(dst, v.String()), nil
}

func decodeString(data []byte, v reflect.Value, _ int) ([]byte, error) {
	h, rest, err := readValueHead(data)
	if err != nil {
		return nil, err
	}
	if !isText(h, rest) {
		return nil, not(h, v)
	}
	v.SetString(string(rest[:h.n]))
	return rest[h.n:], nil
}

// isText reports whether the item is one that appendText writes.
func isText(h head, rest []byte) bool {
	return h.major() == majorText || h.major() == majorBytes && !utf8.Valid(rest[:h.n])
}

// not says that an item is of another kind than the value it is read into.
func not(h head, v reflect.Value) error {
	return mismatch("what is stored is %s, not a %s", h.kind(), v.Type())
}

func (h head) kind() string {
	switch h.major() {
	case majorUint, majorNegative:
		return "a whole number, or too large a one"
	case majorBytes:
		return "bytes"
	case majorText:
		return "a text"
	case majorArray:
		return fmt.Sprintf("a list of %d", h.n)
	case majorMap:
		return "a map"
	}
	switch h.first {
	case cborNull:
		return "nil"
	case cborFalse, cborTrue:
		return "a truth value"
	case cborFloat32, cborFloat64:
		return "a float"
	}
	return "a value of a named type"
}
