package codec

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"time"
)

// Decode returns the value that Append encoded. It may be read as another type if nothing
// of it is lost: whole numbers as any type of whole number that can hold them, a float32
// as a float64, a value as a pointer to one, a struct as one that has some of its fields.
// Fields that the stored one does not have stay zero, and those that the type does not
// have are left out; see Unknown. Other mixtures of types match ErrTypeMismatch. The
// result shares no memory with data.
//
// As an interface, a value is read as the type that it was stored as, if that is a basic
// one or registered.
func Decode[V any](data []byte) (V, error) {
	var v V
	if decodeFast(data, &v) {
		return v, nil
	}
	return decodeSlow[V](data)
}

// decodeSlow has a variable of its own, so that that of Decode stays on the stack.
func decodeSlow[V any](data []byte) (V, error) {
	var v, zero V
	if err := decodeAny(data, &v); err != nil {
		return zero, err
	}
	return v, nil
}

func decodeInto(data []byte, target any) error {
	if decodeFast(data, target) {
		return nil
	}
	return decodeAny(data, target)
}

func decodeAny(data []byte, target any) error {
	if len(data) == 0 {
		return &fault{kind: ErrUndecodable, why: "the value is empty"}
	}
	return decodeOther(data[0], data[1:], reflect.ValueOf(target).Elem())
}

// decodeFast decodes the types that are read most, if they are stored as such, without
// reflection.
func decodeFast(data []byte, target any) bool {
	if len(data) == 0 {
		return false
	}
	tag, body := data[0], data[1:]
	switch t := target.(type) {
	case *bool:
		if (tag == tagTrue || tag == tagFalse) && len(body) == 0 {
			*t = tag == tagTrue
			return true
		}
	case *string:
		if tag == tagString {
			*t = string(body)
			return true
		}
	case *int:
		if n, ok := whole(tag, tagInt, body); ok && int64(int(n)) == n {
			*t = int(n)
			return true
		}
	case *int64:
		if n, ok := whole(tag, tagInt64, body); ok {
			*t = n
			return true
		}
	case *time.Duration:
		if n, ok := whole(tag, tagDuration, body); ok {
			*t = time.Duration(n)
			return true
		}
	case *float64:
		if tag == tagFloat64 && len(body) == 8 {
			*t = math.Float64frombits(binary.LittleEndian.Uint64(body))
			return true
		}
	case *[]byte:
		if tag == tagBytes {
			*t = append([]byte{}, body...)
			return true
		}
	case *time.Time:
		return tag == tagTime && t.UnmarshalBinary(body) == nil
	}
	return false
}

func whole(tag, want byte, body []byte) (int64, bool) {
	if tag != want {
		return 0, false
	}
	n, size := binary.Varint(body)
	return n, size > 0 && size == len(body)
}

func decodeOther(tag byte, body []byte, target reflect.Value) error {
	switch tag {
	case tagFormat:
		return decodeFormat(body, target)
	case tagTyped, tagDynamic:
		return decodeCBOR(tag, body, target)
	}
	v, err := decodeBasic(tag&^tagNamed, body)
	if err != nil {
		return err
	}
	if tag&tagNamed != 0 && target.Kind() == reflect.Interface {
		return mismatch(unregistered, target.Type())
	}
	if !assign(target, v) {
		return mismatch("the value is a %T, not a %s", v, target.Type())
	}
	return nil
}

const unregistered = "the value is of a type that is not registered, so that it cannot be read as a %s; read it as its own type, or see codec.RegisterType"

func decodeCBOR(tag byte, body []byte, target reflect.Value) error {
	if tag == tagTyped && target.Kind() == reflect.Interface {
		return mismatch(unregistered, target.Type())
	}
	p, err := planFor(target.Type(), asValue)
	if err != nil {
		return mismatch("a %s cannot be stored", target.Type())
	}
	rest, err := p.decode(body, target, 0)
	if err == nil && len(rest) > 0 {
		err = errDamaged
	}
	if err != nil {
		return within(target.Type(), err)
	}
	return nil
}

