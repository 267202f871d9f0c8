package codec_test

import (
	"bytes"
	"container/list"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"image"
	"image/color"
	"math"
	"math/big"
	"net"
	"net/http"
	"net/mail"
	"net/netip"
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/keepsake-cache/keepsake/jcache/codec"
)

// A fate is what becomes of a value.
type fate struct {
	name    string
	refused string // a part of the error; empty: the value comes back equal
	check   func(t *testing.T, refused string)
}

// kept is a value that must come back equal, alone and within other values.
func kept[T any](name string, value T) fate {
	return keptBy(name, value, func(a, b T) bool { return reflect.DeepEqual(a, b) })
}

func keptBy[T any](name string, value T, equal func(a, b T) bool) fate {
	return fate{name: name, check: func(t *testing.T, _ string) {
		trip(t, true, value, equal)
		trip(t, true, box[T]{"a", value, 7}, func(a, b box[T]) bool { return a.Before == b.Before && a.After == b.After && equal(a.V, b.V) })
		trip(t, true, []T{value, value}, func(a, b []T) bool { return len(b) == 2 && equal(a[0], b[0]) && equal(a[1], b[1]) })
		trip(t, true, [1]T{value}, func(a, b [1]T) bool { return equal(a[0], b[0]) })
		trip(t, true, map[string]T{"k": value}, func(a, b map[string]T) bool { return len(b) == 1 && equal(a["k"], b["k"]) })
		trip(t, true, &value, func(a, b *T) bool { return b != nil && equal(*a, *b) })
		trip(t, true, map[int][]*T{1: {&value, nil}}, func(_, b map[int][]*T) bool { return b[1][1] == nil && equal(value, *b[1][0]) })
		// Within an interface it is kept as well, or refused.
		trip(t, false, []any{value}, func(_, b []any) bool { return within(value, b[0], equal) })
		trip(t, false, map[string]any{"k": value}, func(_, b map[string]any) bool { return within(value, b["k"], equal) })
		trip(t, false, box[any]{"a", value, 7}, func(_, b box[any]) bool { return within(value, b.V, equal) })
		for name, f := range map[string]interface {
			Append([]byte, any) ([]byte, error)
			Decode([]byte, any) error
		}{"json": must(codec.FormatOf("json")), "gob": must(codec.FormatOf("gob"))} {
			data, err := f.Append(nil, &value)
			var back T
			if err == nil {
				err = f.Decode(data, &back)
			}
			if !errors.Is(err, codec.ErrInvalid) && (err != nil || !equal(value, back)) {
				t.Errorf("%s: %v came back as %v, %v", name, value, back, err)
			}
		}
	}}
}

func within[T any](value T, got any, equal func(a, b T) bool) bool {
	if got == nil {
		v := reflect.ValueOf(&value).Elem()
		return v.Kind() == reflect.Interface && v.IsNil()
	}
	back, ok := got.(T)
	return ok && equal(value, back)
}

// refused is a value that must be refused, alone and within other values, with a text that
// has the path or the reason.
func refused[T any](name, text string, value T) fate {
	return fate{name: name, refused: text, check: func(t *testing.T, text string) {
		declined(t, "", text, value)
		declined(t, ".V", text, box[T]{"a", value, 7})
		declined(t, "[]", text, []T{value})
		declined(t, "[]", text, [1]T{value})
		declined(t, "[]", text, map[string]T{"k": value})
		declined(t, "", text, &value)
		declined(t, "[].V", text, map[string][]box[T]{"k": {{V: value}}})
		declined(t, "", "", []any{value})
		declined(t, "", "", map[string]any{"k": value})
	}}
}

type box[T any] struct {
	Before string
	V      T
	After  int
}

func declined[T any](t *testing.T, path, text string, value T) {
	t.Helper()
	_, err := codec.Append(nil, value)
	if !errors.Is(err, codec.ErrInvalid) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), text) {
		t.Errorf("%T: got error %v, want ErrInvalid with %q and %q", value, err, path, text)
	}
}

