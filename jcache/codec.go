package jcache

import "github.com/keepsake-cache/keepsake/jcache/codec"

// A Codec turns values into bytes and back. Its methods may be called by many
// goroutines at once.
type Codec[V any] = codec.Codec[V]

// Tagged is the default codec: values of Go's basic types in a compact binary
// form, all others in deterministic CBOR (RFC 8949). Types need no registration, but for
// those within interfaces. See codec.Append for what it can hold.
func Tagged[V any]() Codec[V] { return codec.Tagged[V]() }

// JSON encodes values as encoding/json does, for readers in other languages. What would
// come back changed is refused.
func JSON[V any]() Codec[V] { return codec.JSON[V]() }

// Gob encodes values as encoding/gob does: slow, but it keeps the types behind
// interface values that were registered with gob.Register. What would come back changed is
// refused.
func Gob[V any]() Codec[V] { return codec.Gob[V]() }

// AppendValue appends the value to dst as Tagged encodes it. See codec.Append.
func AppendValue(dst []byte, value any) ([]byte, error) { return codec.Append(dst, value) }

// DecodeValue returns a value that AppendValue encoded. See codec.Decode.
func DecodeValue[V any](data []byte) (V, error) { return codec.Decode[V](data) }
