package codec

import (
	"bytes"
	"reflect"
	"slices"
)

// slice plans lists. A nil one is null, so that it does not come back as an empty one.
func (m *planner) slice(p *plan, t reflect.Type) {
	if t.Elem().Kind() == reflect.Uint8 {
		p.encode, p.decode = encodeBytes, decodeBytes
		return
	}
	elem := m.plan(t.Elem(), asValue)
	p.parts = []part{{"[]", elem}}
	p.encode = func(dst []byte, v reflect.Value, depth int) ([]byte, error) {
		if v.IsNil() {
			return append(dst, cborNull), nil
		}
		if err := tooLarge(dst, depth); err != nil {
			return nil, err
		}
		return appendElements(dst, v, elem, depth+1)
	}
	size := max(1, int(t.Elem().Size()))
	p.decode = func(data []byte, v reflect.Value, depth int) ([]byte, error) {
		h, rest, err := readValueHead(data)
		if err != nil || h.null() {
			return rest, err
		}
		if h.major() != majorArray {
			return nil, not(h, v)
		}
		if depth >= maxDepth {
			return nil, errDamaged
		}
		n := int(h.n)
		// An element has at least one byte; more room than that is made when it is used.
		v.Set(reflect.MakeSlice(t, 0, min(n, roomPerByte*len(rest)/size+1)))
		for i := range n {
			if i == v.Cap() {
				v.Grow(1)
			}
			v.SetLen(i + 1)
			if rest, err = elem.decode(rest, v.Index(i), depth+1); err != nil {
				return nil, at("[]", err)
			}
		}
		return rest, nil
	}
}

// roomPerByte bounds the memory that is taken before the data is seen to need it.
const roomPerByte = 16

func appendElements(dst []byte, v reflect.Value, elem *plan, depth int) (_ []byte, err error) {
	n := v.Len()
	dst = appendHead(dst, majorArray, uint64(n))
	for i := range n {
		if dst, err = elem.encode(dst, v.Index(i), depth); err != nil {
			return nil, at("[]", err)
		}
	}
	return dst, nil
}

func encodeBytes(dst []byte, v reflect.Value, _ int) ([]byte, error) {
	if v.IsNil() {
		return append(dst, cborNull), nil
	}
	return append(appendHead(dst, majorBytes, uint64(v.Len())), v.Bytes()...), nil
}

func decodeBytes(data []byte, v reflect.Value, _ int) ([]byte, error) {
	h, rest, err := readValueHead(data)
	if err != nil || h.null() {
		return rest, err
	}
	if h.major() != majorBytes {
		return nil, not(h, v)
	}
	v.SetBytes(append([]byte{}, rest[:h.n]...))
	return rest[h.n:], nil
}

// array plans arrays. One of another length is another type.
func (m *planner) array(p *plan, t reflect.Type, as role) {
	if t.Elem().Kind() == reflect.Uint8 {
		p.encode, p.decode = encodeByteArray, decodeByteArray
		return
	}
	elem := m.plan(t.Elem(), as)
	p.parts = []part{{"[]", elem}}
	p.encode = func(dst []byte, v reflect.Value, depth int) ([]byte, error) {
		return appendElements(dst, v, elem, depth)
	}
	p.decode = func(data []byte, v reflect.Value, depth int) ([]byte, error) {
		h, rest, err := readValueHead(data)
		if err != nil {
			return nil, err
		}
		if h.major() != majorArray || h.n != uint64(t.Len()) {
			return nil, not(h, v)
		}
		for i := range t.Len() {
			if rest, err = elem.decode(rest, v.Index(i), depth); err != nil {
				return nil, at("[]", err)
			}
		}
		return rest, nil
	}
}

func encodeByteArray(dst []byte, v reflect.Value, _ int) ([]byte, error) {
	dst = appendHead(dst, majorBytes, uint64(v.Len()))
	if v.CanAddr() {
		return append(dst, v.Bytes()...), nil
	}
	for i := range v.Len() {
		dst = append(dst, byte(v.Index(i).Uint()))
	}
	return dst, nil
}

func decodeByteArray(data []byte, v reflect.Value, _ int) ([]byte, error) {
	h, rest, err := readValueHead(data)
	if err != nil {
		return nil, err
	}
	if h.major() != majorBytes || h.n != uint64(v.Len()) {
		return nil, not(h, v)
	}
	copy(v.Bytes(), rest)
	return rest[h.n:], nil
}

