package codec

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"
)

// Within an interface a value is stored with the name of its type, but for those that
// CBOR itself tells apart: nil, truth, int, float64, text, bytes, []any, map[string]any.

var (
	typeNames  sync.Map // reflect.Type -> string
	namedTypes sync.Map // string -> reflect.Type
	typeName   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_./-]{0,127}$`)

	stringType = reflect.TypeFor[string]()
	bytesType  = reflect.TypeFor[[]byte]()
	listType   = reflect.TypeFor[[]any]()
	mapType    = reflect.TypeFor[map[string]any]()
	anyType    = reflect.TypeFor[any]()
	intType    = reflect.TypeFor[int]()
	boolType   = reflect.TypeFor[bool]()
	floatType  = reflect.TypeFor[float64]()
)

func init() {
	for _, t := range []reflect.Type{
		boolType, intType, reflect.TypeFor[int8](), reflect.TypeFor[int16](), reflect.TypeFor[int32](), reflect.TypeFor[int64](),
		reflect.TypeFor[uint](), reflect.TypeFor[uint8](), reflect.TypeFor[uint16](), reflect.TypeFor[uint32](), reflect.TypeFor[uint64](), reflect.TypeFor[uintptr](),
		reflect.TypeFor[float32](), floatType, stringType, timeType, durationType,
	} {
		register(t, t.String())
	}
	namedTypes.Store("any", anyType)
	typeNames.Store(anyType, "any")
}

// RegisterType gives a type a name under which its values are stored where only an
// interface is known, such as in an any: in a field, a list, a map, or as the type of a
// cache's values or keys. Lists, maps and pointers of registered types need no
// registration, nor do those of Go's basic types, time.Time and time.Duration.
//
// It is called when packages are initialised, in every process that reads the values: a
// program that does not know the name cannot read them, so that in a rolling deployment
// the registration is deployed before the first value is stored. The name stays when the
// type is renamed or moved. A second name for a type, or a second type of a name, is a
// mistake in the program and panics.
func RegisterType[T any](name string) {
	t := reflect.TypeFor[T]()
	if !typeName.MatchString(name) {
		panic("codec: the name of a type begins with a letter and has up to 128 of the characters A-Z a-z 0-9 _ . / -")
	}
	if t.Kind() == reflect.Interface {
		panic(fmt.Sprintf("codec: %s is an interface; register the types that implement it", t))
	}
	register(t, name)
}

func register(t reflect.Type, name string) {
	if other, ok := namedTypes.LoadOrStore(name, t); ok && other != t {
		panic(fmt.Sprintf("codec: %s and %s have the same name", other, t))
	}
	if other, ok := typeNames.LoadOrStore(t, name); ok && other != name {
		panic(fmt.Sprintf("codec: %s has two names", t))
	}
}

// maxTypeParts bounds how deep lists, maps and pointers may be within the name of a type.
const maxTypeParts = 16

// nameOf returns the name of a type, or nothing if it cannot have one without being
// registered.
func nameOf(t reflect.Type) string {
	name, _ := composeName("", t, maxTypeParts)
	return name
}

func composeName(prefix string, t reflect.Type, parts int) (string, bool) {
	if name, ok := typeNames.Load(t); ok && parts > 0 {
		return prefix + name.(string), true
	}
	kind := t.Kind()
	if kind != reflect.Slice && kind != reflect.Pointer && kind != reflect.Map || t.Name() != "" || parts == 0 {
		return "", false
	}
	switch kind {
	case reflect.Slice:
		return composeName(prefix+"[]", t.Elem(), parts-1)
	case reflect.Pointer:
		return composeName(prefix+"*", t.Elem(), parts-1)
	}
	key, ok := composeName(prefix+"map[", t.Key(), parts-1)
	if !ok {
		return "", false
	}
	return composeName(key+"]", t.Elem(), parts-1)
}

// typeOf returns the type of a name, or nil if this program knows none.
func typeOf(name string) reflect.Type {
	t, rest := parseType(name, maxTypeParts)
	if rest != "" {
		return nil
	}
	return t
}

// parseType takes a type off a name.
func parseType(name string, parts int) (t reflect.Type, rest string) {
	if parts == 0 {
		return nil, ""
	}
	if elem, ok := strings.CutPrefix(name, "[]"); ok {
		if t, rest = parseType(elem, parts-1); t != nil {
			t = reflect.SliceOf(t)
		}
		return t, rest
	}
	if elem, ok := strings.CutPrefix(name, "*"); ok {
		if t, rest = parseType(elem, parts-1); t != nil {
			t = reflect.PointerTo(t)
		}
		return t, rest
	}
	if key, ok := strings.CutPrefix(name, "map["); ok {
		k, rest := parseType(key, parts-1)
		elem, ok := strings.CutPrefix(rest, "]")
		if k == nil || !ok || !k.Comparable() {
			return nil, ""
		}
		if t, rest = parseType(elem, parts-1); t != nil {
			t = reflect.MapOf(k, t)
		}
		return t, rest
	}
	end := strings.IndexByte(name, ']')
	if end < 0 {
		end = len(name)
	}
	if known, ok := namedTypes.Load(name[:end]); ok {
		t = known.(reflect.Type)
	}
	return t, name[end:]
}

// appendDynamic appends what is in an interface; nothing is null.
func appendDynamic(dst []byte, v reflect.Value, depth int, as role) ([]byte, error) {
	if !v.IsValid() {
		return append(dst, cborNull), nil
	}
	t := v.Type()
	if as != asValue && !t.Comparable() {
		return nil, refuse("a key must not contain a %s, which cannot be compared", t)
	}
	p, err := planOf(t, as)
	if err != nil {
		return nil, inside(t, err)
	}
	natural := isNatural(v, t)
	if !natural {
		name := nameOf(t)
		if name == "" {
			return nil, refuse("a %s within an interface must be registered, so that it comes back as one: codec.RegisterType[%s](\"a name\")", t, t)
		}
		dst = appendText(append(appendHead(dst, majorTag, tagObject), majorArray|2), name)
	}
	if dst, err = p.encode(dst, v, depth); err != nil && !natural {
		err = inside(t, err)
	}
	return dst, err
}

// isNatural reports whether a value needs no name.
func isNatural(v reflect.Value, t reflect.Type) bool {
	switch t {
	case boolType, intType, floatType:
		return true
	case stringType:
		return utf8.ValidString(v.String())
	case bytesType, listType, mapType:
		return !v.IsNil()
	}
	return false
}

// decodeDynamic returns what appendDynamic wrote; an invalid value is nil.
func decodeDynamic(data []byte, depth int, as role) (v reflect.Value, rest []byte, err error) {
	h, rest, err := readHead(data)
	if err != nil {
		return v, nil, err
	}
	var t reflect.Type
	switch h.major() {
	case majorUint, majorNegative:
		t = intType
	case majorBytes:
		t = bytesType
	case majorText:
		t = stringType
	case majorArray:
		t = listType
	case majorMap:
		t = mapType
	case majorTag:
		var name string
		if name, data, err = readName(h, rest); err != nil {
			return v, nil, err
		}
		if t = typeOf(name); t == nil {
			return v, nil, &fault{kind: ErrUndecodable, why: "its type is not registered in this program; see codec.RegisterType"}
		}
	default:
		switch h.first {
		case cborNull:
			return v, rest, nil
		case cborFloat64:
			t = floatType
		case cborFloat32:
			return v, nil, errDamaged
		default:
			t = boolType
		}
	}
	p, err := planOf(t, as)
	if err != nil || as != asValue && !t.Comparable() {
		return v, nil, errDamaged
	}
	v = reflect.New(t).Elem()
	rest, err = p.decode(data, v, depth)
	return v, rest, err
}

func decodeInterface(data []byte, v reflect.Value, depth int, as role) ([]byte, error) {
	in, rest, err := decodeDynamic(data, depth, as)
	if err != nil || !in.IsValid() {
		return rest, err
	}
	if !in.Type().AssignableTo(v.Type()) {
		return nil, mismatch("what is stored is a %s, not a %s", in.Type(), v.Type())
	}
	v.Set(in)
	return rest, nil
}
