package codec_test

import (
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/codec"
)

type (
	benchCart struct {
		Owner   string
		Items   []benchItem
		Coupons map[string]int
		Total   int64
	}
	benchItem struct {
		Name  string
		Count int
		Price float64
	}
)

var benchValue = benchCart{
	Owner:   "ann",
	Items:   []benchItem{{"pen", 3, 1.5}, {"ink", 1, 7.25}, {"paper", 500, 0.01}},
	Coupons: map[string]int{"spring": 10, "friend": 5},
	Total:   1675,
}

func benchmarkDecode[V any](b *testing.B, value V) {
	data := must(codec.Append(nil, value))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := codec.Decode[V](data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	b.Run("bool", func(b *testing.B) { benchmarkDecode(b, true) })
	b.Run("int", func(b *testing.B) { benchmarkDecode(b, 1000) })
	b.Run("int64", func(b *testing.B) { benchmarkDecode(b, int64(1000)) })
	b.Run("float64", func(b *testing.B) { benchmarkDecode(b, 1.5) })
	b.Run("string", func(b *testing.B) { benchmarkDecode(b, "a text of some length") })
	b.Run("bytes", func(b *testing.B) { benchmarkDecode(b, []byte("some bytes")) })
	b.Run("time", func(b *testing.B) { benchmarkDecode(b, time.Unix(1, 2).UTC()) })
	b.Run("duration", func(b *testing.B) { benchmarkDecode(b, time.Second) })
	b.Run("struct", func(b *testing.B) { benchmarkDecode(b, benchItem{"pen", 3, 1.5}) })
	b.Run("nested", func(b *testing.B) { benchmarkDecode(b, benchValue) })
	b.Run("any", func(b *testing.B) { benchmarkDecode(b, map[string]any{"a": 1, "b": "two", "c": int64(3)}) })
}

func benchmarkAppend[V any](b *testing.B, value V) {
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if buf, err = codec.Append(buf[:0], value); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	b.Run("int", func(b *testing.B) { benchmarkAppend(b, 1000) })
	b.Run("string", func(b *testing.B) { benchmarkAppend(b, "a text of some length") })
	b.Run("struct", func(b *testing.B) { benchmarkAppend(b, benchItem{"pen", 3, 1.5}) })
	b.Run("nested", func(b *testing.B) { benchmarkAppend(b, benchValue) })
	b.Run("any", func(b *testing.B) { benchmarkAppend(b, map[string]any{"a": 1, "b": "two", "c": int64(3)}) })
}

func BenchmarkKeys(b *testing.B) {
	b.Run("string", func(b *testing.B) { benchmarkKey(b, "a key") })
	b.Run("int", func(b *testing.B) { benchmarkKey(b, 1000) })
	b.Run("struct", func(b *testing.B) {
		benchmarkKey(b, struct {
			Tenant int
			Name   string
		}{7, "cart"})
	})
}

func benchmarkKey[K comparable](b *testing.B, key K) {
	keys := mustKeys[K]()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := keys.Encode(key); err != nil {
			b.Fatal(err)
		}
	}
}