// mapping plans maps. Their entries are in the order of the encoded keys.
func (m *planner) mapping(p *plan, t reflect.Type) {
	key, elem := m.plan(t.Key(), asMapKey), m.plan(t.Elem(), asValue)
	p.parts = []part{{"[key]", key}, {"[]", elem}}
	p.encode = func(dst []byte, v reflect.Value, depth int) (_ []byte, err error) {
		if v.IsNil() {
			return append(dst, cborNull), nil
		}
		if err := tooLarge(dst, depth); err != nil {
			return nil, err
		}
		dst = appendHead(dst, majorMap, uint64(v.Len()))
		start := len(dst)
		entries := make([]entry, 0, v.Len())
		k, e := reflect.New(t.Key()).Elem(), reflect.New(t.Elem()).Elem()
		for i := v.MapRange(); i.Next(); {
			k.SetIterKey(i)
			e.SetIterValue(i)
			in := entry{start: len(dst)}
			if dst, err = key.encode(dst, k, depth+1); err != nil {
				return nil, at("[key]", err)
			}
			in.value = len(dst)
			if dst, err = elem.encode(dst, e, depth+1); err != nil {
				return nil, at("[]", err)
			}
			in.end = len(dst)
			entries = append(entries, in)
		}
		sortEntries(dst, start, entries)
		return dst, nil
	}
	size := int(t.Key().Size()+t.Elem().Size()) + 1
	p.decode = func(data []byte, v reflect.Value, depth int) ([]byte, error) {
		h, rest, err := readValueHead(data)
		if err != nil || h.null() {
			return rest, err
		}
		if h.major() != majorMap {
			return nil, not(h, v)
		}
		if depth >= maxDepth {
			return nil, errDamaged
		}
		v.Set(reflect.MakeMapWithSize(t, min(int(h.n), roomPerByte*len(rest)/size+1)))
		var last []byte
		k, e := reflect.New(t.Key()).Elem(), reflect.New(t.Elem()).Elem()
		for range h.n {
			k.SetZero()
			e.SetZero()
			whole := rest
			if rest, err = key.decode(rest, k, depth+1); err != nil {
				return nil, at("[key]", err)
			}
			if last, err = ascending(last, whole[:len(whole)-len(rest)]); err != nil {
				return nil, err
			}
			if rest, err = elem.decode(rest, e, depth+1); err != nil {
				return nil, at("[]", err)
			}
			v.SetMapIndex(k, e)
		}
		return rest, nil
	}
}

// An entry says where one of a map stands in the encoded bytes.
type entry struct{ start, value, end int }

// sortEntries brings the entries, which begin at start, into the order of their keys.
func sortEntries(dst []byte, start int, entries []entry) {
	byKey := func(a, b entry) int { return bytes.Compare(dst[a.start:a.value], dst[b.start:b.value]) }
	if slices.IsSortedFunc(entries, byKey) {
		return
	}
	slices.SortFunc(entries, byKey)
	sorted := make([]byte, 0, len(dst)-start)
	for _, in := range entries {
		sorted = append(sorted, dst[in.start:in.end]...)
	}
	copy(dst[start:], sorted)
}

// ascending checks that encoded keys are in order, and so that none is there twice.
func ascending(last, key []byte) ([]byte, error) {
	if last != nil && bytes.Compare(last, key) >= 0 {
		return nil, errDamaged
	}
	return key, nil
}

// pointer plans pointers: null, or what they point to; in a list of one, if that may be
// null itself.
func (m *planner) pointer(p *plan, t reflect.Type) {
	elem := m.plan(t.Elem(), asValue)
	p.parts = []part{{"", elem}}
	boxed := false
	switch t.Elem().Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface:
		boxed = true
	}
	p.encode = func(dst []byte, v reflect.Value, depth int) ([]byte, error) {
		if v.IsNil() {
			return append(dst, cborNull), nil
		}
		if err := tooLarge(dst, depth); err != nil {
			return nil, err
		}
		if boxed {
			dst = appendHead(dst, majorArray, 1)
		}
		return elem.encode(dst, v.Elem(), depth+1)
	}
	p.decode = func(data []byte, v reflect.Value, depth int) ([]byte, error) {
		h, rest, err := readValueHead(data)
		if err != nil || h.null() {
			return rest, err
		}
		if depth >= maxDepth {
			return nil, errDamaged
		}
		if boxed {
			if h.first != majorArray|1 {
				return nil, not(h, v)
			}
			data = rest
		}
		to := reflect.New(t.Elem())
		if rest, err = elem.decode(data, to.Elem(), depth+1); err != nil {
			return nil, err
		}
		v.Set(to)
		return rest, nil
	}
}
