package codec_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/big"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/keepsake-cache/keepsake/jcache/codec"
)

type (
	colour   uint8
	label    string
	switched bool
	weight   float32
	blob     []byte
	line     struct {
		Text  string
		Price *big.Int
		Notes []string
		Tags  map[label]int
		Next  *line
		Any   any
		inner int
	}
	onlyEmbedded struct{ line }
)

// roundTrip encodes a value and decodes it as the same type.
func roundTrip[V any](t *testing.T, values ...V) {
	t.Helper()
	for _, v := range values {
		data, err := codec.Append([]byte("before"), v)
		if err != nil {
			t.Errorf("%T: %v", v, err)
			continue
		}
		data = bytes.TrimPrefix(data, []byte("before"))
		got, err := codec.Decode[V](bytes.Clone(data))
		if err != nil {
			t.Errorf("%T %v: %v", v, v, err)
			continue
		}
		opts := cmp.Options{
			cmpopts.EquateNaNs(), cmp.AllowUnexported(onlyEmbedded{}), cmpopts.IgnoreUnexported(line{}),
			cmp.Comparer(func(a, b *big.Int) bool { return a == b || a != nil && b != nil && a.Cmp(b) == 0 }),
			cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
		}
		if diff := cmp.Diff(v, got, opts...); diff != "" {
			t.Errorf("%T (-want +got):\n%s", v, diff)
		}
		again, err := codec.Append(nil, v)
		if err != nil || !bytes.Equal(again, data) {
			t.Errorf("%T: the second encoding differs from the first", v)
		}
	}
}

