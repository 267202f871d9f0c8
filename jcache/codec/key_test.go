package codec_test

import (
	"errors"
	"math"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/keepsake-cache/keepsake/jcache/codec"
)

type (
	shelf   string
	slot    int16
	address struct {
		Shelf shelf
		Slot  slot
	}
)

// stored encodes keys, checks that each comes back, and that no two are stored alike.
func stored[K comparable](t *testing.T, keys ...K) []string {
	t.Helper()
	c := mustKeys[K]()
	var list []string
	seen := make(map[string]K)
	for _, k := range keys {
		s, err := c.Encode(k)
		if err != nil {
			t.Errorf("%T %v: %v", k, k, err)
			continue
		}
		if other, ok := seen[s]; ok {
			t.Errorf("%T: %v and %v are stored alike", k, other, k)
		}
		seen[s] = k
		if back, err := c.Decode(s); err != nil || back != k {
			t.Errorf("%T: %v came back as %v, %v", k, k, back, err)
		}
		list = append(list, s)
	}
	return list
}

func TestKeys(t *testing.T) {
	if got := stored(t, "a", "b c", "\x00\xff")[1]; got != "b c" {
		t.Errorf("a text is stored as %q", got)
	}
	if got := stored(t, shelf("left"), "right")[0]; got != "left" {
		t.Errorf("a named text is stored as %q", got)
	}
	if got := stored(t, 0, -1, math.MaxInt, math.MinInt)[1]; got != "-1" {
		t.Errorf("a number is stored as %q", got)
	}
	stored(t, slot(0), slot(math.MaxInt16), slot(math.MinInt16))
	stored[int8](t, 0, 127, -128)
	stored[uint64](t, 0, math.MaxUint64)
	stored[uintptr](t, 0, 7)
	stored(t, true, false)
	stored(t, 0, 1.5, math.Inf(1), math.Inf(-1), math.MaxFloat64)
	stored[float32](t, 0, 1.5)
	stored(t, address{"a", 1}, address{"a", 2}, address{"b", 1}, address{})
	stored(t, [2]string{"a", "bc"}, [2]string{"ab", "c"})
	stored(t, time.Unix(0, 0).UTC(), time.Unix(0, 1).UTC())
	stored(t, time.Second, time.Minute)
	stored[any](t, 1, "1", uint8(1), 1.0, true, int64(1))
}

// Keys that are equal are stored alike.
func TestEqualKeys(t *testing.T) {
	zero := 0.0
	for name, pair := range map[string][2]func() (string, error){
		"zeros": {
			func() (string, error) { return mustKeys[float64]().Encode(zero) },
			func() (string, error) { return mustKeys[float64]().Encode(-zero) },
		},
		"negative zero": {
			func() (string, error) { return mustKeys[float64]().Encode(zero) },
			func() (string, error) { return mustKeys[float64]().Encode(math.Copysign(0, -1)) },
		},
		"small negative zero": {
			func() (string, error) { return mustKeys[float32]().Encode(0) },
			func() (string, error) { return mustKeys[float32]().Encode(float32(math.Copysign(0, -1))) },
		},
		"any negative zero": {
			func() (string, error) { return mustKeys[any]().Encode(zero) },
			func() (string, error) { return mustKeys[any]().Encode(math.Copysign(0, -1)) },
		},
	} {
		a, err := pair[0]()
		b, err2 := pair[1]()
		if a != b || err != nil || err2 != nil {
			t.Errorf("%s: %q, %v and %q, %v", name, a, err, b, err2)
		}
	}
}

func TestNoKeys(t *testing.T) {
	if _, err := mustKeys[float64]().Encode(math.NaN()); !errors.Is(err, codec.ErrInvalid) {
		t.Errorf("not a number: got error %v, want ErrInvalid", err)
	}
	if _, err := mustKeys[any]().Encode(func() {}); !errors.Is(err, codec.ErrInvalid) {
		t.Errorf("a function: got error %v, want ErrInvalid", err)
	}
	for name, err := range map[string]error{
		"a number that is too large": second(mustKeys[int8]().Decode("128")),
		"a negative unsigned number": second(mustKeys[uint]().Decode("-1")),
		"a text that is no number":   second(mustKeys[int]().Decode("hunter2")),
		"a text that is no base64":   second(mustKeys[address]().Decode("!")),
		"an empty text":              second(mustKeys[address]().Decode("")),
	} {
		if !errors.Is(err, codec.ErrUndecodable) {
			t.Errorf("%s: got error %v, want ErrUndecodable", name, err)
		}
	}
}

func mustKeys[K comparable]() codec.Keys[K] { return must(codec.NewKeys[K]()) }

func refusedKeys[K comparable](t *testing.T, path string) {
	t.Helper()
	_, err := codec.NewKeys[K]()
	if !errors.Is(err, codec.ErrInvalid) || !strings.Contains(err.Error(), path+": ") {
		t.Errorf("%v: got error %v, want ErrInvalid with the path %s", reflect.TypeFor[K](), err, path)
	}
}