// decodeBasic returns a value of a basic type with the type it was encoded from.
func decodeBasic(tag byte, body []byte) (any, error) {
	damaged := &fault{kind: ErrUndecodable, why: fmt.Sprintf("the value with tag %d is damaged", tag)}
	switch tag {
	case tagNil, tagFalse, tagTrue:
		if len(body) != 0 {
			return nil, damaged
		}
		if tag == tagNil {
			return nil, nil
		}
		return tag == tagTrue, nil
	case tagInt, tagInt8, tagInt16, tagInt32, tagInt64, tagDuration:
		n, ok := whole(tag, tag, body)
		if v := signed(tag, n); ok && v != nil {
			return v, nil
		}
		return nil, damaged
	case tagUint, tagUint8, tagUint16, tagUint32, tagUint64:
		n, size := binary.Uvarint(body)
		if v := unsigned(tag, n); size > 0 && size == len(body) && v != nil {
			return v, nil
		}
		return nil, damaged
	case tagFloat32:
		if len(body) != 4 {
			return nil, damaged
		}
		return math.Float32frombits(binary.LittleEndian.Uint32(body)), nil
	case tagFloat64:
		if len(body) != 8 {
			return nil, damaged
		}
		return math.Float64frombits(binary.LittleEndian.Uint64(body)), nil
	case tagString:
		return string(body), nil
	case tagBytes:
		return append([]byte{}, body...), nil
	case tagTime:
		var t time.Time
		if t.UnmarshalBinary(body) != nil {
			return nil, damaged
		}
		return t, nil
	}
	return nil, &fault{kind: ErrUndecodable, why: fmt.Sprintf("the value's tag is %d, which this version does not know", tag)}
}

// signed returns nil where the number is too large for its type.
func signed(tag byte, n int64) any {
	switch {
	case tag == tagInt && int64(int(n)) == n:
		return int(n)
	case tag == tagInt8 && int64(int8(n)) == n:
		return int8(n)
	case tag == tagInt16 && int64(int16(n)) == n:
		return int16(n)
	case tag == tagInt32 && int64(int32(n)) == n:
		return int32(n)
	case tag == tagInt64, tag == tagInt: // an int of a machine with more bits
		return n
	case tag == tagDuration:
		return time.Duration(n)
	}
	return nil
}

func unsigned(tag byte, n uint64) any {
	switch {
	case tag == tagUint && uint64(uint(n)) == n:
		return uint(n)
	case tag == tagUint8 && uint64(uint8(n)) == n:
		return uint8(n)
	case tag == tagUint16 && uint64(uint16(n)) == n:
		return uint16(n)
	case tag == tagUint32 && uint64(uint32(n)) == n:
		return uint32(n)
	case tag == tagUint64, tag == tagUint:
		return n
	}
	return nil
}

// assign stores v in target if that loses nothing.
func assign(target reflect.Value, v any) bool {
	if v == nil {
		switch target.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface:
			target.SetZero()
			return true
		}
		return false
	}
	value := reflect.ValueOf(v)
	if value.Type().AssignableTo(target.Type()) {
		target.Set(value)
		return true
	}
	if target.Kind() == reflect.Pointer {
		p := reflect.New(target.Type().Elem())
		if !assign(p.Elem(), v) {
			return false
		}
		target.Set(p)
		return true
	}
	switch value.Kind() {
	case reflect.Bool:
		if target.Kind() == reflect.Bool {
			target.SetBool(value.Bool())
			return true
		}
	case reflect.String:
		if target.Kind() == reflect.String {
			target.SetString(value.String())
			return true
		}
	case reflect.Float32, reflect.Float64:
		if target.CanFloat() && (target.Kind() == reflect.Float64 || fitsFloat32(value.Float())) {
			target.SetFloat(value.Float())
			return true
		}
	case reflect.Slice:
		if target.Kind() == reflect.Slice && value.CanConvert(target.Type()) {
			target.Set(value.Convert(target.Type()))
			return true
		}
	default:
		return assignWhole(target, value)
	}
	return false
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
