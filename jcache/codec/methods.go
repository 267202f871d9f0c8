package codec

import (
	"encoding"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
)

// Values that their kind does not say all about are written by methods of their own. What
// they write is read again at once and compared, for no type tells whether it loses
// something.

// A methodPair is a way in which types say themselves how they are written. Its number is
// stored.
type methodPair struct {
	number       uint64
	name         string
	write, read  reflect.Type
	readerMethod string
	append       func(source any) ([]byte, error)
	decode       func(target any, data []byte) error
}

var methodPairs = []methodPair{
	{0, "MarshalCBOR", reflect.TypeFor[cborMarshaler](), reflect.TypeFor[cborUnmarshaler](), "UnmarshalCBOR",
		func(v any) ([]byte, error) { return v.(cborMarshaler).MarshalCBOR() },
		func(v any, data []byte) error { return v.(cborUnmarshaler).UnmarshalCBOR(data) }},
	{1, "MarshalBinary", reflect.TypeFor[encoding.BinaryMarshaler](), reflect.TypeFor[encoding.BinaryUnmarshaler](), "UnmarshalBinary",
		func(v any) ([]byte, error) { return v.(encoding.BinaryMarshaler).MarshalBinary() },
		func(v any, data []byte) error { return v.(encoding.BinaryUnmarshaler).UnmarshalBinary(data) }},
	{2, "GobEncode", reflect.TypeFor[gob.GobEncoder](), reflect.TypeFor[gob.GobDecoder](), "GobDecode",
		func(v any) ([]byte, error) { return v.(gob.GobEncoder).GobEncode() },
		func(v any, data []byte) error { return v.(gob.GobDecoder).GobDecode(data) }},
	{3, "MarshalText", reflect.TypeFor[encoding.TextMarshaler](), reflect.TypeFor[encoding.TextUnmarshaler](), "UnmarshalText",
		func(v any) ([]byte, error) { return v.(encoding.TextMarshaler).MarshalText() },
		func(v any, data []byte) error { return v.(encoding.TextUnmarshaler).UnmarshalText(data) }},
	{4, "MarshalJSON", reflect.TypeFor[json.Marshaler](), reflect.TypeFor[json.Unmarshaler](), "UnmarshalJSON",
		func(v any) ([]byte, error) { return v.(json.Marshaler).MarshalJSON() },
		func(v any, data []byte) error { return v.(json.Unmarshaler).UnmarshalJSON(data) }},
}

type cborMarshaler interface{ MarshalCBOR() ([]byte, error) }

type cborUnmarshaler interface{ UnmarshalCBOR(data []byte) error }

// faithful are types whose methods are known to lose nothing, so that they can be keys.
var faithful = map[reflect.Type]bool{
	reflect.TypeFor[netip.Addr]():     true,
	reflect.TypeFor[netip.AddrPort](): true,
	reflect.TypeFor[netip.Prefix]():   true,
}

// methodsOf returns the ways in which a type says itself how it is written and read, the
// preferred one first. If own is set, methods that may be those of an embedded field, and
// so know nothing of the others, do not count.
func methodsOf(t reflect.Type, own bool) []*methodPair {
	var found []*methodPair
	for i := range methodPairs {
		pair := &methodPairs[i]
		if pair.has(t) && (!own || !embeds(t, pair)) {
			found = append(found, pair)
		}
	}
	return found
}

func (pair *methodPair) has(t reflect.Type) bool {
	pointer := reflect.PointerTo(t)
	return t.Kind() != reflect.Pointer && t.Kind() != reflect.Interface && pointer.Implements(pair.write) && pointer.Implements(pair.read)
}

func embeds(t reflect.Type, pair *methodPair) bool {
	for i := range t.NumField() {
		if f := t.Field(i); f.Anonymous && (pair.has(f.Type) || f.Type.Implements(pair.write) || f.Type.Kind() == reflect.Pointer && pair.has(f.Type.Elem())) {
			return true
		}
	}
	return false
}

// byMethods plans a list of two: the number of a pair of methods, and what they wrote. A
// type that has learnt a better way still reads the old one.
func (m *planner) byMethods(p *plan, t reflect.Type, pairs []*methodPair, as role) {
	best := pairs[0]
	p.encode = func(dst []byte, v reflect.Value, _ int) ([]byte, error) {
		source := v
		if v.CanAddr() {
			source = v.Addr()
		} else {
			source = reflect.New(t)
			source.Elem().Set(v)
		}
		data, err := best.append(source.Interface())
		if err != nil {
			return nil, refuse("the %s of %s failed (%T)", best.name, t, err)
		}
		if best.number == 0 {
			if rest, err := skip(data); err != nil || len(rest) > 0 {
				return nil, refuse("what the %s of %s returned is not one item of CBOR", best.name, t)
			}
		}
		if !faithful[t] {
			if err := best.check(source.Elem(), data, as); err != nil {
				return nil, err
			}
		}
		dst = appendHead(appendHead(dst, majorArray, 2), majorUint, best.number)
		if best.number != 0 {
			dst = appendHead(dst, majorBytes, uint64(len(data)))
		}
		return append(dst, data...), nil
	}
	p.decode = func(data []byte, v reflect.Value, _ int) ([]byte, error) {
		h, rest, err := readValueHead(data)
		if err != nil {
			return nil, err
		}
		if h.first != majorArray|2 {
			return nil, not(h, v)
		}
		number, rest, err := readHead(rest)
		if err != nil {
			return nil, err
		}
		for _, pair := range pairs {
			if number.major() != majorUint || number.n != pair.number {
				continue
			}
			written, rest, err := pair.payload(rest)
			if err != nil {
				return nil, err
			}
			if err := pair.decode(v.Addr().Interface(), written); err != nil {
				return nil, mismatch("the %s of %s failed (%T)", pair.readerMethod, t, err)
			}
			return rest, nil
		}
		return nil, mismatch("a %s cannot be read as it was written", t)
	}
}

// payload takes what a method wrote off the data.
func (pair *methodPair) payload(data []byte) (written, rest []byte, err error) {
	if pair.number == 0 {
		rest, err = skip(data)
		return data[: len(data)-len(rest) : len(data)-len(rest)], rest, err
	}
	h, rest, err := readHead(data)
	if err != nil || h.major() != majorBytes {
		return nil, nil, errDamaged
	}
	return rest[:h.n:h.n], rest[h.n:], nil
}

// asError makes an error of a panic in what nobody asked for but this package.
func asError(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("it panicked: %v", r)
		}
	}()
	return f()
}

// check reads what was written and compares.
func (pair *methodPair) check(v reflect.Value, data []byte, as role) error {
	back := reflect.New(v.Type())
	if err := asError(func() error { return pair.decode(back.Interface(), append([]byte{}, data...)) }); err != nil {
		return refuse("the %s of %s does not read what its %s wrote (%T)", pair.readerMethod, v.Type(), pair.name, err)
	}
	if as != asValue {
		if !v.Comparable() || !v.Equal(back.Elem()) {
			return refuse("the %s of %s loses something of this key", pair.name, v.Type())
		}
		return nil
	}
	if part, differs := difference(v, back.Elem()); differs {
		return at(part, refuse("the %s of %s loses something of this value; store all of it, or, if what is lost means nothing, say so with a method Equal", pair.name, v.Type()))
	}
	return nil
}
