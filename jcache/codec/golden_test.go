package codec_test

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"maps"
	"math/big"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/keepsake-cache/keepsake/jcache/codec"
)

var update = flag.Bool("update", false, "add what testdata lacks; what it has never changes")

// A sample is encoded as its line of testdata/golden.txt says, and read from that.
type sample struct {
	encode func() ([]byte, error)
	check  func(data []byte) error
	// varies: it is written in several ways, depending on what the process has written
	// before.
	varies bool
}

func (s sample) varying() sample {
	s.varies = true
	return s
}

func valueOf[V any](value V) sample {
	return sampleOf(value, func() ([]byte, error) { return codec.Append(nil, value) }, codec.Decode[V])
}

func codecOf[V any](c codec.Codec[V], value V) sample {
	return sampleOf(value, func() ([]byte, error) { return c.Append(nil, value) }, c.Decode)
}

func attributeOf[V any](format string, value V) sample {
	return sampleOf(value, func() ([]byte, error) { return codec.AppendAs(must(codec.FormatOf(format)), nil, value) }, codec.Decode[V])
}

func keyOf[K comparable](key K) sample {
	keys := mustKeys[K]()
	return sampleOf(key, func() ([]byte, error) {
		s, err := keys.Encode(key)
		return []byte(s), err
	}, func(data []byte) (K, error) { return keys.Decode(string(data)) })
}

func sampleOf[V any](value V, encode func() ([]byte, error), decode func([]byte) (V, error)) sample {
	return sample{encode: encode, check: func(data []byte) error {
		back, err := decode(data)
		if err == nil && !reflect.DeepEqual(back, value) {
			err = fmt.Errorf("it is read as %v, not %v", back, value)
		}
		return err
	}}
}

func samples() map[string]sample {
	at := time.Date(2026, 7, 8, 9, 10, 11, 123456789, time.UTC)
	five, tera := 5, int64(1)<<40 // which an int of 32 bits does not hold
	full := everything{true, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 1.5, 2.5, "s", []byte("b"), [4]byte{1}, at, time.Second, &five, pointTo(&five), pointTo([]int(nil)),
		map[string]int{"b": 1, "a": 2, "": 3}, map[int]map[bool]string{-1: nil, 300: {true: "t"}}, uint16(3), nil}
	return map[string]sample{
		"nil": valueOf[any](nil), "false": valueOf(false), "true": valueOf(true), "int": valueOf(-1000), "int8": valueOf(int8(-8)), "int16": valueOf(int16(16)),
		"int32": valueOf(int32(32)), "int64": valueOf(int64(-64)), "uint": valueOf(uint(1000)), "uint8": valueOf(uint8(8)), "uint16": valueOf(uint16(16)),
		"uint32": valueOf(uint32(32)), "uint64": valueOf(uint64(64)), "uintptr": valueOf(uintptr(7)), "float32": valueOf(float32(1.5)), "float64": valueOf(0.1),
		"string": valueOf("text"), "bytes": valueOf([]byte{0, 1, 255}), "nil bytes": valueOf([]byte(nil)), "time": valueOf(at),
		"duration": valueOf(-time.Minute), "named int": valueOf(number(-5)), "named uint": valueOf(enum(5)), "named string": valueOf(upper("a")), "named float": valueOf(weight(1.25)), "named bool": valueOf(switched(true)),
		"every basic type in a struct": valueOf(full), "zero struct": valueOf(everything{}), "list": valueOf([]int{1, -1, 24, 1000, 100000, int(tera)}), "empty list": valueOf([]string{}), "nil list": valueOf([]string(nil)),
		"array": valueOf([2]string{"a", "\xff"}), "map": valueOf(map[string]int{"one": 1, "two": 2, "a": 3}), "list of structs": valueOf([]base{{1}, {2}}), "embedded": valueOf(embedsUnexported{base{1}, 2}),
		"renamed": valueOf(renamed{1, 2}), "any": valueOf[any](map[string]any{"int": 1, "int8": int8(1), "list": []any{nil, true, 1.5, "s", "\xff", []byte{1}}, "time": at, "d": time.Second, "strings": []string{"a"}, "map": map[int]*bool{1: nil}}),
		"registered": valueOf[any](box[int]{"a", 1, 2}), "pointer to registered": valueOf[any](&box[int]{"a", 1, 2}), "pointer to nil": valueOf(pointTo((*int)(nil))),
		"MarshalCBOR": valueOf(cborer{"x"}), "MarshalBinary": valueOf(binarer{"x"}), "GobEncode": valueOf(gobber{"x"}), "MarshalText": valueOf(texter{"x"}), "MarshalJSON": valueOf(jsoner{"x"}),
		"big.Int": valueOf(big.NewInt(-1 << 40)), "netip.Addr": valueOf(netip.MustParseAddr("fe80::1%eth0")), "unknown fields": valueOf(customer1{"ann", 30, codec.Unknown{}}),
		"json": codecOf(codec.JSON[map[string][]int](), map[string][]int{"a": {1}}), "gob": codecOf(codec.Gob[base](), base{1}).varying(),
		"attribute in json": attributeOf("json", map[string][]int{"a": {1}}), "attribute in gob": attributeOf("gob", base{1}).varying(), "attribute in cbor": attributeOf("cbor", base{1}),
		"key string": keyOf("a b"), "key int": keyOf(-5), "key uint8": keyOf(uint8(200)), "key named string": keyOf(upper("a")), "key bool": keyOf(true), "key float": keyOf(-1.5),
		"key struct": keyOf(shadowed{inner{1}, 5}), "key array": keyOf([2]string{"a", ""}), "key uuid": keyOf(uuid{1, 2}), "key time": keyOf(at), "key netip.Addr": keyOf(netip.MustParseAddr("10.0.0.1")),
		"key any int": keyOf[any](1), "key any int64": keyOf[any](int64(1)), "key any struct": keyOf[any](twice{1, 2}),
	}
}

