package redis

import (
	"bytes"
	"testing"
	"time"
)

func FuzzOpen(f *testing.F) {
	f.Add([]byte("K1\x00\x00\x00\x00\x00\x00identityrecord"))
	f.Add([]byte("K1\x01\x9b\x00\x00\x00\x00identityrecord"))
	f.Add([]byte("K1"))
	f.Add([]byte("somebody's own value"))
	f.Fuzz(func(t *testing.T, value []byte) {
		item, live, err := open(value, time.Unix(0, 0))
		if err != nil || !live {
			return
		}
		if again := seal(item.Record, item.Deadline); !bytes.Equal(again, value) {
			t.Errorf("%x became %x", value, again)
		}
	})
}

func TestDeadlines(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000)
	for _, test := range []struct {
		deadline time.Time
		ms, life int64
	}{
		{time.Time{}, 0, 0},
		{now.Add(time.Second), now.UnixMilli() + 1000, 11_000},
		{now.Add(time.Second + 1), now.UnixMilli() + 1001, 11_001},
		{now.Add(-time.Hour), now.UnixMilli() - 3_600_000, 1},
		{time.Unix(-5, 0), 1, 1},
		{time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC), lastDeadline, lastDeadline - now.UnixMilli() + 10_000},
	} {
		if ms, l := milliseconds(test.deadline), life(test.deadline, now, grace); ms != test.ms || l != test.life {
			t.Errorf("%v: %d and %d, want %d and %d", test.deadline, ms, l, test.ms, test.life)
		}
	}
}
