// Package codec turns keys and values into bytes and back. What it accepts comes back
// equal, and different keys are different bytes.
//
// It belongs to package jcache, which has everything that most programs need of it.
package codec

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"fmt"
)

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

// Tagged is the default codec: values of Go's basic types in a compact binary
// form, all others in deterministic CBOR (RFC 8949, section 4.2). Types need no
// registration. See Append for what it can hold.
func Tagged[V any]() Codec[V] { return taggedCodec[V]{} }

type taggedCodec[V any] struct{}

func (taggedCodec[V]) ID() byte { return IDTagged }

func (taggedCodec[V]) Append(dst []byte, value V) ([]byte, error) { return Append(dst, value) }

func (taggedCodec[V]) Decode(data []byte) (V, error) { return Decode[V](data) }

// JSON encodes values as encoding/json does, for readers in other languages.
func JSON[V any]() Codec[V] { return jsonCodec[V]{} }

type jsonCodec[V any] struct{}

func (jsonCodec[V]) ID() byte { return IDJSON }

func (jsonCodec[V]) Append(dst []byte, value V) ([]byte, error) {
	data, err := json.Marshal(value)
	if err != nil {
		return nil, unencodable("JSON", value, err)
	}
	return append(dst, data...), nil
}

func (jsonCodec[V]) Decode(data []byte) (value V, err error) {
	if err := json.Unmarshal(data, &value); err != nil {
		return value, undecodable("JSON", err)
	}
	return value, nil
}

// Gob encodes values as encoding/gob does: slow, but it keeps the types behind
// interface values that were registered with gob.Register.
func Gob[V any]() Codec[V] { return gobCodec[V]{} }

type gobCodec[V any] struct{}

func (gobCodec[V]) ID() byte { return IDGob }

func (gobCodec[V]) Append(dst []byte, value V) ([]byte, error) {
	buf := bytes.NewBuffer(dst)
	// A pointer, so that gob keeps an interface's dynamic type.
	if err := gob.NewEncoder(buf).Encode(&value); err != nil {
		return nil, unencodable("gob", value, err)
	}
	return buf.Bytes(), nil
}

func (gobCodec[V]) Decode(data []byte) (value V, err error) {
	if err := gob.NewDecoder(bytes.NewReader(data)).Decode(&value); err != nil {
		return value, undecodable("gob", err)
	}
	return value, nil
}

// unencodable leaves out the cause's text, which may quote the value.
func unencodable(form string, value any, cause error) error {
	return fmt.Errorf("%w: a %T cannot be encoded as %s (%T)", ErrInvalid, value, form, cause)
}

// undecodable leaves out the cause's text likewise.
func undecodable(form string, cause error) error {
	return fmt.Errorf("%w: the value is not valid %s for its type (%T)", ErrUndecodable, form, cause)
}
