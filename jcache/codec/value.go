package codec

import (
	"encoding/binary"
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
	_           // was CBOR of another dialect
	tagTyped    // CBOR; whoever reads it knows the type
	tagDynamic  // CBOR, which says what type it is of; see appendDynamic
	tagFormat   // the ID of a Format, and what that wrote

	// tagNamed is added to the tag of a value whose type is not the basic one.
	tagNamed = 0x80
)

// Append appends the encoded value to dst. What it accepts, Decode gives back equal, as
// reflect.DeepEqual says, but for two things of times, which lose the name of their zone
// and their reading of the monotonic clock, and for not-a-number, which equals nothing.
//
// The basic types, strings, bytes, time.Time, and slices, arrays, maps and pointers of
// anything that can be stored are stored as they are, nil or not. So are structs whose
// fields are exported, under the fields' Go names or those of the tag `keepsake:"name"`;
// the tag `keepsake:"-"` leaves a field out. Fields that are not exported must be zero.
// Other types need a pair of methods: MarshalCBOR, MarshalBinary, GobEncode, MarshalText
// or MarshalJSON, and its counterpart, which is called at once to see that nothing is
// lost; a method Equal or Cmp can say what is. What is within an interface needs
// RegisterType, if it is not of a basic type.
//
// The rest matches ErrInvalid, with the path to what cannot be stored: functions,
// channels, complex numbers, values that contain themselves, have more than 10,000
// levels, or more than 1 GiB. Pointers to the same variable come back as pointers to copies of it.
//
// Equal values give equal bytes, whatever the order of a map.
func Append(dst []byte, value any) ([]byte, error) {
	switch v := value.(type) {
	case nil:
		return append(dst, tagNil), nil
	case bool:
		return appendBool(dst, 0, v), nil
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
		if v != nil {
			return append(append(dst, tagBytes), v...), nil
		}
	case time.Time:
		if dst, err := v.AppendBinary(append(dst, tagTime)); err == nil {
			return dst, nil
		}
		return nil, refuse(farZone)
	case time.Duration:
		return binary.AppendVarint(append(dst, tagDuration), int64(v)), nil
	}
	return appendOther(dst, value)
}

func appendBool(dst []byte, named byte, v bool) []byte {
	if v {
		return append(dst, tagTrue|named)
	}
	return append(dst, tagFalse|named)
}

// appendOther writes values with a name for their type with that, others of basic kinds as
// the basic type, and the rest for readers who know the type.
func appendOther(dst []byte, value any) ([]byte, error) {
	v := reflect.ValueOf(value)
	t := v.Type()
	if nameOf(t) != "" {
		return appendNamed(dst, v)
	}
	switch t.Kind() {
	case reflect.Bool:
		return appendBool(dst, tagNamed, v.Bool()), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return binary.AppendVarint(append(dst, tagNamed|tagInt64), v.Int()), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return binary.AppendUvarint(append(dst, tagNamed|tagUint64), v.Uint()), nil
	case reflect.Float32, reflect.Float64:
		return binary.LittleEndian.AppendUint64(append(dst, tagNamed|tagFloat64), math.Float64bits(v.Float())), nil
	case reflect.String:
		return append(append(dst, tagNamed|tagString), v.String()...), nil
	}
	p, err := planFor(t, asValue)
	if err != nil {
		return nil, err
	}
	if dst, err = p.encode(append(dst, tagTyped), v, 0); err != nil {
		return nil, within(t, err)
	}
	return dst, nil
}

func appendNamed(dst []byte, v reflect.Value) ([]byte, error) {
	return appendDynamic(append(dst, tagDynamic), v, 0, asValue)
}

// appendInterface is Append for readers who know no more than an interface.
func appendInterface(dst []byte, value any) ([]byte, error) {
	if value != nil {
		if v := reflect.ValueOf(value); nameOf(v.Type()) == "" {
			return appendNamed(dst, v)
		}
	}
	return Append(dst, value)
}
