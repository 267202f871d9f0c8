package codec_test

import (
	"bytes"
	"errors"
	"math"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
	"unsafe"

	"pgregory.net/rapid"

	"github.com/keepsake-cache/keepsake/jcache/codec"
)

// A generator makes types, and values of them.
type generator struct {
	*rapid.T
	comparable bool
}

var scalarTypes = []reflect.Type{
	reflect.TypeFor[bool](), reflect.TypeFor[int](), reflect.TypeFor[int8](), reflect.TypeFor[int64](), reflect.TypeFor[uint16](), reflect.TypeFor[uint64](),
	reflect.TypeFor[float32](), reflect.TypeFor[float64](), reflect.TypeFor[string](), reflect.TypeFor[any](), reflect.TypeFor[time.Time](), reflect.TypeFor[time.Duration](),
	reflect.TypeFor[number](), reflect.TypeFor[upper](), reflect.TypeFor[enum](), reflect.TypeFor[uuid](), reflect.TypeFor[netip.Addr](), reflect.TypeFor[base](),
	reflect.TypeFor[struct{}](), reflect.TypeFor[embedsUnexported](), reflect.TypeFor[jsonDash](), reflect.TypeFor[cborDash](), reflect.TypeFor[lossy](), reflect.TypeFor[pair](), reflect.TypeFor[blank](),
	// The following ones are refused, as keys or altogether.
	reflect.TypeFor[mixed](), reflect.TypeFor[hiddenPart](), reflect.TypeFor[ourDash](), reflect.TypeFor[texter](), reflect.TypeFor[opaque](), reflect.TypeFor[complex64](), reflect.TypeFor[chan int](), reflect.TypeFor[*int](), reflect.TypeFor[vague](),
}

var moreTypes = []reflect.Type{
	reflect.TypeFor[[]byte](), reflect.TypeFor[forgets](), reflect.TypeFor[event](), reflect.TypeFor[everything](), reflect.TypeFor[node](), reflect.TypeFor[tree](),
	reflect.TypeFor[treeMap](), reflect.TypeFor[listOfSelf](), reflect.TypeFor[excused](), reflect.TypeFor[generic[string, any]](), reflect.TypeFor[interfaced](), reflect.TypeFor[func()](),
	reflect.TypeFor[codec.Unknown](), reflect.TypeFor[embedsTexter](), reflect.TypeFor[elements](),
}

func (g generator) pick(n int) int { return rapid.IntRange(0, n-1).Draw(g.T, "pick") }

func (g generator) typ(depth int) reflect.Type {
	kinds := 7
	if g.comparable {
		kinds = 4
	}
	if depth == 0 {
		kinds = 2
	}
	switch g.pick(kinds) {
	case 2:
		return reflect.ArrayOf(g.pick(4), g.typ(depth-1))
	case 3:
		return g.structType(depth)
	case 4:
		return reflect.SliceOf(g.typ(depth - 1))
	case 5:
		return reflect.PointerTo(g.typ(depth - 1))
	case 6:
		return reflect.MapOf(generator{g.T, true}.typ(depth-1), g.typ(depth-1))
	case 1:
		if !g.comparable {
			return moreTypes[g.pick(len(moreTypes))]
		}
	}
	return scalarTypes[g.pick(len(scalarTypes))]
}

func (g generator) structType(depth int) reflect.Type {
	var fields []reflect.StructField
	for i := range g.pick(5) {
		f := reflect.StructField{Name: string(rune('A' + i)), Type: g.typ(depth - 1)}
		f.Tag = reflect.StructTag([]string{"", "", "", `json:"-"`, `cbor:"-"`, `json:"x,omitempty"`, `json:"A"`, `cbor:"1,keyasint"`, `keepsake:"z` + f.Name + `"`, `keepsake:"a"`}[g.pick(10)])
		switch g.pick(12) {
		case 0:
			f.Name, f.PkgPath = strings.ToLower(f.Name), "example.org/p"
		case 1:
			f.Name, f.PkgPath = "_", "example.org/p"
		}
		fields = append(fields, f)
	}
	return reflect.StructOf(fields)
}

