package jcache

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

func TestRecordRoundTrip(t *testing.T) {
	now := time.UnixMilli(1_000_000)
	for _, test := range []struct {
		deadline int64
		inRecord bool
		live     bool
	}{
		{0, true, true}, {0, false, true}, {1_000_001, true, true}, {1_000_000, true, false}, {1, true, false}, {1_000_001, false, true}, {1_000_000, false, false},
	} {
		id := newWriteID()
		item := driver.Item{Record: append(appendHeader(nil, id, 7, test.deadline, test.inRecord), "value"...), Token: driver.Token{N: 3}}
		if !test.inRecord {
			item.Deadline = fromMillis(test.deadline)
		}
		o, err := observe(item, now)
		if err != nil {
			t.Errorf("%+v: %v", test, err)
			continue
		}
		if o.writeID != id || o.codec != 7 || o.deadline != test.deadline || string(o.value) != "value" || o.live != test.live || o.token.N != 3 {
			t.Errorf("%+v: came back as %+v", test, o)
		}
	}
}

func TestDeadlinesAreRoundedUp(t *testing.T) {
	for nanos, want := range map[int64]int64{0: 0, 1: 1, 999_999: 1, 1_000_000: 1, 1_000_001: 2} {
		if got := toMillis(time.Unix(0, nanos)); got != want {
			t.Errorf("%d ns are %d ms, want %d", nanos, got, want)
		}
	}
	if !fromMillis(0).IsZero() || fromMillis(5).UnixMilli() != 5 {
		t.Error("fromMillis")
	}
}

func TestRecordOfALaterVersion(t *testing.T) {
	for _, format := range []byte{0, 1, recordVersion | 2, recordVersion | 0xf, 2 << 4, 0xff} {
		r := appendHeader(nil, 1, 1, 0, true)
		r[driver.WriteIDBytes] = format
		if _, err := observe(driver.Item{Record: r}, time.Now()); !errors.Is(err, ErrUndecodable) {
			t.Errorf("format %#x: got error %v, want ErrUndecodable", format, err)
		}
	}
}

func FuzzRecord(f *testing.F) {
	f.Add(appendHeader(nil, 1, 2, 3, true))
	f.Add(appendHeader(nil, 1, 2, 3, false))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, record []byte) {
		o, err := observe(driver.Item{Record: record}, time.Now())
		if err != nil {
			if !errors.Is(err, ErrUndecodable) {
				t.Fatalf("unexpected error %v", err)
			}
			return
		}
		inRecord := record[driver.WriteIDBytes]&flagDeadline != 0
		if again := append(appendHeader(nil, o.writeID, o.codec, o.deadline, inRecord), o.value...); !bytes.Equal(again, record) {
			t.Fatalf("%x was read as %x", record, again)
		}
	})
}
