package codec

import (
	"reflect"
	"sync"
)

// A role is what a value is used as. Each one refuses what those before it do.
type role int

const (
	asValue  role = iota // must come back equal
	asMapKey             // must come back as the same key: ==
	asKey                // and whether it does must be known by its type
	roles
)

// A plan is how the values of a type are encoded.
type plan struct {
	encode func(dst []byte, v reflect.Value, depth int) ([]byte, error)
	// decode stores a value in v, which is zero.
	decode func(data []byte, v reflect.Value, depth int) (rest []byte, err error)
	// refused is why no value of the type can be encoded.
	refused error
	parts   []part
	// byFields says that it is the plan of a struct that reads and sets its fields.
	byFields bool
}

// A part is a plan for something within values: fields, elements, keys.
type part struct {
	name string
	plan *plan
}

// maxDepth is how many slices, maps and pointers may be within each other, the same as in
// encoding/json. It ends values that contain themselves, for none can without them.
const maxDepth = 10000

// maxBytes ends values that share so many of their parts that they become endless where
// each is written out.
var maxBytes = 1 << 30

// tooLarge is asked before anything that another part of the value may share is written.
func tooLarge(dst []byte, depth int) error {
	if len(dst) > maxBytes {
		return refuse("more than %d bytes", maxBytes)
	}
	return tooDeep(depth)
}

func tooDeep(depth int) error {
	if depth < maxDepth {
		return nil
	}
	return refuse("more than %d levels, or a value that contains itself; store it flat, with identifiers instead of pointers", maxDepth)
}

var plans [roles]sync.Map // reflect.Type -> *plan

// planFor returns the plan of a type, or why there is none.
func planFor(t reflect.Type, as role) (*plan, error) {
	p, err := planOf(t, as)
	if err != nil {
		return nil, within(t, err)
	}
	return p, nil
}

// planOf is planFor for a part of a value. A type is walked once.
func planOf(t reflect.Type, as role) (*plan, error) {
	known, ok := plans[as].Load(t)
	if !ok {
		p := (&planner{made: make(map[planned]*plan)}).plan(t, as)
		if err := p.verdict(make(map[*plan]bool)); err != nil {
			p = &plan{refused: err}
		}
		known, _ = plans[as].LoadOrStore(t, p)
	}
	p := known.(*plan)
	return p, p.refused
}

// verdict returns why values of the type, or of a type within, cannot be encoded.
func (p *plan) verdict(seen map[*plan]bool) error {
	if p.refused != nil || seen[p] {
		return p.refused
	}
	seen[p] = true
	for _, in := range p.parts {
		if err := in.plan.verdict(seen); err != nil {
			return at(in.name, err)
		}
	}
	return nil
}

type planned struct {
	t  reflect.Type
	as role
}

// A planner plans a type and all within it, each once, so that types may be recursive.
type planner struct{ made map[planned]*plan }

// plan prefers the kind of the type over its methods: the fields of a struct say all
// about it that can be said, where all of them can be read.
func (m *planner) plan(t reflect.Type, as role) *plan {
	if p, ok := m.made[planned{t, as}]; ok {
		return p
	}
	p := new(plan)
	m.made[planned{t, as}] = p
	switch t {
	case timeType:
		m.time(p, as)
	case unknownType:
		p.refused = refuse("codec.Unknown belongs directly into the struct whose fields it collects")
	default:
		hidden := m.byKind(p, t, as)
		if !hidden && p.verdict(make(map[*plan]bool)) == nil {
			break
		}
		if methods := methodsOf(t, hidden && p.verdict(make(map[*plan]bool)) == nil); methods != nil && (as != asKey || faithful[t]) {
			*p = plan{}
			m.byMethods(p, t, methods, as)
		}
	}
	return p
}

// byKind reports whether the type has fields that it cannot read.
func (m *planner) byKind(p *plan, t reflect.Type, as role) (hidden bool) {
	switch t.Kind() {
	case reflect.Bool:
		p.encode, p.decode = encodeBool, decodeBool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		p.encode, p.decode = encodeInt, decodeWhole
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		p.encode, p.decode = encodeUint, decodeWhole
	case reflect.Float32, reflect.Float64:
		p.encode, p.decode = encodeFloat, decodeFloat
		if as != asValue {
			p.encode = encodeKeyFloat
		}
	case reflect.String:
		p.encode, p.decode = encodeString, decodeString
	case reflect.Slice:
		m.slice(p, t)
	case reflect.Array:
		m.array(p, t, as)
	case reflect.Map:
		m.mapping(p, t)
	case reflect.Pointer:
		m.pointer(p, t)
	case reflect.Interface:
		p.encode = func(dst []byte, v reflect.Value, depth int) ([]byte, error) {
			return appendDynamic(dst, v.Elem(), depth, as)
		}
		p.decode = func(data []byte, v reflect.Value, depth int) ([]byte, error) {
			return decodeInterface(data, v, depth, as)
		}
	case reflect.Struct:
		return m.structure(p, t, as)
	case reflect.Complex64, reflect.Complex128:
		p.refused = refuse("a %s cannot be encoded; store its two parts", t)
	default:
		p.refused = refuse("a %s cannot be encoded, for it means nothing in another process; leave such a field out with the tag `keepsake:\"-\"`", t)
	}
	if as != asValue && (t.Kind() == reflect.Pointer || t.Kind() == reflect.UnsafePointer) {
		p.refused = refuse("a key must not contain a %s, which equals no other; use the value that it stands for", t)
	}
	return false
}
