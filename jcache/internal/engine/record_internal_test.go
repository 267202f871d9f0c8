package engine

import (
	"bytes"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/codec"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

func TestRecordRoundTrip(t *testing.T) {
	synctest.Test(t, testRecordRoundTrip)
}

func testRecordRoundTrip(t *testing.T) {
	now := time.Now().UnixMilli() // of a clock that stands still
	for _, test := range []struct {
		deadline int64
		inRecord bool
		live     bool
	}{
		{0, true, true}, {0, false, true}, {now + 1, true, true}, {now, true, false}, {1, true, false}, {now + 1, false, true}, {now, false, false},
	} {
		id := NewWriteID()
		item := driver.Item{Record: append(AppendHeader(nil, id, 7, test.deadline, test.inRecord), "value"...), Token: driver.Token{N: 3}}
		if !test.inRecord {
			item.Deadline = Time(test.deadline)
		}
		o, err := Parse(item)
		if err != nil {
			t.Errorf("%+v: %v", test, err)
			continue
		}
		if o.WriteID != id || o.Codec != 7 || o.Deadline != test.deadline || string(o.Value) != "value" || o.Live != test.live || o.Token.N != 3 {
			t.Errorf("%+v: came back as %+v", test, o)
		}
	}
}

func TestDeadlinesAreRoundedUp(t *testing.T) {
	for nanos, want := range map[int64]int64{0: 0, 1: 1, 999_999: 1, 1_000_000: 1, 1_000_001: 2} {
		if got := Millis(time.Unix(0, nanos)); got != want {
			t.Errorf("%d ns are %d ms, want %d", nanos, got, want)
		}
	}
	if !Time(0).IsZero() || Time(5).UnixMilli() != 5 {
		t.Error("Time")
	}
}

func TestRecordOfALaterVersion(t *testing.T) {
	for _, format := range []byte{0, 1, recordVersion | 2, recordVersion | 0xf, 2 << 4, 0xff} {
		r := AppendHeader(nil, 1, 1, 0, true)
		r[driver.WriteIDBytes] = format
		if _, err := Parse(driver.Item{Record: r}); !errors.Is(err, codec.ErrUndecodable) {
			t.Errorf("format %#x: got error %v, want codec.ErrUndecodable", format, err)
		}
	}
}

func FuzzRecord(f *testing.F) {
	f.Add(AppendHeader(nil, 1, 2, 3, true))
	f.Add(AppendHeader(nil, 1, 2, 3, false))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, record []byte) {
		o, err := Parse(driver.Item{Record: record})
		if err != nil {
			if !errors.Is(err, codec.ErrUndecodable) {
				t.Fatalf("unexpected error %v", err)
			}
			return
		}
		inRecord := record[driver.WriteIDBytes]&flagDeadline != 0
		if again := append(AppendHeader(nil, o.WriteID, o.Codec, o.Deadline, inRecord), o.Value...); !bytes.Equal(again, record) {
			t.Fatalf("%x was read as %x", record, again)
		}
	})
}
