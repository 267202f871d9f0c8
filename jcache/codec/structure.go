package codec

import (
	"bytes"
	"reflect"
	"slices"
)

// Unknown is the type of a field that keeps what this version of the program does not
// know: as an exported field of a struct, it gets the fields that another version stored,
// and they are stored again with the struct. Without it they are left out when the struct
// is read.
//
// In a rolling deployment, a struct with such a field can be read, changed and stored by
// the older program without loss. Only the default encoding keeps it.
type Unknown struct {
	// entries are encoded, in order. Nil: there are none.
	entries []byte
}

var unknownType = reflect.TypeFor[Unknown]()

// A structure is how a struct is stored: a map from the names of its fields to their
// values. Embedded structs are fields as others are. The order of the fields means
// nothing, and neither do tags of other packages.
type structure struct {
	fields  []field // in the order of their keys
	hidden  []int   // fields that are not stored, because they are not exported
	unknown int     // the one that collects; or -1
}

type field struct {
	index int
	name  string
	key   []byte // the encoded name
	plan  *plan
}

func (m *planner) structure(p *plan, t reflect.Type, as role) (hidden bool) {
	s := &structure{unknown: -1}
	for i := range t.NumField() {
		if err := m.field(s, t.Field(i), as); err != nil {
			p.refused = at("."+t.Field(i).Name, err)
			return false
		}
	}
	if len(s.hidden) > 0 && len(s.fields) == 0 && s.unknown < 0 {
		p.refused = refuse("a %s has no exported fields, so that nothing of it would be stored; export them, or give it MarshalBinary and UnmarshalBinary", t)
		return true
	}
	slices.SortFunc(s.fields, func(a, b field) int { return bytes.Compare(a.key, b.key) })
	for i, f := range s.fields {
		if i > 0 && bytes.Equal(s.fields[i-1].key, f.key) {
			p.refused = at(f.name, refuse("another field is stored under the same name; change its `keepsake` tag"))
			return false
		}
		p.parts = append(p.parts, part{f.name, f.plan})
	}
	p.byFields = true
	p.decode = s.decode
	p.encode = s.encodePlain
	if s.unknown >= 0 || len(s.hidden) > 0 {
		p.encode = s.encode
	}
	return len(s.hidden) > 0
}

// field adds a field to what is stored of its struct.
func (m *planner) field(s *structure, f reflect.StructField, as role) error {
	tag := f.Tag.Get("keepsake")
	if f.Name == "_" && as != asValue { // == does not look at it
		return nil
	}
	if tag == "-" {
		if as != asValue {
			return refuse("keys that differ in nothing but this field would be one; remove its tag")
		}
		return nil
	}
	in := field{index: f.Index[0], name: "." + f.Name}
	stored := f.IsExported()
	if stored && f.Type == unknownType && as == asValue {
		if s.unknown >= 0 {
			return refuse("another field is a codec.Unknown too; one is enough")
		}
		s.unknown = in.index
		return nil
	}
	if stored || f.Anonymous && f.Type.Kind() == reflect.Struct {
		in.plan = m.plan(f.Type, as)
		stored = stored || in.plan.byFields
	}
	if !stored {
		if as == asKey && in.plan != nil && in.plan.refused != nil {
			return in.plan.refused
		}
		if as == asKey {
			return refuse("a field of a key must be exported; keys that differ in nothing but this one would be one")
		}
		s.hidden = append(s.hidden, in.index)
		return nil
	}
	if tag == "" {
		tag = f.Name
	}
	in.key = appendText(nil, tag)
	s.fields = append(s.fields, in)
	return nil
}

func (s *structure) encodePlain(dst []byte, v reflect.Value, depth int) (_ []byte, err error) {
	dst = appendHead(dst, majorMap, uint64(len(s.fields)))
	for i := range s.fields {
		if dst, err = s.fields[i].append(dst, v, depth); err != nil {
			return nil, err
		}
	}
	return dst, nil
}

func (f *field) append(dst []byte, v reflect.Value, depth int) ([]byte, error) {
	dst, err := f.plan.encode(append(dst, f.key...), v.Field(f.index), depth)
	if err != nil {
		return nil, at(f.name, err)
	}
	return dst, nil
}

// encode is encodePlain for structs with fields that are not stored, which must be zero,
// or with unknown ones, which are put where they belong.
func (s *structure) encode(dst []byte, v reflect.Value, depth int) (_ []byte, err error) {
	for _, i := range s.hidden {
		if !v.Field(i).IsZero() {
			return nil, at("."+v.Type().Field(i).Name, refuse("a field that is not exported is not stored, and this one is not zero; "+
				"export it, or leave it out with the tag `keepsake:\"-\"`, or give the struct MarshalBinary and UnmarshalBinary"))
		}
	}
	if s.unknown < 0 {
		return s.encodePlain(dst, v, depth)
	}
	type known struct {
		key, value []byte
	}
	var others []known
	for rest := v.Field(s.unknown).Field(0).Bytes(); len(rest) > 0; {
		whole := rest
		if rest, err = skip(rest); err != nil {
			return nil, err
		}
		key := whole[:len(whole)-len(rest)]
		if rest, err = skip(rest); err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(s.fields, func(f field) bool { return bytes.Equal(f.key, key) }) {
			others = append(others, known{key, whole[len(key) : len(whole)-len(rest)]})
		}
	}
	dst = appendHead(dst, majorMap, uint64(len(s.fields)+len(others)))
	for i := range s.fields {
		f := &s.fields[i]
		for len(others) > 0 && bytes.Compare(others[0].key, f.key) < 0 {
			dst = append(append(dst, others[0].key...), others[0].value...)
			others = others[1:]
		}
		if dst, err = f.append(dst, v, depth); err != nil {
			return nil, err
		}
	}
	for _, o := range others {
		dst = append(append(dst, o.key...), o.value...)
	}
	return dst, nil
}

// decode reads the fields that both the data and the struct have. If there is none, the
// data is of another type.
func (s *structure) decode(data []byte, v reflect.Value, depth int) ([]byte, error) {
	h, rest, err := readValueHead(data)
	if err != nil {
		return nil, err
	}
	if h.major() != majorMap {
		return nil, not(h, v)
	}
	var last, unknown []byte
	next, found := 0, false
	for range h.n {
		entry := rest
		if rest, err = skip(rest); err != nil {
			return nil, err
		}
		key := entry[:len(entry)-len(rest)]
		if last, err = ascending(last, key); err != nil {
			return nil, err
		}
		for next < len(s.fields) && bytes.Compare(s.fields[next].key, key) < 0 {
			next++
		}
		if next < len(s.fields) && bytes.Equal(s.fields[next].key, key) {
			f := &s.fields[next]
			if rest, err = f.plan.decode(rest, v.Field(f.index), depth); err != nil {
				return nil, at(f.name, err)
			}
			found = true
			continue
		}
		if rest, err = skip(rest); err != nil {
			return nil, err
		}
		unknown = append(unknown, entry[:len(entry)-len(rest)]...)
	}
	if h.n > 0 && !found {
		return nil, mismatch("what is stored has no field of a %s", v.Type())
	}
	if s.unknown >= 0 && unknown != nil {
		v.Field(s.unknown).Set(reflect.ValueOf(Unknown{unknown}))
	}
	return rest, nil
}