func trip[T any](t *testing.T, must bool, value T, equal func(a, b T) bool) {
	t.Helper()
	data, err := codec.Append(nil, value)
	if err != nil {
		if must || !errors.Is(err, codec.ErrInvalid) {
			t.Errorf("%T: %v", value, err)
		}
		return
	}
	again, err := codec.Append(nil, value)
	if err != nil || !bytes.Equal(again, data) {
		t.Errorf("%T: two encodings differ", value)
	}
	back, err := codec.Decode[T](data)
	if err != nil || !equal(value, back) {
		t.Errorf("%T: %#v came back as %#v, %v", value, value, back, err)
	}
}

func pointTo[T any](v T) *T { return &v }

func deepNode(levels int) *node {
	var n *node
	for range levels {
		n = &node{n}
	}
	return n
}

func deepAny(levels int) any {
	var v any = 1
	for range levels {
		v = []any{v}
	}
	return v
}

func cmpBig[T any](cmp func(a, b T) int) func(a, b T) bool {
	return func(a, b T) bool { return cmp(a, b) == 0 }
}

func timeEqual(a, b time.Time) bool {
	_, x := a.Zone()
	_, y := b.Zone()
	return a.Equal(b) && x == y
}

func fates(t *testing.T) []fate {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	type shadow struct {
		base
		ID string
	}
	selfMap := map[string]any{}
	selfMap["self"] = selfMap
	selfList := []any{nil}
	selfList[0] = selfList
	cyclicNode := &node{}
	cyclicNode.Next = cyclicNode
	cyclicTree := tree{make([]tree, 1)}
	cyclicTree.Sub[0] = cyclicTree
	var cyclicPointer pointerSelf
	cyclicPointer = &cyclicPointer
	var inAny any
	inAny = &inAny
	five := 5
	huge, _ := new(big.Int).SetString("-123456789012345678901234567890", 10)
	exact := new(big.Float).SetPrec(500).Quo(big.NewFloat(1), big.NewFloat(3))
	at := time.Date(2026, 7, 8, 9, 10, 11, 123456789, time.UTC)
	return []fate{
		// Basic types and what they are named.
		kept("bool", true), kept("int", -5), kept("int8", int8(-128)), kept("int16", int16(math.MinInt16)), kept("int32", int32(math.MaxInt32)),
		kept("int64", int64(math.MinInt64)), kept("uint", uint(math.MaxUint)), kept("uint8", uint8(255)), kept("uint16", uint16(1)),
		kept("uint32", uint32(math.MaxUint32)), kept("uint64", uint64(math.MaxUint64)), kept("uintptr", uintptr(7)),
		kept("float32", float32(0.1)), kept("float64", 0.1), kept("infinity", math.Inf(-1)), kept("largest float", math.MaxFloat64),
		keptBy("minus zero", math.Copysign(0, -1), func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }),
		keptBy("not a number", math.NaN(), func(a, b float64) bool { return math.IsNaN(a) && math.IsNaN(b) }),
		kept("string", "text"), kept("empty string", ""), kept("string that is not UTF-8", "\xff\xfe\x00"), kept("bytes", []byte("\xff")),
		kept("no bytes", []byte{}), kept("nil bytes", []byte(nil)), kept("rune", 'x'), kept("duration", time.Duration(math.MaxInt64)),
		kept("named int", number(5)), kept("named string with a lossy MarshalText", upper("lower")), kept("enum that is written as JSON only", enum(3)),
		kept("named bytes", blob2{1, 2}), kept("named bytes with named elements", elements{1, 2}), kept("month", time.March),
		kept("template.HTML", template.HTML("<b>")), kept("json.Number", json.Number("12")), kept("json.RawMessage", json.RawMessage(`{"a":1}`)),
		kept("http.Header", http.Header{"A": {"b"}, "C": nil}), kept("url.Values", url.Values{"a": {}}), kept("net.IP", net.ParseIP("1.2.3.4")),
		keptBy("net.IPNet", net.IPNet{IP: net.IP{1, 2, 3, 4}, Mask: net.IPMask{255, 0, 0, 0}}, func(a, b net.IPNet) bool { return a.String() == b.String() }), kept("net.HardwareAddr", net.HardwareAddr{1, 2}),
		kept("mail.Address", mail.Address{Name: "A", Address: "a@example.org"}), kept("image.Point", image.Pt(1, 2)), kept("image.Rectangle", image.Rect(1, 2, 3, 4)),
		kept("color.RGBA", color.RGBA{1, 2, 3, 4}), kept("sql.NullString", sql.NullString{String: "x", Valid: true}), kept("sql.NullTime", sql.NullTime{}),
		kept("sql.Null", sql.Null[int8]{V: 3, Valid: true}), kept("url.URL", *must(url.Parse("https://u:p@example.org:8/a%2Fb?x=y#z"))),
		kept("url.URL without a user", must(url.Parse("//example.org/?"))), kept("http.Cookie", http.Cookie{Name: "a", Value: "b", Expires: at, SameSite: http.SameSiteLaxMode}),
		// Lists, maps and pointers.
		kept("list", []int{1, 2, 3}), kept("nil list", []int(nil)), kept("empty list", []int{}), kept("list of lists", [][]string{nil, {}, {"a"}}),
		kept("array", [3]int{1, 2, 3}), kept("array of arrays", [2][2]int8{{1, 2}, {3, 4}}), kept("empty array", [0]string{}), kept("byte array", [16]byte{1, 2}),
		kept("array of named bytes", [2]enum{1, 2}), kept("list of byte arrays", [][2]byte{{1, 2}}), kept("list of nothing", []struct{}{{}, {}}),
		kept("map", map[string]int{"a": 1, "b": 2}), kept("nil map", map[string]int(nil)), kept("empty map", map[string]int{}),
		kept("map of ints", map[int]string{-1: "a", 1: "b", 1000: "c"}), kept("map of bools", map[bool]int{true: 1, false: 0}),
		kept("map of floats", map[float64]int{1.5: 1, math.Inf(1): 2, 0: 3}), kept("map of structs", map[base]string{{1}: "a"}),
		kept("map of arrays", map[[2]string]int{{"a", "b"}: 1}), kept("map of any", map[any]int{"a": 1, 1: 2, int8(1): 3, 1.5: 4, true: 5, nil: 6}),
		kept("map of times", map[time.Time]int{at: 1}), kept("map of addresses", map[netip.Addr]int{netip.MustParseAddr("::1"): 1}),
		kept("map of texters", map[texter]int{{"a"}: 1, {"b"}: 2}), kept("map of named strings", map[upper]int{"a": 1, "A": 2}),
		kept("map of maps", map[string]map[string][]int{"a": nil, "b": {}, "c": {"d": {1}}}), kept("set", map[string]struct{}{"a": {}}),
		kept("map of strings that are not UTF-8", map[string]string{"\xfe": "\xff", "\xfd": ""}),
		kept("pointer", pointTo(5)), kept("nil pointer", (*int)(nil)), kept("pointer to pointer", pointTo(pointTo(5))), kept("pointer to nil", pointTo((*int)(nil))),
		kept("pointer to a nil list", pointTo([]int(nil))), kept("pointer to an empty list", pointTo([]int{})), kept("pointer to a nil map", pointTo(map[string]int(nil))),
		kept("pointer to nothing", pointTo(any(nil))), kept("pointer to zero", pointTo(0)), kept("shared pointer", []*int{&five, &five}), kept("list of nil pointers", []*int{nil}),
		kept("pointer to a struct", &base{1}), kept("pointer to nothing at all", &struct{}{}),
		// Structs and their tags.
		kept("struct", base{1}), kept("empty struct", struct{}{}), kept("zero struct", everything{}), kept("unnamed struct", struct{ A, B int }{1, 2}),
		kept("every basic type", everything{true, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 1.5, 2.5, "s", []byte("b"), [4]byte{1}, at, time.Second, &five, pointTo(&five), pointTo([]int{1}), map[string]int{"a": 1}, map[int]map[bool]string{1: {true: "t"}}, uint16(3), nil}),
		kept("tags of other packages", tags{"dash", "dash", []int{}, 0, 5, 6, 7, 8, 0}), kept("toarray", toArray{A: 1, B: "b"}),
		kept("names that change places", renamed{1, 2}), kept("left out fields that are zero", &excused{Name: "a"}), kept("generic type", generic[string, []int]{map[string][]int{"a": {1}}, [][]int{nil, {}}}),
		kept("unexported fields that are zero", mixed{Name: "a"}), refused("unexported field", "n: ", mixed{"a", 1}), refused("two fields of one name", "colliding", colliding{1, 2}),
		refused("no exported field", "opaque", opaque{7}), refused("no exported field, zero", "opaque", opaque{}), refused("registered, but nothing of it stored", "opaque", []any{opaque{1}}),
		kept("shadowed embedded field", shadow{base{1}, "x"}), kept("embedded unexported struct", embedsUnexported{base{1}, 2}), kept("embedded pointer", embedsPointer{&Exported{3}}),
		kept("nil embedded pointer", embedsPointer{}), refused("embedded pointer to an unexported struct", "embedsHidden", embedsHidden{&base{1}}), kept("embedded number", embedsNumber{3, "n"}),
		keptBy("embedded time with a neighbour", event{at, "launch"}, func(a, b event) bool { return a == b }), kept("embedded pointer to time", eventPointer{&at, "launch"}),
		kept("embedded time, a neighbour, and one that is zero", eventHidden{at, "launch", 0}), refused("embedded time, a neighbour, and a hidden one", "n: ", eventHidden{at, "launch", 1}),
		refused("embedded texter with a neighbour", "texter", embedsTexter{texter{"a"}, "b"}),
		// Methods.
		kept("MarshalText", texter{"de"}), kept("GobEncode", gobber{"x"}), kept("MarshalJSON", jsoner{"x"}), kept("MarshalBinary", binarer{"x"}), kept("MarshalCBOR", cborer{"x"}),
		kept("methods of the pointer", pointerM{"x"}), kept("binary before text", prefers{"x"}), refused("MarshalText without its counterpart", "half", half{"x"}),
		refused("MarshalText that forgets", "b: the MarshalText", forgets{"a", "b"}), kept("MarshalText that has nothing to forget", forgets{"a", ""}),
		keptBy("MarshalText that says what is equal", settles{"a", "b"}, settles.Equal), refused("MarshalText that fails", "failing", failing{"x"}), kept("map to pointer methods", map[string]pointerM{"a": {"x"}}),
		kept("comparable with an interface within, as language.Tag", locale{1, "de-CH"}), kept("the same without", locale{2, nil}), kept("netip.Addr", netip.MustParseAddr("fe80::1%eth0")),
		kept("netip.Prefix", netip.MustParsePrefix("10.0.0.0/8")), kept("netip.AddrPort", netip.MustParseAddrPort("[::1]:80")), kept("no address", netip.Addr{}),
		keptBy("*big.Int", huge, cmpBig((*big.Int).Cmp)), keptBy("*big.Int zero", new(big.Int), cmpBig((*big.Int).Cmp)), keptBy("big.Int", *huge, func(a, b big.Int) bool { return a.Cmp(&b) == 0 }),
		keptBy("*big.Rat", big.NewRat(1, 3), cmpBig((*big.Rat).Cmp)), keptBy("*big.Float", big.NewFloat(1.5), cmpBig((*big.Float).Cmp)),
		keptBy("*big.Float of 500 bits", exact, func(a, b *big.Float) bool { return a.Cmp(b) == 0 && a.Prec() == b.Prec() }), kept("nil *big.Rat", (*big.Rat)(nil)),
		keptBy("regexp", regexp.MustCompile("a+b"), func(a, b *regexp.Regexp) bool { return a.String() == b.String() }), refused("*time.Location", "Location", berlin),
		refused("mutex", "Mutex", &sync.Mutex{}), refused("list.List", "List", list.New()), refused("atomic", "Int64", &atomic.Int64{}), refused("strings.Builder", "Builder", &strings.Builder{}),
		refused("bytes.Buffer", "Buffer", bytes.NewBufferString("x")), refused("error", "errorString", errors.New("x")), refused("sync.Map", "Map", &sync.Map{}), refused("template", "", template.New("x")),
		// Times.
		keptBy("time", at, timeEqual), keptBy("local time", at.Local(), timeEqual), keptBy("time now", time.Now(), timeEqual), keptBy("time in a zone", at.In(berlin), timeEqual),
		keptBy("time in a zone of seconds", at.In(time.FixedZone("", 3601)), timeEqual), keptBy("zero time", time.Time{}, timeEqual), keptBy("year -5", time.Date(-5, 1, 1, 0, 0, 0, 1, time.UTC), timeEqual),
		keptBy("year 20000", time.Date(20000, 1, 1, 0, 0, 0, 1, time.UTC), timeEqual), kept("UTC time", at), refused("time of an impossible zone", "zone", at.In(time.FixedZone("", 40000*60))),
		// Interfaces.
		kept("nil any", any(nil)), kept("int in any", any(5)), kept("int64 in any", any(int64(5))), kept("uint8 in any", any(uint8(5))), kept("float32 in any", any(float32(1.5))), kept("bytes in any", any([]byte{1})),
		kept("nil bytes in any", any([]byte(nil))), kept("time in any", any(at)), kept("duration in any", any(time.Second)), kept("list in any", any([]any{1, "a", nil, 1.5, true})), kept("nil list in any", any([]any(nil))),
		kept("map in any", any(map[string]any{"a": 1, "b": map[string]any{}})), kept("map of ints in a map of any", map[string]any{"a": map[int]string{1: "x"}}), kept("strings in any", any([]string{"a"})), kept("nil pointer in any", any((*int)(nil))),
		kept("pointer in any", any(pointTo(int8(3)))), kept("map of lists in any", any(map[string][]map[int8]bool{"a": {{1: true}}})), kept("registered type in any", any(box[int]{"a", 1, 2})), kept("pointer to a registered type in any", any(&box[int]{"a", 1, 2})),
		kept("list of a registered type in any", any([]box[int]{{"a", 1, 2}})), kept("registered type with methods in any", []any{texter{"x"}}), kept("interface with methods", interfaced{speaks{"hi"}}), kept("nil interface with methods", interfaced{}),
		kept("list of interfaces", []fmt.Stringer{speaks{"a"}, nil, time.Second, at}), kept("string that is not UTF-8 in any", []any{"\xff"}), kept("minus one in any", []any{-1, int8(-1), uint64(math.MaxUint64)}),
		refused("unregistered type in any", "RegisterType", []any{base{1}}), refused("unregistered type in an interface with methods", "RegisterType", interfaced{upperStringer("x")}), refused("named int in any", "RegisterType", []any{number(5)}),
		refused("unnamed struct in any", "RegisterType", []any{struct{ A int }{1}}), refused("array in any", "RegisterType", []any{[2]int{}}), refused("function in any", "func", []any{func() {}}), refused("error in any", "errorString", []any{errors.New("x")}),
		// What cannot be stored.
		refused("function", "func()", func() {}), refused("nil function", "func()", (func())(nil)), refused("channel", "chan int", make(chan int)), refused("unsafe pointer", "unsafe.Pointer", unsafe.Pointer(&five)),
		refused("complex", "complex128", 1i), refused("complex64", "complex64", complex64(1i)), refused("map of pointers", "[key]", map[*int]int{&five: 1}), refused("map of channels", "[key]", map[chan int]int{}),
		refused("map of not a number", "[key]", map[float64]int{math.NaN(): 1}), refused("map of any of not a number", "[key]", map[any]int{math.NaN(): 1}), refused("map of local times", "[key]", map[time.Time]int{time.Unix(1, 0).In(berlin): 1}),
		refused("map of any of pointers", "[key]", map[any]int{&five: 1}), refused("function in a struct", ".F", struct{ F func() }{}), refused("function in a list in a struct", ".F[]", struct{ F []func() }{}),
		refused("embedded codec.Unknown in a list", "Unknown", []codec.Unknown{{}}),
		// Recursive types, deep and cyclic values.
		kept("recursive struct", node{&node{&node{}}}), kept("recursive list", tree{[]tree{{}, {[]tree{{}}}}}), kept("recursive map", treeMap{"a": {"b": nil, "c": {}}}), kept("list of itself", listOfSelf{{}, nil, {{}}}),
		kept("mutual recursion", mutual{&mutualB{[]mutual{{}, {&mutualB{}}}}}), kept("pointer to itself, nil", pointerSelf(nil)), kept("9000 levels", deepNode(9000)), kept("9000 levels of any", deepAny(9000)),
		refused("20000 levels", "levels", deepNode(20000)), refused("20000 levels of any", "levels", deepAny(20000)), refused("cyclic pointer", "levels", cyclicNode), refused("cyclic list", "levels", cyclicTree),
		refused("cyclic map of any", "levels", selfMap), refused("cyclic list of any", "levels", selfList), refused("pointer to itself", "levels", cyclicPointer), refused("any that points to itself", "levels", inAny),
	}
}