var (
	texts  = []string{"", "a", "b", "\xff", "\xfe", "ключ", "\x00", "a\x00"}
	floats = []float64{0, math.Copysign(0, -1), 1, -1.5, math.Inf(1), math.MaxFloat32, math.SmallestNonzeroFloat32, math.NaN()}
	moment = time.Date(2026, 7, 8, 9, 10, 11, 12, time.UTC)
	times  = []time.Time{{}, moment, moment.Add(1), moment.AddDate(-3000, 0, 0)}
	addrs  = []netip.Addr{{}, netip.MustParseAddr("1.2.3.4"), netip.MustParseAddr("::ffff:1.2.3.4"), netip.MustParseAddr("fe80::1%a")}
)

// fill sets v, and what is in it, also what is not exported.
func (g generator) fill(v reflect.Value, depth int) {
	if !v.CanSet() {
		v = reflect.NewAt(v.Type(), unsafe.Pointer(v.UnsafeAddr())).Elem()
	}
	switch v.Type() {
	case reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(times[g.pick(len(times))]))
		return
	case reflect.TypeFor[netip.Addr]():
		v.Set(reflect.ValueOf(addrs[g.pick(len(addrs))]))
		return
	case reflect.TypeFor[codec.Unknown]():
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(g.pick(2) == 0)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt([]int64{0, 1, -1, 23, 24, math.MinInt8, math.MaxInt64, math.MinInt64}[g.pick(8)] >> (64 - v.Type().Bits()) << 0)
		if g.pick(2) == 0 {
			v.SetInt(int64(g.pick(3)))
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		v.SetUint([]uint64{0, 1, math.MaxUint64}[g.pick(3)] >> (64 - v.Type().Bits()))
	case reflect.Float32, reflect.Float64:
		v.SetFloat(floats[g.pick(len(floats))])
	case reflect.Complex64, reflect.Complex128:
		v.SetComplex(complex(1, float64(g.pick(2))))
	case reflect.String:
		v.SetString(texts[g.pick(len(texts))])
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).Name != "_" || v.Type().Name() != "" && g.comparable { // == of types by StructOf looks at it
				g.fill(v.Field(i), depth)
			}
		}
	case reflect.Array:
		for i := range v.Len() {
			g.fill(v.Index(i), depth)
		}
	case reflect.Pointer:
		if depth > 0 && g.pick(4) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			g.fill(v.Elem(), depth-1)
		}
	case reflect.Slice:
		if depth > 0 && g.pick(4) > 0 {
			v.Set(reflect.MakeSlice(v.Type(), g.pick(4), 4))
			for i := range v.Len() {
				g.fill(v.Index(i), depth-1)
			}
		}
	case reflect.Map:
		if depth > 0 && g.pick(4) > 0 {
			v.Set(reflect.MakeMap(v.Type()))
			for range g.pick(4) {
				k, e := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
				generator{g.T, true}.fill(k, depth-1)
				g.fill(e, depth-1)
				if k.Comparable() {
					v.SetMapIndex(k, e)
				}
			}
		}
	case reflect.Interface:
		if v.NumMethod() > 0 {
			return
		}
		basic := []any{nil, 1, int64(1), uint8(1), "a", "\xff", 1.0, float32(1), true, base{1}, twice{1, 2}, uuid{1}, number(1), hiddenPart{"a", 1}, pair{1, "a"}, math.NaN(), moment, new(int)}
		if !g.comparable {
			basic = append(basic, []any{1, nil}, []byte{1}, []byte(nil), map[string]any{"a": int8(1)}, []string{"a"}, []uint8{}, map[int]string{1: "a"}, []base{{}}, [1]int{}, (*int)(nil))
		}
		if value := basic[g.pick(len(basic))]; value != nil {
			v.Set(reflect.ValueOf(value))
		}
	}
}

// hasNaN reports whether reflect.DeepEqual cannot say whether v came back.
func hasNaN(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Float32, reflect.Float64:
		return math.IsNaN(v.Float())
	case reflect.Struct:
		for i := range v.NumField() {
			if hasNaN(v.Field(i)) {
				return true
			}
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if hasNaN(v.Index(i)) {
				return true
			}
		}
	case reflect.Map:
		for i := v.MapRange(); i.Next(); {
			if hasNaN(i.Value()) {
				return true
			}
		}
	case reflect.Pointer, reflect.Interface:
		return !v.IsNil() && hasNaN(v.Elem())
	}
	return false
}