func TestTaggedRoundTrip(t *testing.T) {
	roundTrip(t, false, true)
	roundTrip(t, switched(true))
	roundTrip(t, 0, 1, -1, math.MaxInt, math.MinInt)
	roundTrip[int8](t, 0, math.MaxInt8, math.MinInt8)
	roundTrip[int16](t, 0, math.MaxInt16, math.MinInt16)
	roundTrip[int32](t, 0, math.MaxInt32, math.MinInt32)
	roundTrip[int64](t, 0, math.MaxInt64, math.MinInt64)
	roundTrip[uint](t, 0, math.MaxUint)
	roundTrip[uint8](t, 0, math.MaxUint8)
	roundTrip[uint16](t, 0, math.MaxUint16)
	roundTrip[uint32](t, 0, math.MaxUint32)
	roundTrip[uint64](t, 0, math.MaxUint64)
	roundTrip[uintptr](t, 0, math.MaxUint32)
	roundTrip[float32](t, 0, 1.5, math.MaxFloat32, math.SmallestNonzeroFloat32, float32(math.Inf(-1)), float32(math.NaN()))
	roundTrip(t, 0, 1.5, math.MaxFloat64, math.SmallestNonzeroFloat64, math.Inf(1), math.NaN())
	roundTrip(t, "", "text", "\x00\xff", "ключ")
	roundTrip(t, []byte(nil), []byte{}, []byte{0, 1, 255})
	roundTrip(t, colour(200))
	roundTrip(t, label("l"))
	roundTrip(t, weight(1.25))
	roundTrip(t, blob{1, 2}, blob(nil))
	roundTrip(t, time.Duration(0), time.Duration(math.MaxInt64), time.Duration(math.MinInt64), time.Millisecond)
	roundTrip(t, []int{}, []int{1, 2, 3})
	roundTrip(t, [3]string{"a", "b", "c"})
	roundTrip(t, map[string]int{}, map[string]int{"a": 1, "b": 2, "c": 3, "d": 4})
	roundTrip(t, map[int]label{1: "one", -1: "minus one"})
	roundTrip(t, []any{nil, true, "s", 1.5, []any{"x"}})
	roundTrip(t, any(nil), any(uint16(7)), any("s"), any(int8(-3)), any(time.Second), any([]byte{1}))
	// A Go string holds any bytes, also inside other values.
	roundTrip(t, []string{"\xff", "k\xb8d\x00"})
	roundTrip(t, map[string]string{"\xfe": "\xff"})
	roundTrip(t, line{Text: "\xff", Any: "\xc3\x28"})
	roundTrip(t, any([]any{"\xff"}))
	roundTrip(t, struct{}{})
	roundTrip(t, netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1"))
	huge, _ := new(big.Int).SetString("123456789012345678901234567890123456789", 10)
	roundTrip(t, huge, new(big.Int).Neg(huge), big.NewInt(0), big.NewInt(-5))
	text, number := "pointed to", 5
	roundTrip(t, &text, nil)
	roundTrip(t, &number, nil)
	full := line{"text", huge, []string{"n"}, map[label]int{"t": 1, "a": 2, "b": 3}, &line{Text: "next"}, "any", 0}
	roundTrip(t, line{}, full)
	roundTrip(t, &full, nil)
	roundTrip(t, onlyEmbedded{full})
	roundTrip(t, []line{full, {}})
}

func TestTaggedTimes(t *testing.T) {
	at := time.Date(2026, 7, 8, 9, 10, 11, 123456789, time.UTC)
	for _, zone := range []*time.Location{time.UTC, time.FixedZone("", 5*3600+1800), time.FixedZone("", -11*3600)} {
		for _, moment := range []time.Time{at.In(zone), time.Date(1, 1, 1, 0, 0, 0, 0, zone), time.Date(9999, 12, 31, 23, 59, 59, 0, zone)} {
			type holder struct{ At time.Time }
			data, err := codec.Append(nil, moment)
			if err != nil {
				t.Fatal(err)
			}
			got, err := codec.Decode[time.Time](data)
			if err != nil || !got.Equal(moment) || got.Format(time.RFC3339Nano) != moment.Format(time.RFC3339Nano) {
				t.Errorf("%v came back as %v, %v", moment, got, err)
			}
			if data, err = codec.Append(nil, holder{moment}); err != nil {
				t.Fatal(err)
			}
			held, err := codec.Decode[holder](data)
			if err != nil || !held.At.Equal(moment) {
				t.Errorf("%v in a struct came back as %v, %v", moment, held.At, err)
			}
		}
	}
	roundTrip(t, time.Time{})
	now := time.Now() // its reading of the monotonic clock means nothing elsewhere
	data, err := codec.Append(nil, now)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := codec.Decode[time.Time](data); err != nil || !got.Equal(now) {
		t.Errorf("%v came back as %v, %v", now, got, err)
	}
}

// decodeAs encodes a value and decodes it as V; the result is a text.
func decodeAs[V any](t *testing.T, value any) string {
	t.Helper()
	data, err := codec.Append(nil, value)
	if err != nil {
		t.Fatal(err)
	}
	v, err := codec.Decode[V](data)
	if errors.Is(err, codec.ErrTypeMismatch) {
		return "mismatch"
	}
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(v)
}

// Numbers may be read as other types if nothing is lost; other mixtures may not.
func TestTaggedConversions(t *testing.T) {
	for _, test := range []struct{ got, want string }{
		{decodeAs[int8](t, 127), "127"},
		{decodeAs[int8](t, 128), "mismatch"},
		{decodeAs[int8](t, -129), "mismatch"},
		{decodeAs[int64](t, int8(-5)), "-5"},
		{decodeAs[int](t, int64(math.MaxInt)), fmt.Sprint(math.MaxInt)},
		{decodeAs[uint8](t, 255), "255"},
		{decodeAs[uint8](t, 256), "mismatch"},
		{decodeAs[uint](t, -1), "mismatch"},
		{decodeAs[int64](t, uint64(math.MaxInt64)), fmt.Sprint(int64(math.MaxInt64))},
		{decodeAs[int64](t, uint64(math.MaxInt64)+1), "mismatch"},
		{decodeAs[int8](t, uint8(128)), "mismatch"},
		{decodeAs[colour](t, 7), "7"},
		{decodeAs[colour](t, 256), "mismatch"},
		{decodeAs[int](t, colour(7)), "7"},
		{decodeAs[time.Duration](t, int64(5)), "5ns"},
		{decodeAs[int64](t, time.Microsecond), "1000"},
		{decodeAs[float64](t, float32(1.5)), "1.5"},
		{decodeAs[float32](t, 1.5), "1.5"},
		{decodeAs[float32](t, 0.1), "mismatch"},
		{decodeAs[float32](t, math.MaxFloat64), "mismatch"},
		{decodeAs[float32](t, math.NaN()), "NaN"},
		{decodeAs[float64](t, 1), "mismatch"},
		{decodeAs[int](t, 1.0), "mismatch"},
		{decodeAs[string](t, 1), "mismatch"},
		{decodeAs[int](t, "1"), "mismatch"},
		{decodeAs[label](t, "text"), "text"},
		{decodeAs[string](t, label("text")), "text"},
		{decodeAs[[]byte](t, "text"), "mismatch"},
		{decodeAs[string](t, []byte("text")), "mismatch"},
		{decodeAs[blob](t, []byte{1}), "[1]"},
		{decodeAs[bool](t, 1), "mismatch"},
		{decodeAs[int](t, true), "mismatch"},
		{decodeAs[switched](t, true), "true"},
		{decodeAs[int](t, nil), "mismatch"},
		{decodeAs[string](t, nil), "mismatch"},
		{decodeAs[*int](t, nil), "<nil>"},
		{decodeAs[map[string]int](t, nil), "map[]"},
		{decodeAs[line](t, "text"), "mismatch"},
		{decodeAs[string](t, line{Text: "x"}), "mismatch"},
		{decodeAs[[]int](t, map[string]int{"a": 1}), "mismatch"},
		{decodeAs[time.Time](t, "2026-01-01"), "mismatch"},
		{decodeAs[string](t, time.Now()), "mismatch"},
		{decodeAs[netip.Addr](t, "192.0.2.1"), "mismatch"},
		{decodeAs[any](t, line{Text: "x"}), "mismatch"},
		{decodeAs[any](t, colour(7)), "mismatch"},
	} {
		if test.got != test.want {
			t.Errorf("got %s, want %s", test.got, test.want)
		}
	}
	if got := *must(codec.Decode[*int](must(codec.Append(nil, 5)))); got != 5 {
		t.Errorf("a number read as a pointer: %d", got)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// The decoded value shares no memory with the data.
func TestTaggedShares(t *testing.T) {
	for _, value := range []any{"text", []byte("bytes"), []string{"a"}, map[string][]byte{"k": {1, 2, 3}}} {
		data := must(codec.Append(nil, value))
		got := must(codec.Decode[any](data))
		want := must(codec.Decode[any](bytes.Clone(data)))
		clear(data)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%T changes with the data it was decoded from", value)
		}
	}
}

// Equal maps have equal encodings, whatever their order.
func TestTaggedIsDeterministic(t *testing.T) {
	value := make(map[string]int)
	for i := range 100 {
		value[fmt.Sprint(i)] = i
	}
	first := must(codec.Append(nil, value))
	for range 20 {
		if !bytes.Equal(first, must(codec.Append(nil, value))) {
			t.Fatal("two encodings of one map differ")
		}
	}
}

// FuzzDecode feeds the decoder anything: it must not panic, and what it accepts
// must survive another round.
func FuzzDecode(f *testing.F) {
	for _, v := range []any{nil, true, 5, -5, uint8(3), 1.5, float32(2), "text", []byte{1}, time.Unix(0, 1), time.Second, []int{1}, map[string]any{"a": nil}, line{Text: "x"}, big.NewInt(1)} {
		f.Add(must(codec.Append(nil, v)))
	}
	for tag := range 24 {
		f.Add([]byte{byte(tag)})
		f.Add([]byte{byte(tag), 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01})
	}
	for _, tag := range []byte{20, 21} {
		f.Add([]byte{tag, 0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}) // an array of 2^64-1 elements
		f.Add([]byte{tag, 0x5a, 0x7f, 0xff, 0xff, 0xff})                         // text of 2 GiB
		f.Add(append([]byte{tag}, bytes.Repeat([]byte{0x81}, 20000)...))         // 20,000 levels
	}
	f.Add([]byte("\x15\xd8\x1b\x82\x6f[][][]map[int]int\x80")) // the name of a type
	f.Add([]byte{22, codec.IDJSON, '1'})
	for _, s := range samples() {
		f.Add(must(s.encode()))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		original := bytes.Clone(data)
		_, _ = codec.Decode[string](data)
		_, _ = codec.Decode[int8](data)
		_, _ = codec.Decode[line](data)
		_, _ = codec.Decode[*line](data)
		_, _ = codec.Decode[map[label][]any](data)
		_, _ = codec.Decode[time.Time](data)
		_, _ = codec.Decode[everything](data)
		_, _ = codec.Decode[customer1](data)
		_, _ = codec.Decode[[]struct{}](data)
		_, _ = codec.Decode[map[any]any](data)
		_, _ = codec.Decode[[][1000]int](data)
		_, _ = codec.Decode[tree](data)
		_, _ = codec.Decode[texter](data)
		v, err := codec.Decode[any](data)
		if !bytes.Equal(data, original) {
			t.Fatal("decoding changed the data")
		}
		if err != nil {
			if !errors.Is(err, codec.ErrUndecodable) && !errors.Is(err, codec.ErrTypeMismatch) {
				t.Fatalf("unexpected error %v", err)
			}
			return
		}
		// Not everything that can be decoded is in its shortest form; after one
		// round it is, and stays.
		var forms [2][]byte
		for i := range forms {
			if forms[i], err = codec.Append(nil, v); err != nil {
				return // what is decoded as any need not be encodable as any
			}
			if v, err = codec.Decode[any](forms[i]); err != nil {
				t.Fatalf("%x was encoded and cannot be decoded: %v", forms[i], err)
			}
		}
		last, err := codec.Append(nil, v)
		if err != nil || !bytes.Equal(last, forms[1]) {
			t.Fatalf("%x came back as %x, %v", forms[1], last, err)
		}
	})
}
