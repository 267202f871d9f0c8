package codec

import (
	"encoding/base64"
	"fmt"
	"reflect"
	"strconv"
)

// Keys turns keys of one type into the strings that drivers store: equal ones into the
// same string, and different ones into different strings. Strings and whole numbers stay
// readable, in the backend's own tools too; other types become base64.
type Keys[K comparable] struct {
	encode func(K) (string, error)
	decode func(string) (K, error)
}

// Encode returns the key as it is stored.
func (k Keys[K]) Encode(key K) (string, error) { return k.encode(key) }

// Decode returns the key that was encoded.
func (k Keys[K]) Decode(stored string) (K, error) { return k.decode(stored) }

// NewKeys returns the encoding of keys of type K: the basic types, and arrays and structs
// of such, whose fields must all be exported. Methods such as MarshalText play no part.
// Of types with fields that are not exported, time.Time, of UTC and without a reading of
// the monotonic clock, and the types of net/netip can be keys. Others match ErrInvalid,
// with the path to what cannot be a key. What is in a key of an interface type must be of
// such a type, too, and of a basic one or one of RegisterType.
func NewKeys[K comparable]() (Keys[K], error) {
	t := reflect.TypeFor[K]()
	switch t.Kind() {
	case reflect.String:
		return textKeys[K](t), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return Keys[K]{
			encode: func(k K) (string, error) { return strconv.FormatInt(reflect.ValueOf(k).Int(), 10), nil },
			decode: func(s string) (k K, _ error) {
				n, err := strconv.ParseInt(s, 10, t.Bits())
				if err != nil {
					return k, notKey(t)
				}
				reflect.ValueOf(&k).Elem().SetInt(n)
				return k, nil
			},
		}, nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return Keys[K]{
			encode: func(k K) (string, error) { return strconv.FormatUint(reflect.ValueOf(k).Uint(), 10), nil },
			decode: func(s string) (k K, _ error) {
				n, err := strconv.ParseUint(s, 10, t.Bits())
				if err != nil {
					return k, notKey(t)
				}
				reflect.ValueOf(&k).Elem().SetUint(n)
				return k, nil
			},
		}, nil
	}
	return otherKeys[K](t)
}

func textKeys[K comparable](t reflect.Type) Keys[K] {
	if t == stringType {
		return Keys[K]{
			encode: func(k K) (string, error) { return any(k).(string), nil },
			decode: func(s string) (K, error) { return any(s).(K), nil },
		}
	}
	return Keys[K]{
		encode: func(k K) (string, error) { return reflect.ValueOf(k).String(), nil },
		decode: func(s string) (k K, _ error) {
			reflect.ValueOf(&k).Elem().SetString(s)
			return k, nil
		},
	}
}

func otherKeys[K comparable](t reflect.Type) (Keys[K], error) {
	p, err := planFor(t, asKey)
	if err != nil {
		return Keys[K]{}, err
	}
	return Keys[K]{
		encode: func(k K) (string, error) {
			data, err := p.encode(nil, reflect.ValueOf(&k).Elem(), 0)
			if err != nil {
				return "", within(t, err)
			}
			return base64.RawURLEncoding.EncodeToString(data), nil
		},
		decode: func(s string) (k K, _ error) {
			data, err := base64.RawURLEncoding.DecodeString(s)
			if err != nil {
				return k, notKey(t)
			}
			rest, err := p.decode(data, reflect.ValueOf(&k).Elem(), 0)
			if err != nil || len(rest) > 0 {
				var zero K
				return zero, notKey(t)
			}
			return k, nil
		},
	}, nil
}

func notKey(t reflect.Type) error { return fmt.Errorf("%w: a key is not a %s", ErrUndecodable, t) }