func acceptedKeys[K comparable](t *testing.T) {
	t.Helper()
	if _, err := codec.NewKeys[K](); err != nil {
		t.Errorf("%v: %v", reflect.TypeFor[K](), err)
	}
}

func second[T any](_ T, err error) error { return err }

func FuzzKeys(f *testing.F) {
	f.Add("a", int64(1), uint64(2), "b", int64(-1), uint64(3))
	f.Add("", int64(0), uint64(0), "\x00", int64(0), uint64(0))
	f.Fuzz(func(t *testing.T, s1 string, i1 int64, u1 uint64, s2 string, i2 int64, u2 uint64) {
		type composite struct {
			S string
			I int64
			U uint64
		}
		same(t, s1, s2)
		same(t, shelf(s1), shelf(s2))
		same(t, i1, i2)
		same(t, u1, u2)
		same[any](t, i1, s2)
		same(t, composite{s1, i1, u1}, composite{s2, i2, u2})
		same(t, [2]string{s1, s2}, [2]string{s2, s1})
	})
}

// same checks that two keys are stored alike if and only if they are equal.
func same[K comparable](t *testing.T, a, b K) {
	t.Helper()
	c := mustKeys[K]()
	sa, erra := c.Encode(a)
	sb, errb := c.Encode(b)
	if erra != nil || errb != nil {
		t.Fatal(erra, errb)
	}
	if (sa == sb) != (a == b) {
		t.Errorf("%#v and %#v are stored as %q and %q", a, b, sa, sb)
	}
	if back, err := c.Decode(sa); err != nil || back != a {
		t.Errorf("%#v came back as %#v, %v", a, back, err)
	}
}

type (
	hiddenPart struct {
		Kind   string
		tenant int
	}
	jsonDash struct {
		Kind   string
		Tenant int `json:"-"`
	}
	cborDash struct {
		Kind   string
		Tenant int `cbor:"-"`
	}
	ourDash struct {
		Kind   string
		Tenant int `keepsake:"-"`
	}
	twice struct {
		A int `cbor:"x"`
		B int `cbor:"x"`
	}
	inner    struct{ ID int }
	shadowed struct {
		inner
		ID int
	}
	blank struct {
		A int
		_ int
		B int
	}
	lossy struct{ A, B int }
	vague struct{ a int }
	loud  string
	uuid  [16]byte
	pair  [2]any
)

func (l lossy) MarshalBinary() ([]byte, error)  { return []byte{byte(l.A)}, nil }
func (l *lossy) UnmarshalBinary(b []byte) error { l.A = int(b[0]); return nil }
func (v vague) MarshalBinary() ([]byte, error)  { return []byte{byte(v.a)}, nil }
func (v *vague) UnmarshalBinary(b []byte) error { v.a = int(b[0]); return nil }
func (l loud) MarshalText() ([]byte, error)     { return []byte("loud"), nil }
func (l *loud) UnmarshalText(b []byte) error    { *l = "loud"; return nil }
func (u uuid) MarshalText() ([]byte, error)     { return []byte("uuid"), nil }
func (u *uuid) UnmarshalText(b []byte) error    { *u = uuid{}; return nil }

func init() {
	codec.RegisterType[twice]("codec_test.twice")
	codec.RegisterType[uuid]("codec_test.uuid")
	codec.RegisterType[hiddenPart]("codec_test.hiddenPart")
	codec.RegisterType[pair]("codec_test.pair")
}

// What cannot be told by the type is refused when the cache is created, with the path.
func TestKeysThatTheTypeDoesNotTell(t *testing.T) {
	type hasPointer struct{ P *int }
	refusedKeys[*int](t, "int")
	refusedKeys[chan int](t, "chan int")
	refusedKeys[unsafe.Pointer](t, "Pointer")
	refusedKeys[*time.Time](t, "Time")
	refusedKeys[hasPointer](t, "hasPointer.P")
	refusedKeys[[2]hasPointer](t, "[].P")
	refusedKeys[struct{ A hasPointer }](t, ".A.P")
	refusedKeys[hiddenPart](t, "hiddenPart.tenant")
	refusedKeys[[1]hiddenPart](t, "[].tenant")
	refusedKeys[struct{ In [3]struct{ hiddenPart } }](t, ".In[].hiddenPart.tenant")
	refusedKeys[ourDash](t, "ourDash.Tenant")
	refusedKeys[vague](t, "vague.a")
	refusedKeys[complex128](t, "complex128")
	refusedKeys[struct{ When struct{ *time.Time } }](t, ".When.Time")
	acceptedKeys[any](t)
	acceptedKeys[netip.Addr](t)
	acceptedKeys[time.Time](t)
}

