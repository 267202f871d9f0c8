package codec

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"sync"

	"github.com/fxamacker/cbor/v2"
)

// The CBOR dialect: deterministic on the way out. On the way in, the decoder checks
// that all elements are there before it makes room for them, so the number of
// elements needs no other bound.
var (
	cborEncoding = must(func() (cbor.EncMode, error) {
		o := cbor.CoreDetEncOptions()
		o.Time = cbor.TimeRFC3339Nano
		o.TimeTag = cbor.EncTagRequired
		return o.EncMode()
	})
	cborDecoding = must(cbor.DecOptions{
		DupMapKey:        cbor.DupMapKeyEnforcedAPF,
		DefaultMapType:   reflect.TypeFor[map[string]any](),
		IntDec:           cbor.IntDecConvertSignedOrBigInt,
		UTF8:             cbor.UTF8DecodeInvalid, // the encoder writes any Go string
		MaxNestedLevels:  1000,
		MaxArrayElements: math.MaxInt32,
		MaxMapPairs:      math.MaxInt32,
	}.DecMode)
)

// must is for options that are constants of this package.
func must[T any](build func() (T, error)) T {
	mode, err := build()
	if err != nil {
		panic("codec: CBOR options: " + err.Error())
	}
	return mode
}

func appendCBOR(dst []byte, value any) ([]byte, error) {
	if t := reflect.TypeOf(value); losesEverything(t) {
		return nil, fmt.Errorf("%w: a %s has no exported fields and no MarshalBinary; nothing of it would be stored", ErrInvalid, t)
	}
	data, err := cborEncoding.Marshal(value)
	if err != nil {
		return nil, unencodable("CBOR", value, err)
	}
	return append(dst, data...), nil
}

func decodeCBOR(data []byte, target any) error {
	err := cborDecoding.Unmarshal(data, target)
	if err == nil {
		return nil
	}
	if _, ok := err.(*cbor.UnmarshalTypeError); ok { //nolint:errorlint // cbor returns it bare
		return fmt.Errorf("%w: the value is not a %s", ErrTypeMismatch, reflect.TypeOf(target).Elem())
	}
	return undecodable("CBOR", err)
}

var opaqueTypes sync.Map // reflect.Type -> bool

// losesEverything reports whether t is a struct of which CBOR would store
// nothing.
func losesEverything(t reflect.Type) bool {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t.NumField() == 0 {
		return false
	}
	if known, ok := opaqueTypes.Load(t); ok {
		return known.(bool)
	}
	opaque := !hasOwnEncoding(t)
	for i := 0; opaque && i < t.NumField(); i++ {
		opaque = !t.Field(i).IsExported() && !t.Field(i).Anonymous
	}
	opaqueTypes.Store(t, opaque)
	return opaque
}

var ownEncodings = []reflect.Type{
	reflect.TypeFor[cbor.Marshaler](),
	reflect.TypeFor[encoding.BinaryMarshaler](),
}

// hasOwnEncoding reports whether a value of type t says itself how it is encoded.
func hasOwnEncoding(t reflect.Type) bool {
	for _, i := range ownEncodings {
		if t.Implements(i) || reflect.PointerTo(t).Implements(i) {
			return true
		}
	}
	return t.PkgPath() == "math/big"
}
