package codec

import "reflect"

// EncodeKey and DecodeKey are Keys for a type that is only known when the test runs.
func EncodeKey(key reflect.Value) ([]byte, error) {
	p, err := planFor(key.Type(), asKey)
	if err != nil {
		return nil, err
	}
	return p.encode(nil, key, 0)
}

func DecodeKey(data []byte, key reflect.Value) error {
	p, err := planFor(key.Type(), asKey)
	if err != nil {
		return err
	}
	rest, err := p.decode(data, key, 0)
	if err == nil && len(rest) > 0 {
		err = errDamaged
	}
	return err
}

// SetMaxBytes bounds the size of values for a test.
func SetMaxBytes(n int) (restore func()) {
	before := maxBytes
	maxBytes = n
	return func() { maxBytes = before }
}
