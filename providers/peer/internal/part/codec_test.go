package part_test

import (
	"bytes"
	"encoding/hex"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

var update = flag.Bool("update", false, "write the golden file")

// messages has one of each type, with every field set.
func messages() []part.Message {
	epoch, reign := topology.Stamp{Term: 3, Version: 300}, topology.Stamp{Term: 2, Version: 7}
	items := []part.Item{
		{Cache: "sessions", Key: "a", Record: []byte("record"), Version: 1 << 40, Left: time.Minute, TTL: time.Hour, Until: 1 << 50,
			Op: part.OpID{Client: 1 << 60, Seq: 9}},
		{Cache: "sessions", Key: "b", Record: []byte{}, Version: 2 << 40, Op: part.OpID{Client: 1 << 60, Seq: 10}},
		{Kind: part.ItemDelete, Cause: part.ByExpiry, Cache: "other", Key: "", Version: 3 << 40},
		{Kind: part.ItemTouch, Cache: "other", Key: "c", Version: 3, Left: time.Second, TTL: time.Second},
		{Kind: part.ItemClear, Cause: part.ByMerge, Cache: "sessions", Version: 1<<64 - 1, Op: part.OpID{Client: 4}},
	}
	return []part.Message{
		&part.Replicate{Partition: 270, Term: 4, Epoch: epoch, Reign: reign, First: 1000, Items: items, Settled: 999, Rolled: 5},
		&part.Replicate{Partition: 1, Term: 4, Epoch: epoch, Reign: reign, First: 1000},
		&part.Acknowledge{Partition: 2, Epoch: epoch, Reign: reign, Seq: 1004},
		&part.Refuse{Partition: 3, Term: 5, Epoch: epoch},
		&part.Pull{Partition: 4, Term: 4, Epoch: epoch, Reign: reign},
		&part.Tail{Partition: 5, Reign: reign, Items: items, Exact: true},
		&part.SnapshotBegin{Partition: 6, Term: 4, Epoch: epoch, Reign: reign, ID: 8, Seq: 1004, Clock: 5 << 40, Tail: items,
			Done: []part.Done{{Op: part.OpID{Client: 1, Seq: 2}, Version: 3}, {Op: part.OpID{Client: 4, Seq: 5}}}},
		&part.SnapshotChunk{Partition: 7, Reign: reign, ID: 8, N: 2, Items: items, Last: true, Seq: 1010},
		&part.SnapshotAck{Partition: 8, Reign: reign, ID: 8, N: 2},
		&part.Offer{Partition: 9, ID: 3, N: 4, Common: 1 << 41, Items: items, Last: true,
			Done: []part.Done{{Op: part.OpID{Client: 1, Seq: 2}, Version: 3}}, Whole: true},
		&part.OfferAck{Partition: 10, ID: 3, N: 4},
		&part.Digest{Partition: 11, Epoch: epoch, Reign: reign, Seq: 1010, Sum: 1<<64 - 1},
		&part.Differ{Partition: 12, Epoch: epoch, Reign: reign, Seq: 1010},
		&part.SnapshotChunk{Partition: 13, Reign: reign, ID: 8, N: 1, Items: []part.Item{
			{Kind: part.ItemFilter, Version: 4 << 40, Record: bytes.Repeat([]byte{0xA5}, 256)}}},
	}
}

func TestCodecRoundTrip(t *testing.T) {
	for _, m := range messages() {
		b := part.Append([]byte("prefix"), m)
		got, err := part.Parse(b[len("prefix"):])
		if err != nil {
			t.Fatalf("%T: %v", m, err)
		}
		if !reflect.DeepEqual(got, m) {
			t.Errorf("%T: got %+v, want %+v", m, got, m)
		}
		more, err := part.Parse(append(b, "a field of a later version"...)[len("prefix"):])
		if err != nil || !reflect.DeepEqual(more, m) {
			t.Errorf("%T with another field: got %+v, %v", m, more, err)
		}
		for n := range len(b) - len("prefix") {
			_, err := part.Parse(b[len("prefix"):][:n])
			if err == nil {
				t.Errorf("%T: %d of %d bytes are taken for a message", m, n, len(b)-len("prefix"))
			}
		}
	}
}

// The encoding does not change between versions that may meet.
func TestCodecGolden(t *testing.T) {
	var now strings.Builder
	for _, m := range messages() {
		now.WriteString(hex.EncodeToString(part.Append(nil, m)) + "\n")
	}
	const file = "testdata/messages.txt"
	if *update {
		if err := os.WriteFile(file, []byte(now.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if now.String() != string(want) {
		t.Errorf("the encoding has changed:\n%s\nwant\n%s", now.String(), want)
	}
}

// A message takes memory in proportion to its bytes, whatever numbers it has.
func TestParseChecksCounts(t *testing.T) {
	b := part.Append(nil, &part.Tail{Partition: 1})
	b = append(b[:len(b)-2], 0xff, 0xff, 0xff, 0xff, 0x7f)
	if allocs := testing.Benchmark(func(tb *testing.B) {
		tb.ReportAllocs()
		for range tb.N {
			if _, err := part.Parse(b); err == nil {
				tb.Fatal("a list longer than its message is taken")
			}
		}
	}).AllocedBytesPerOp(); allocs > 4096 {
		t.Errorf("parsing %d bytes allocates %d", len(b), allocs)
	}
}

var randomItem = rapid.Custom(func(t *rapid.T) part.Item {
	it := part.Item{
		Kind:    part.ItemKind(rapid.IntRange(0, 5).Draw(t, "kind")),
		Cause:   part.Cause(rapid.IntRange(0, 3).Draw(t, "cause")),
		Cache:   rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "cache"),
		Key:     rapid.String().Draw(t, "key"),
		Version: part.Version(rapid.Uint64().Draw(t, "version")),
		Left:    time.Duration(rapid.Int64Min(0).Draw(t, "left")),
		TTL:     time.Duration(rapid.Int64Min(0).Draw(t, "ttl")),
		Touched: rapid.Bool().Draw(t, "touched"),
		Op:      part.OpID{Client: rapid.Uint64Range(0, 2).Draw(t, "client"), Seq: rapid.Uint64().Draw(t, "seq")},
	}
	if it.Kind == part.ItemNote || it.Kind == part.ItemFilter {
		it.Cause = part.ByCaller
	}
	if it.Kind == part.ItemPut || it.Kind == part.ItemFilter {
		it.Record = rapid.SliceOf(rapid.Byte()).Draw(t, "record")
	}
	return it
})

var randomMessage = rapid.Custom(func(t *rapid.T) part.Message {
	number := rapid.Uint64()
	stamp := func(name string) topology.Stamp {
		return topology.Stamp{Term: number.Draw(t, name+" term"), Version: number.Draw(t, name+" version")}
	}
	items := rapid.SliceOfN(randomItem, 1, 5).Draw(t, "items")
	ops := []part.Done{{Op: items[0].Op, Version: items[0].Version}}
	epoch, reign, n, id := stamp("epoch"), stamp("reign"), number.Draw(t, "n"), number.Draw(t, "id")
	partition, last := rapid.IntRange(0, 1<<20).Draw(t, "partition"), rapid.Bool().Draw(t, "last")
	return rapid.SampledFrom([]part.Message{
		&part.Replicate{Partition: partition, Term: id, Epoch: epoch, Reign: reign, First: n, Items: items, Settled: id, Rolled: n},
		&part.Acknowledge{Partition: partition, Epoch: epoch, Reign: reign, Seq: n},
		&part.Tail{Partition: partition, Reign: reign, Items: items, Exact: last},
		&part.SnapshotBegin{Partition: partition, Term: id, Epoch: epoch, Reign: reign, ID: id, Seq: n, Clock: part.Version(n), Tail: items, Done: ops},
		&part.SnapshotChunk{Partition: partition, Reign: reign, ID: id, N: n, Items: items, Last: last, Seq: n},
		&part.SnapshotAck{Partition: partition, Reign: reign, ID: id, N: n},
		&part.Offer{Partition: partition, ID: id, N: n, Common: part.Version(n), Items: items, Last: last, Done: ops, Whole: last},
		&part.Digest{Partition: partition, Epoch: epoch, Reign: reign, Seq: n, Sum: id},
	}).Draw(t, "message")
})

func TestCodecRandomMessages(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := randomMessage.Draw(t, "message")
		got, err := part.Parse(part.Append(nil, m))
		if err != nil || !reflect.DeepEqual(got, m) {
			t.Fatalf("got %+v, %v, want %+v", got, err, m)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, m := range messages() {
		f.Add(part.Append(nil, m))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := part.Parse(b)
		if err != nil {
			return
		}
		again := part.Append(nil, m)
		n, err := part.Parse(again)
		if err != nil {
			t.Fatalf("%+v cannot be read back: %v", m, err)
		}
		if !bytes.Equal(part.Append(nil, n), again) {
			t.Fatalf("got %+v, want %+v", n, m)
		}
	})
}
