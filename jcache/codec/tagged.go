package codec

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"time"
)

// The first byte of an encoded value says what follows. Numbers are never reused.
const (
	tagNil byte = iota
	tagFalse
	tagTrue
	tagInt // signed numbers: zigzag varint
	tagInt8
	tagInt16
	tagInt32
	tagInt64
	tagUint // unsigned numbers: varint
	tagUint8
	tagUint16
	tagUint32
	tagUint64
	tagFloat32 // 4 bytes, little-endian
	tagFloat64 // 8 bytes, little-endian
	tagString
	tagBytes
	tagTime     // time.Time.MarshalBinary
	tagDuration // zigzag varint, nanoseconds
	tagCBOR
)

// Append appends the encoded value to dst. Any type will do that has a
// meaning in another process: the basic types, time.Time, and what CBOR can hold:
// structs (their exported fields), slices, arrays, maps, pointers, and types
// with MarshalBinary or MarshalCBOR. Functions and channels are refused, and so
// are structs that have only unexported fields, which would come back empty. A
// time.Time within another value must be of a year from 0 to 9999.
//
// Equal values give equal bytes, whatever the order of a map.
func Append(dst []byte, value any) ([]byte, error) {
	switch v := value.(type) {
	case nil:
		return append(dst, tagNil), nil
	case bool:
		if v {
			return append(dst, tagTrue), nil
		}
		return append(dst, tagFalse), nil
	case int:
		return binary.AppendVarint(append(dst, tagInt), int64(v)), nil
	case int8:
		return binary.AppendVarint(append(dst, tagInt8), int64(v)), nil
	case int16:
		return binary.AppendVarint(append(dst, tagInt16), int64(v)), nil
	case int32:
		return binary.AppendVarint(append(dst, tagInt32), int64(v)), nil
	case int64:
		return binary.AppendVarint(append(dst, tagInt64), v), nil
	case uint:
		return binary.AppendUvarint(append(dst, tagUint), uint64(v)), nil
	case uint8:
		return binary.AppendUvarint(append(dst, tagUint8), uint64(v)), nil
	case uint16:
		return binary.AppendUvarint(append(dst, tagUint16), uint64(v)), nil
	case uint32:
		return binary.AppendUvarint(append(dst, tagUint32), uint64(v)), nil
	case uint64:
		return binary.AppendUvarint(append(dst, tagUint64), v), nil
	case float32:
		return binary.LittleEndian.AppendUint32(append(dst, tagFloat32), math.Float32bits(v)), nil
	case float64:
		return binary.LittleEndian.AppendUint64(append(dst, tagFloat64), math.Float64bits(v)), nil
	case string:
		return append(append(dst, tagString), v...), nil
	case []byte:
		if v == nil {
			return append(dst, tagNil), nil
		}
		return append(append(dst, tagBytes), v...), nil
	case time.Time:
		data, err := v.MarshalBinary()
		return append(append(dst, tagTime), data...), err
	case time.Duration:
		return binary.AppendVarint(append(dst, tagDuration), int64(v)), nil
	}
	return appendOther(dst, value)
}

