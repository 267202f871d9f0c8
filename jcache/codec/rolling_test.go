package codec_test

import (
	"errors"
	"math"
	"reflect"
	"testing"

	"github.com/keepsake-cache/keepsake/jcache/codec"
)

type (
	customer1 struct {
		Name string
		Age  int
		codec.Unknown
	}
	customer2 struct {
		Name   string
		Emails []string
		Age    int
		Home   address2
	}
	address2  struct{ Street, City string }
	forgetful struct {
		Name string
	}
	renumbered struct {
		Name int
	}
	stranger struct{ Title, Author string }
)

func reread[To, From any](t *testing.T, from From) (To, error) {
	t.Helper()
	return codec.Decode[To](must(codec.Append(nil, from)))
}

// In a rolling deployment an older program reads, changes and stores what a newer one has
// written. It keeps what it does not know if the struct has a field for that.
func TestOlderProgramsKeepUnknownFields(t *testing.T) {
	newer := customer2{"ann", []string{"a@example.org", ""}, 30, address2{"High St", "Ely"}}
	older, err := reread[customer1](t, newer)
	if err != nil || older.Name != "ann" || older.Age != 30 {
		t.Fatalf("%v, %v", older, err)
	}
	again, err := reread[customer1](t, older)
	if err != nil || !reflect.DeepEqual(again, older) {
		t.Errorf("the older program's value came back as %v, %v", again, err)
	}
	older.Age++
	newer.Age++
	if got, err := reread[customer2](t, older); err != nil || !reflect.DeepEqual(got, newer) {
		t.Errorf("got %v, %v", got, err)
	}
	// Without such a field they are left out, and zero when the newer program reads it.
	without, err := reread[forgetful](t, newer)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := reread[customer2](t, without); err != nil || !reflect.DeepEqual(got, customer2{Name: "ann"}) {
		t.Errorf("got %v, %v", got, err)
	}
	// Formats that do not keep it refuse it.
	for _, c := range []codec.Codec[customer1]{codec.JSON[customer1](), codec.Gob[customer1]()} {
		if _, err := c.Append(nil, older); !errors.Is(err, codec.ErrInvalid) {
			t.Errorf("codec %d: got error %v, want ErrInvalid", c.ID(), err)
		}
	}
	type two struct {
		A, B codec.Unknown
		C    int
	}
	if _, err := codec.Append(nil, two{}); !errors.Is(err, codec.ErrInvalid) {
		t.Errorf("two fields that collect: got error %v, want ErrInvalid", err)
	}
}

// A value that was stored as another type is a mismatch, not a zero value.
func TestValuesOfOtherTypes(t *testing.T) {
	customer := customer2{Name: "ann", Age: 1}
	for name, err := range map[string]error{
		"an unrelated struct":                        second(reread[stranger](t, customer)),
		"an unrelated struct within":                 second(reread[[]stranger](t, []customer2{customer})),
		"an empty struct":                            second(reread[struct{}](t, customer)),
		"a field of another type":                    second(reread[renumbered](t, customer)),
		"a list read as a shorter array":             second(reread[[2]int](t, []int{1, 2, 3})),
		"a list read as a longer array":              second(reread[[4]int](t, []int{1, 2, 3})),
		"bytes read as an array":                     second(reread[struct{ A [2]byte }](t, struct{ A []byte }{[]byte{1, 2, 3}})),
		"a number that is too large":                 second(reread[[]int8](t, []int{128})),
		"a negative number":                          second(reread[[]uint](t, []int{-1})),
		"a float that is too exact":                  second(reread[[]float32](t, []float64{0.1})),
		"a float read as a number":                   second(reread[[]int](t, []float64{1})),
		"a text read as bytes":                       second(reread[struct{ A []byte }](t, struct{ A string }{"a"})),
		"bytes read as a text":                       second(reread[struct{ A string }](t, struct{ A []byte }{[]byte("a")})),
		"nil read as a number":                       second(reread[[]int](t, []*int{nil})),
		"nil read as a struct":                       second(reread[[]stranger](t, []*stranger{nil})),
		"a map read as a list":                       second(reread[[]int](t, map[string]int{"a": 1})),
		"a struct read as a number":                  second(reread[int](t, customer)),
		"a number read as a struct":                  second(reread[customer2](t, 1)),
		"an interface of another type":               second(reread[interfaced](t, struct{ S any }{1})),
		"an unregistered type read as any":           second(reread[any](t, customer)),
		"an unregistered type of text, read as any":  second(reread[any](t, upper("a"))),
		"a list of an unregistered type read as any": second(reread[any](t, []customer2{customer})),
		"a function":                                 second(reread[func()](t, []int{1})),
	} {
		if !errors.Is(err, codec.ErrTypeMismatch) {
			t.Errorf("%s: got error %v, want ErrTypeMismatch", name, err)
		}
	}
	if got, err := reread[map[string]int64](t, []box[int8]{}[:0:0]); err == nil {
		t.Errorf("a list read as a map: %v", got)
	}
}

// What loses nothing can be read as another type.
func TestValuesOfWiderTypes(t *testing.T) {
	if got, err := reread[[]int64](t, []int8{-1, 2}); err != nil || !reflect.DeepEqual(got, []int64{-1, 2}) {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := reread[[]float64](t, []float32{1.5, math.MaxFloat32}); err != nil || !reflect.DeepEqual(got, []float64{1.5, math.MaxFloat32}) {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := reread[[]*int](t, []int{1}); err != nil || *got[0] != 1 {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := reread[[]int](t, []*int{pointTo(1)}); err != nil || got[0] != 1 {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := reread[[3]int](t, []int{1, 2, 3}); err != nil || got != [3]int{1, 2, 3} {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := reread[box[int]](t, map[string]any{"Before": "a", "V": int8(3), "After": uint16(4)}); err != nil || got != (box[int]{"a", 3, 4}) {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := reread[box[int]](t, any(&box[int]{"a", 3, 4})); err != nil || got != (box[int]{"a", 3, 4}) {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := reread[any](t, box[int]{"a", 3, 4}); err != nil || got != (box[int]{"a", 3, 4}) {
		t.Errorf("%v, %v", got, err)
	}
}
