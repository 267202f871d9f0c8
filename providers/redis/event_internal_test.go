package redis

import (
	"testing"
	"time"
)

func FuzzTold(f *testing.F) {
	value := string(seal([]byte("01234567record"), time.UnixMilli(1)))
	f.Add("p1 1 " + text(int64(len(value))) + "\nk" + value + value)
	f.Add("r0 1 0\nk" + value)
	f.Add("x0 1 0\nk" + value)
	f.Add("c2 0 0\n")
	f.Add("p1 99999999999999999999 0\n")
	f.Fuzz(func(t *testing.T, message string) {
		m, err := parseTold(message)
		if err != nil {
			return
		}
		head := string(m.kind) + placeOf(m.generation, m.key) + " " + text(int64(len(m.value))) + "\n"
		if again, err := parseTold(head + m.key + m.value + m.old); err != nil || again != m {
			t.Errorf("%+v is read as %+v, %v", m, again, err)
		}
		if e, err := m.event(); err == nil && (e.Key != m.key || e.Key == "") {
			t.Errorf("%+v is %+v", m, e)
		}
	})
}