// leftOut reports whether the type has a field that the program has left out.
func leftOut(t reflect.Type, seen map[reflect.Type]bool) bool {
	if seen[t] {
		return false
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return leftOut(t.Elem(), seen)
	case reflect.Map:
		return leftOut(t.Elem(), seen) || leftOut(t.Key(), seen)
	case reflect.Struct:
		for i := range t.NumField() {
			if f := t.Field(i); f.Tag.Get("keepsake") == "-" || leftOut(f.Type, seen) {
				return true
			}
		}
	}
	return false
}

// Values of whatever type come back equal, or are refused with a reason, in each format.
func TestGeneratedValues(t *testing.T) {
	accepted := make(map[string]int)
	rapid.Check(t, func(t *rapid.T) {
		g := generator{T: t}
		typ := g.typ(3)
		v := reflect.New(typ)
		g.fill(v.Elem(), 4)
		for _, name := range codec.Formats() {
			format := must(codec.FormatOf(name))
			data, err := format.Append(nil, v.Interface())
			if err != nil {
				if !errors.Is(err, codec.ErrInvalid) || len(err.Error()) < 30 {
					t.Fatalf("%s: %v: got error %v", name, typ, err)
				}
				continue
			}
			back := reflect.New(typ)
			if err := format.Decode(data, back.Interface()); err != nil {
				t.Fatalf("%s: %v: %#v cannot be decoded: %v", name, typ, v.Elem(), err)
			}
			if !hasNaN(v.Elem()) && !leftOut(typ, map[reflect.Type]bool{}) && !reflect.DeepEqual(v.Interface(), back.Interface()) {
				t.Fatalf("%s: %v: %#v came back as %#v", name, typ, v.Elem(), back.Elem())
			}
			if again, err := format.Append(nil, back.Interface()); name == codec.Default && (err != nil || !bytes.Equal(again, data)) {
				t.Fatalf("%s: %v: %#v is another one when it comes back: %v", name, typ, v.Elem(), err)
			}
			accepted[name]++
		}
	})
	t.Logf("accepted: %v", accepted)
}

// tellable reports whether the equality of keys of the type can be told by what is stored.
func tellable(t reflect.Type) bool {
	switch t {
	case reflect.TypeFor[time.Time](), reflect.TypeFor[netip.Addr]():
		return true
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Chan, reflect.Complex64, reflect.Complex128:
		return false
	case reflect.Array:
		return tellable(t.Elem())
	case reflect.Struct:
		names := make(map[string]bool)
		for i := range t.NumField() {
			f := t.Field(i)
			name := f.Tag.Get("keepsake")
			if f.Name == "_" {
				continue
			}
			if name == "" {
				name = f.Name
			}
			if name == "-" || names[name] || !f.IsExported() && !f.Anonymous || !tellable(f.Type) {
				return false
			}
			names[name] = true
		}
	}
	return true
}

// Keys of whatever type are the same bytes exactly when they are equal, and come back; or
// they are refused, by the type or, within interfaces, by the value.
func TestGeneratedKeys(t *testing.T) {
	var types, pairs, equal int
	rapid.Check(t, func(t *rapid.T) {
		g := generator{T: t, comparable: true}
		typ := g.typ(3)
		if _, err := codec.EncodeKey(reflect.Zero(typ)); (err == nil) != tellable(typ) {
			t.Fatalf("%v: got error %v, want one: %v", typ, err, !tellable(typ))
		}
		if !tellable(typ) {
			return
		}
		types++
		a, b := reflect.New(typ).Elem(), reflect.New(typ).Elem()
		g.fill(a, 4)
		g.fill(b, 4)
		if g.pick(2) == 0 { // but for what == does not look at
			b.Set(a)
		}
		x, errA := codec.EncodeKey(a)
		y, errB := codec.EncodeKey(b)
		for _, err := range []error{errA, errB} {
			if err != nil && !errors.Is(err, codec.ErrInvalid) {
				t.Fatalf("%v: got error %v", typ, err)
			}
		}
		if errA != nil || errB != nil {
			return
		}
		pairs++
		if a.Interface() == b.Interface() {
			equal++
		}
		if bytes.Equal(x, y) != (a.Interface() == b.Interface()) {
			t.Fatalf("%v: %#v and %#v are %x and %x", typ, a, b, x, y)
		}
		back := reflect.New(typ).Elem()
		if err := codec.DecodeKey(x, back); err != nil || back.Interface() != a.Interface() {
			t.Fatalf("%v: %#v came back as %#v, %v", typ, a, back, err)
		}
	})
	t.Logf("%d types, %d pairs, %d of them equal", types, pairs, equal)
}