// Stored values and keys are read for ever, and written as they always were, so that keys
// are found and comparisons of values hold across versions.
func TestGoldenBytes(t *testing.T) {
	const file = "testdata/golden.txt"
	golden := make(map[string][]byte)
	data, err := os.ReadFile(file)
	if err != nil && !*update {
		t.Fatal(err)
	}
	for s := bufio.NewScanner(bytes.NewReader(data)); s.Scan(); {
		name, text, _ := strings.Cut(s.Text(), ": ")
		golden[name] = must(hex.DecodeString(text))
	}
	all := samples()
	for name, s := range all {
		encoded, err := s.encode()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want, ok := golden[name]
		if !ok && *update {
			want, golden[name] = encoded, encoded
		}
		if !s.varies && !bytes.Equal(encoded, want) {
			t.Errorf("%s is written as %x, not %x", name, encoded, want)
		}
		if err := s.check(want); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name := range golden {
		if _, ok := all[name]; !ok {
			t.Errorf("%s is in the file and is not tested", name)
		}
	}
	if *update {
		var b bytes.Buffer
		for _, name := range slices.Sorted(maps.Keys(golden)) {
			fmt.Fprintf(&b, "%s: %x\n", name, golden[name])
		}
		if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// What is written is CBOR that others read, text being UTF-8, and no key of a map twice.
func TestOthersReadIt(t *testing.T) {
	mode := must(cbor.DecOptions{DupMapKey: cbor.DupMapKeyEnforcedAPF, IndefLength: cbor.IndefLengthForbidden}.DecMode())
	read := 0
	for name, s := range samples() {
		data := must(s.encode())
		if strings.HasPrefix(name, "key") || data[0] != 20 && data[0] != 21 {
			continue
		}
		var v any
		if err := mode.Unmarshal(data[1:], &v); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		read++
	}
	if read < 20 {
		t.Errorf("only %d samples are CBOR", read)
	}
}
