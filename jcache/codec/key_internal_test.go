package codec

import (
	"errors"
	"math"
	"net/netip"
	"reflect"
	"testing"
	"time"
	"unsafe"
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
	c := keysOf[K]()
	var list []string
	seen := make(map[string]K)
	for _, k := range keys {
		s, err := c.encode(k)
		if err != nil {
			t.Errorf("%T %v: %v", k, k, err)
			continue
		}
		if other, ok := seen[s]; ok {
			t.Errorf("%T: %v and %v are stored alike", k, other, k)
		}
		seen[s] = k
		if back, err := c.decode(s); err != nil || back != k {
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
			func() (string, error) { return keysOf[float64]().encode(zero) },
			func() (string, error) { return keysOf[float64]().encode(-zero) },
		},
		"negative zero": {
			func() (string, error) { return keysOf[float64]().encode(zero) },
			func() (string, error) { return keysOf[float64]().encode(math.Copysign(0, -1)) },
		},
		"small negative zero": {
			func() (string, error) { return keysOf[float32]().encode(0) },
			func() (string, error) { return keysOf[float32]().encode(float32(math.Copysign(0, -1))) },
		},
		"any negative zero": {
			func() (string, error) { return keysOf[any]().encode(zero) },
			func() (string, error) { return keysOf[any]().encode(math.Copysign(0, -1)) },
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
	if _, err := keysOf[float64]().encode(math.NaN()); !errors.Is(err, ErrInvalid) {
		t.Errorf("not a number: got error %v, want ErrInvalid", err)
	}
	if _, err := keysOf[any]().encode(func() {}); !errors.Is(err, ErrInvalid) {
		t.Errorf("a function: got error %v, want ErrInvalid", err)
	}
	for name, err := range map[string]error{
		"a number that is too large": second(keysOf[int8]().decode("128")),
		"a negative unsigned number": second(keysOf[uint]().decode("-1")),
		"a text that is no number":   second(keysOf[int]().decode("hunter2")),
		"a text that is no base64":   second(keysOf[address]().decode("!")),
		"an empty text":              second(keysOf[address]().decode("")),
	} {
		if !errors.Is(err, ErrUndecodable) {
			t.Errorf("%s: got error %v, want ErrUndecodable", name, err)
		}
	}
}

func TestKeyTypes(t *testing.T) {
	type inner struct{ P *int }
	for _, bad := range []reflect.Type{
		reflect.TypeFor[*int](), reflect.TypeFor[chan int](), reflect.TypeFor[unsafe.Pointer](), reflect.TypeFor[*time.Time](),
		reflect.TypeFor[inner](), reflect.TypeFor[[2]inner](), reflect.TypeFor[struct{ A inner }](),
	} {
		if err := checkKeyType(bad); !errors.Is(err, ErrInvalid) {
			t.Errorf("%v: got error %v, want ErrInvalid", bad, err)
		}
	}
	for _, good := range []reflect.Type{
		reflect.TypeFor[string](), reflect.TypeFor[any](), reflect.TypeFor[time.Time](), reflect.TypeFor[netip.Addr](), reflect.TypeFor[[4]float64](),
	} {
		if err := checkKeyType(good); err != nil {
			t.Errorf("%v: got error %v", good, err)
		}
	}
	if _, err := keysOf[any]().encode(&inner{}); !errors.Is(err, ErrInvalid) {
		t.Errorf("a pointer in an interface: got error %v, want ErrInvalid", err)
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
	c := keysOf[K]()
	sa, erra := c.encode(a)
	sb, errb := c.encode(b)
	if erra != nil || errb != nil {
		t.Fatal(erra, errb)
	}
	if (sa == sb) != (a == b) {
		t.Errorf("%#v and %#v are stored as %q and %q", a, b, sa, sb)
	}
	if back, err := c.decode(sa); err != nil || back != a {
		t.Errorf("%#v came back as %#v, %v", a, back, err)
	}
}
