package codec

import (
	"encoding/base64"
	"fmt"
	"math"
	"reflect"
	"strconv"
)

// Keys turns keys into the strings that drivers store, one to one.
// Strings and whole numbers stay readable, in the backend's own tools too; other
// types become the base64 of their tagged encoding.
type Keys[K comparable] struct {
	encode func(K) (string, error)
	decode func(string) (K, error)
}

// Encode returns the key as it is stored.
func (k Keys[K]) Encode(key K) (string, error) { return k.encode(key) }

// Decode returns the key that was encoded.
func (k Keys[K]) Decode(stored string) (K, error) { return k.decode(stored) }

// NewKeys returns the encoding of keys of type K. A type whose equal values cannot be
// told by what is stored of them matches ErrInvalid.
func NewKeys[K comparable]() (Keys[K], error) {
	if err := checkKeyType(reflect.TypeFor[K]()); err != nil {
		return Keys[K]{}, err
	}
	return keysOf[K](), nil
}

func keysOf[K comparable]() Keys[K] {
	t := reflect.TypeFor[K]()
	if t == reflect.TypeFor[string]() {
		return Keys[K]{
			encode: func(k K) (string, error) { return any(k).(string), nil },
			decode: func(s string) (K, error) { return any(s).(K), nil },
		}
	}
	if !hasOwnEncoding(t) {
		switch t.Kind() {
		case reflect.String:
			return Keys[K]{
				encode: func(k K) (string, error) { return reflect.ValueOf(k).String(), nil },
				decode: func(s string) (k K, _ error) {
					reflect.ValueOf(&k).Elem().SetString(s)
					return k, nil
				},
			}
		case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
			return Keys[K]{
				encode: func(k K) (string, error) { return strconv.FormatInt(reflect.ValueOf(k).Int(), 10), nil },
				decode: func(s string) (k K, _ error) {
					n, err := strconv.ParseInt(s, 10, t.Bits())
					if err != nil {
						return k, fmt.Errorf("%w: a key is not a %s", ErrUndecodable, t)
					}
					reflect.ValueOf(&k).Elem().SetInt(n)
					return k, nil
				},
			}
		case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
			return Keys[K]{
				encode: func(k K) (string, error) { return strconv.FormatUint(reflect.ValueOf(k).Uint(), 10), nil },
				decode: func(s string) (k K, _ error) {
					n, err := strconv.ParseUint(s, 10, t.Bits())
					if err != nil {
						return k, fmt.Errorf("%w: a key is not a %s", ErrUndecodable, t)
					}
					reflect.ValueOf(&k).Elem().SetUint(n)
					return k, nil
				},
			}
		}
	}
	return Keys[K]{encode: encodeOtherKey[K], decode: decodeOtherKey[K]}
}

// checkKeyType refuses types whose values are equal only if they are the same variable:
// what is stored of them would never be found again, or be found by a stranger.
func checkKeyType(t reflect.Type) error {
	switch kind := t.Kind(); {
	case kind == reflect.Pointer || kind == reflect.Chan || kind == reflect.UnsafePointer:
		return fmt.Errorf("%w: a key must not contain a %s; use the value that it stands for", ErrInvalid, kind)
	case hasOwnEncoding(t):
		return nil
	case kind == reflect.Array:
		return checkKeyType(t.Elem())
	case kind == reflect.Struct:
		for i := range t.NumField() {
			if err := checkKeyType(t.Field(i).Type); err != nil {
				return err
			}
		}
	}
	return nil
}

func encodeOtherKey[K comparable](k K) (string, error) {
	v := reflect.ValueOf(&k).Elem()
	if v.Kind() == reflect.Interface && !v.IsNil() {
		v = v.Elem()
		if err := checkKeyType(v.Type()); err != nil {
			return "", err
		}
	}
	if v.CanFloat() {
		switch {
		case math.IsNaN(v.Float()):
			return "", fmt.Errorf("%w: a key that is not a number equals nothing", ErrInvalid)
		case v.Float() == 0: // minus zero equals zero
			k = reflect.Zero(v.Type()).Interface().(K)
		}
	}
	data, err := Append(nil, k)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(data), nil
}

func decodeOtherKey[K comparable](s string) (k K, err error) {
	data, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return k, fmt.Errorf("%w: a key is not base64", ErrUndecodable)
	}
	return Decode[K](data)
}
