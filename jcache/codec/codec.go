// Package codec turns keys and values into bytes and back. What it accepts comes back
// equal, and different keys are different bytes; what it cannot keep is refused with the
// path to it.
//
// It belongs to package jcache, which has everything that most programs need of it.
package codec

import "reflect"

// A Codec turns values into bytes and back. Its methods may be called by many
// goroutines at once.
type Codec[V any] interface {
	// ID tells records of different codecs apart. Codecs of applications
	// use 128 to 255.
	ID() byte
	// Append appends the encoded value to dst.
	Append(dst []byte, value V) ([]byte, error)
	// Decode returns the value. It must not change data but may keep it.
	Decode(data []byte) (V, error)
}

// The identifiers of the codecs in this package.
const (
	IDTagged byte = iota + 1 // of Tagged
	IDJSON                   // of JSON
	IDGob                    // of Gob
)

// Tagged is the default codec, "cbor" in configurations: values of Go's basic types in a
// compact binary form, all others in deterministic CBOR (RFC 8949). Types need no
// registration but within interfaces. See Append for what it can hold.
func Tagged[V any]() Codec[V] {
	return taggedCodec[V]{reflect.TypeFor[V]().Kind() == reflect.Interface}
}

type taggedCodec[V any] struct{ dynamic bool }

func (taggedCodec[V]) ID() byte { return IDTagged }

func (c taggedCodec[V]) Append(dst []byte, value V) ([]byte, error) {
	if c.dynamic {
		return appendInterface(dst, value)
	}
	return Append(dst, value)
}

func (taggedCodec[V]) Decode(data []byte) (V, error) { return Decode[V](data) }

// JSON encodes values as encoding/json does, for readers in other languages. Each value
// is read again at once, and refused if it is not what it was: JSON knows no integers
// within interfaces, no text that is not UTF-8, no fields with the tag `json:"-"`.
func JSON[V any]() Codec[V] { return Of[V](jsonFormat{}) }

// Gob encodes values as encoding/gob does: slow, but it keeps the types behind
// interface values that were registered with gob.Register. Each value is read again at
// once, and refused if it is not what it was: gob takes an empty list within a struct for
// a nil one, and a pointer to zero for nil.
func Gob[V any]() Codec[V] { return Of[V](gobFormat{}) }

// Of returns the codec of a format for values of one type.
func Of[V any](f Format) Codec[V] {
	if f.ID() == IDTagged {
		return Tagged[V]()
	}
	return formatCodec[V]{f}
}

type formatCodec[V any] struct{ format Format }

func (c formatCodec[V]) ID() byte { return c.format.ID() }

func (c formatCodec[V]) Append(dst []byte, value V) ([]byte, error) {
	return c.format.Append(dst, &value)
}

func (c formatCodec[V]) Decode(data []byte) (V, error) {
	var v V
	if err := c.format.Decode(data, &v); err != nil {
		var zero V
		return zero, err
	}
	return v, nil
}