// appendOther encodes named types by their kind and leaves the rest to CBOR.
func appendOther(dst []byte, value any) ([]byte, error) {
	v := reflect.ValueOf(value)
	if hasOwnEncoding(v.Type()) {
		return appendCBOR(append(dst, tagCBOR), value)
	}
	switch v.Kind() {
	case reflect.Bool:
		return Append(dst, v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return Append(dst, v.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return Append(dst, v.Uint())
	case reflect.Float32, reflect.Float64:
		return Append(dst, v.Float())
	case reflect.String:
		return Append(dst, v.String())
	}
	return appendCBOR(append(dst, tagCBOR), value)
}

// Decode returns the value that Append encoded. Numbers may be read as
// another type of number if nothing is lost: whole numbers as any type of whole
// number that can hold them, a float32 as a float64. Other mixtures of types
// match ErrTypeMismatch. The result shares no memory with data.
func Decode[V any](data []byte) (V, error) {
	var v V
	err := decodeInto(data, &v)
	return v, err
}

func decodeInto(data []byte, target any) error {
	if len(data) == 0 {
		return fmt.Errorf("%w: the value is empty", ErrUndecodable)
	}
	tag, body := data[0], data[1:]
	switch t := target.(type) {
	case *string:
		if tag == tagString {
			*t = string(body)
			return nil
		}
	case *int:
		if tag == tagInt {
			n, size := binary.Varint(body)
			if size > 0 && size == len(body) && int64(int(n)) == n {
				*t = int(n)
				return nil
			}
		}
	case *any:
		v, err := decodeAny(tag, body)
		*t = v
		return err
	}
	if tag == tagCBOR {
		return decodeCBOR(body, target)
	}
	v, err := decodeAny(tag, body)
	if err != nil {
		return err
	}
	return assign(reflect.ValueOf(target).Elem(), v)
}

// decodeAny returns the value with the type it was encoded from. Values in CBOR
// become the types that stand for any of their kind, such as map[string]any.
func decodeAny(tag byte, body []byte) (any, error) {
	switch tag {
	case tagNil, tagFalse, tagTrue:
		if len(body) != 0 {
			return nil, damaged(tag)
		}
		if tag == tagNil {
			return nil, nil
		}
		return tag == tagTrue, nil
	case tagInt, tagInt8, tagInt16, tagInt32, tagInt64, tagDuration:
		n, size := binary.Varint(body)
		if size <= 0 || size != len(body) {
			return nil, damaged(tag)
		}
		return signed(tag, n)
	case tagUint, tagUint8, tagUint16, tagUint32, tagUint64:
		n, size := binary.Uvarint(body)
		if size <= 0 || size != len(body) {
			return nil, damaged(tag)
		}
		return unsigned(tag, n)
	case tagFloat32:
		if len(body) != 4 {
			return nil, damaged(tag)
		}
		return math.Float32frombits(binary.LittleEndian.Uint32(body)), nil
	case tagFloat64:
		if len(body) != 8 {
			return nil, damaged(tag)
		}
		return math.Float64frombits(binary.LittleEndian.Uint64(body)), nil
	case tagString:
		return string(body), nil
	case tagBytes:
		return append([]byte{}, body...), nil
	case tagTime:
		var t time.Time
		if t.UnmarshalBinary(body) != nil {
			return nil, damaged(tag)
		}
		return t, nil
	case tagCBOR:
		var v any
		err := decodeCBOR(body, &v)
		return v, err
	}
	return nil, fmt.Errorf("%w: the value's tag is %d, which this version does not know", ErrUndecodable, tag)
}

func signed(tag byte, n int64) (any, error) {
	switch {
	case tag == tagInt && int64(int(n)) == n:
		return int(n), nil
	case tag == tagInt8 && int64(int8(n)) == n:
		return int8(n), nil
	case tag == tagInt16 && int64(int16(n)) == n:
		return int16(n), nil
	case tag == tagInt32 && int64(int32(n)) == n:
		return int32(n), nil
	case tag == tagInt64, tag == tagInt: // an int of a machine with more bits
		return n, nil
	case tag == tagDuration:
		return time.Duration(n), nil
	}
	return nil, damaged(tag)
}

func unsigned(tag byte, n uint64) (any, error) {
	switch {
	case tag == tagUint && uint64(uint(n)) == n:
		return uint(n), nil
	case tag == tagUint8 && uint64(uint8(n)) == n:
		return uint8(n), nil
	case tag == tagUint16 && uint64(uint16(n)) == n:
		return uint16(n), nil
	case tag == tagUint32 && uint64(uint32(n)) == n:
		return uint32(n), nil
	case tag == tagUint64, tag == tagUint:
		return n, nil
	}
	return nil, damaged(tag)
}

func damaged(tag byte) error {
	return fmt.Errorf("%w: the value with tag %d is damaged", ErrUndecodable, tag)
}

// assign stores v in target if that loses nothing.
func assign(target reflect.Value, v any) error {
	mismatch := fmt.Errorf("%w: the value is a %T, not a %s", ErrTypeMismatch, v, target.Type())
	if v == nil {
		switch target.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface:
			target.SetZero()
			return nil
		}
		return mismatch
	}
	value := reflect.ValueOf(v)
	if value.Type().AssignableTo(target.Type()) {
		target.Set(value)
		return nil
	}
	if target.Kind() == reflect.Pointer {
		p := reflect.New(target.Type().Elem())
		if err := assign(p.Elem(), v); err != nil {
			return mismatch
		}
		target.Set(p)
		return nil
	}
	if hasOwnEncoding(target.Type()) {
		return mismatch
	}
	ok := false
	switch value.Kind() {
	case reflect.Bool:
		if ok = target.Kind() == reflect.Bool; ok {
			target.SetBool(value.Bool())
		}
	case reflect.String:
		if ok = target.Kind() == reflect.String; ok {
			target.SetString(value.String())
		}
	case reflect.Float32, reflect.Float64:
		if ok = target.CanFloat() && (target.Kind() == reflect.Float64 || fitsFloat32(value.Float())); ok {
			target.SetFloat(value.Float())
		}
	case reflect.Slice:
		if ok = value.CanConvert(target.Type()) && target.Kind() == reflect.Slice; ok {
			target.Set(value.Convert(target.Type()))
		}
	default:
		ok = assignWhole(target, value)
	}
	if !ok {
		return mismatch
	}
	return nil
}

func fitsFloat32(f float64) bool { return float64(float32(f)) == f || math.IsNaN(f) }

// assignWhole stores one type of whole number in another that can hold it.
func assignWhole(target, value reflect.Value) bool {
	switch {
	case value.CanInt() && target.CanInt():
		if target.OverflowInt(value.Int()) {
			return false
		}
		target.SetInt(value.Int())
	case value.CanInt() && target.CanUint():
		if value.Int() < 0 || target.OverflowUint(uint64(value.Int())) {
			return false
		}
		target.SetUint(uint64(value.Int()))
	case value.CanUint() && target.CanUint():
		if target.OverflowUint(value.Uint()) {
			return false
		}
		target.SetUint(value.Uint())
	case value.CanUint() && target.CanInt():
		if value.Uint() > math.MaxInt64 || target.OverflowInt(int64(value.Uint())) {
			return false
		}
		target.SetInt(int64(value.Uint()))
	default:
		return false
	}
	return true
}