// What is accepted comes back equal, and the rest is refused with the path to it, whatever
// it is within.
func TestValuesComeBackOrAreRefused(t *testing.T) {
	names := make(map[string]bool)
	for _, f := range fates(t) {
		if names[f.name] {
			t.Errorf("two cases are called %q", f.name)
		}
		names[f.name] = true
		t.Run(f.name, func(t *testing.T) { f.check(t, f.refused) })
	}
	t.Logf("%d cases", len(names))
}

// Fields of one json name are different fields. (vet does not let such a type be declared.)
func TestFieldsOfOneJSONName(t *testing.T) {
	duplicated := reflect.StructOf([]reflect.StructField{
		{Name: "A", Type: reflect.TypeFor[int](), Tag: `json:"x"`},
		{Name: "B", Type: reflect.TypeFor[int](), Tag: `json:"x"`},
	})
	twins, back := reflect.New(duplicated), reflect.New(duplicated)
	twins.Elem().Field(0).SetInt(1)
	twins.Elem().Field(1).SetInt(2)
	format := must(codec.FormatOf("cbor"))
	if err := format.Decode(must(format.Append(nil, twins.Interface())), back.Interface()); err != nil || back.Elem().Interface() != twins.Elem().Interface() {
		t.Errorf("%v came back as %v, %v", twins, back, err)
	}
	if _, err := must(codec.FormatOf("json")).Append(nil, twins.Interface()); !errors.Is(err, codec.ErrInvalid) || !strings.Contains(err.Error(), ".A: ") {
		t.Errorf("JSON: got error %v, want ErrInvalid with the path", err)
	}
}

// A value of forty pointers that would be written as a million million is refused.
func TestValuesThatShareTheirParts(t *testing.T) {
	defer codec.SetMaxBytes(1 << 20)()
	type both struct{ A, B any }
	var pointers, lists, maps any = 1, 1, 1
	codec.RegisterType[both]("codec_test.both")
	for range 40 {
		pointers = &both{pointers, pointers}
		lists = []any{lists, lists}
		maps = map[string]any{"a": maps, "b": maps}
	}
	for _, v := range []any{pointers, lists, maps} {
		if _, err := codec.Append(nil, v); !errors.Is(err, codec.ErrInvalid) || !strings.Contains(err.Error(), "bytes") {
			t.Errorf("%T: got error %v, want ErrInvalid", v, err)
		}
	}
}