// Keys are stored alike if and only if they are equal, whatever tags and methods say.
func TestKeysThatLookAlike(t *testing.T) {
	stored(t, jsonDash{"cart", 7}, jsonDash{"cart", 8})
	stored(t, cborDash{"cart", 7}, cborDash{"cart", 8})
	stored(t, twice{1, 2}, twice{3, 4}, twice{1, 4})
	stored(t, shadowed{inner{1}, 5}, shadowed{inner{2}, 5})
	stored(t, lossy{1, 2}, lossy{1, 3})
	stored(t, loud("a"), loud("b"))
	stored(t, uuid{1}, uuid{2})
	stored(t, [1]jsonDash{{"cart", 7}}, [1]jsonDash{{"cart", 8}})
	stored(t, [2]string{"a", ""}, [2]string{"", "a"}, [2]string{"\xff", ""}, [2]string{"\xfe", ""})
	stored(t, [0]int{})
	stored(t, struct{}{})
	stored(t, netip.MustParseAddr("1.2.3.4"), netip.MustParseAddr("::ffff:1.2.3.4"), netip.MustParseAddr("fe80::1%eth0"), netip.MustParseAddr("fe80::1"), netip.Addr{})
	stored(t, netip.Prefix{}, netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/9"))
	stored(t, netip.AddrPort{}, netip.MustParseAddrPort("10.0.0.0:8"), netip.MustParseAddrPort("10.0.0.0:9"))
	stored(t, time.Time{}, time.Unix(0, 0).UTC(), time.Date(-5, 1, 1, 0, 0, 0, 1, time.UTC), time.Date(20000, 1, 1, 0, 0, 0, 1, time.UTC))
	stored[any](t, nil, 1, int8(1), int16(1), int32(1), int64(1), uint(1), uint8(1), uint16(1), uint32(1), uint64(1), uintptr(1),
		1.0, float32(1), "1", "\xff", true, time.Duration(1), twice{1, 2}, twice{1, 3}, uuid{}, time.Unix(0, 1).UTC(), pair{1, "x"}, pair{int64(1), "x"}, pair{})
	same(t, blank{A: 1, B: 2}, blank{A: 1, B: 2})
	same(t, [2]float64{0, 1}, [2]float64{math.Copysign(0, -1), 1})
	same[any](t, 0.0, math.Copysign(0, -1))
	same[any](t, pair{0.0}, pair{math.Copysign(0, -1)})
}

// In an interface the type of a key is only known when there is one.
func TestKeysThatOnlyTheValueTells(t *testing.T) {
	now := time.Now()
	five := 5
	for name, err := range map[string]error{
		"a type that is not registered":              second(mustKeys[any]().Encode(struct{ A int }{1})),
		"a registered type with a hidden field":      second(mustKeys[any]().Encode(hiddenPart{"cart", 7})),
		"a pointer":                                  second(mustKeys[any]().Encode(&five)),
		"a list":                                     second(mustKeys[any]().Encode([]any{1})),
		"a function":                                 second(mustKeys[any]().Encode(func() {})),
		"a pointer within":                           second(mustKeys[any]().Encode(pair{1, &five})),
		"not a number":                               second(mustKeys[[2]any]().Encode([2]any{math.NaN(), 1})),
		"not a number, in an array":                  second(mustKeys[[2]float32]().Encode([2]float32{float32(math.NaN())})),
		"a time with a reading of the clock":         second(mustKeys[time.Time]().Encode(now)),
		"a time of a zone":                           second(mustKeys[time.Time]().Encode(now.Round(0).In(time.FixedZone("X", 3600)))),
		"a local time":                               second(mustKeys[time.Time]().Encode(time.Unix(0, 0))),
		"a time of a zone, in a field":               second(mustKeys[struct{ At time.Time }]().Encode(struct{ At time.Time }{now})),
		"a time with a reading, within an interface": second(mustKeys[any]().Encode(now)),
	} {
		if !errors.Is(err, codec.ErrInvalid) {
			t.Errorf("%s: got error %v, want ErrInvalid", name, err)
		}
	}
	same(t, now.Round(0).UTC(), now.Round(0).UTC())
}

// FuzzDecodeKey feeds the decoder anything: it must not panic, and what it accepts is a
// key that can be encoded.
func FuzzDecodeKey(f *testing.F) {
	for name, s := range samples() {
		if strings.HasPrefix(name, "key") {
			f.Add(string(must(s.encode())))
		}
	}
	f.Fuzz(func(t *testing.T, stored string) {
		decodeKey[any](t, stored)
		decodeKey[pair](t, stored)
		decodeKey[shadowed](t, stored)
		decodeKey[time.Time](t, stored)
		decodeKey[netip.Addr](t, stored)
		decodeKey[[2]string](t, stored)
		decodeKey[int8](t, stored)
		decodeKey[blank](t, stored)
	})
}

func decodeKey[K comparable](t *testing.T, stored string) {
	keys := mustKeys[K]()
	key, err := keys.Decode(stored)
	if err != nil {
		if !errors.Is(err, codec.ErrUndecodable) {
			t.Errorf("got error %v, want ErrUndecodable", err)
		}
		return
	}
	again, err := keys.Encode(key)
	if err != nil {
		return // a local time, or what is not a number, that nobody has stored
	}
	if back, err := keys.Decode(again); err != nil || back != key {
		t.Errorf("%#v came back as %#v, %v", key, back, err)
	}
}
