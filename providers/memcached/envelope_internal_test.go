package memcached

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/keepsake-cache/keepsake/jcache"
)

func FuzzEnvelope(f *testing.F) {
	f.Add(seal(1, "", []byte("record")))
	f.Add(seal(math.MaxUint64, "a key", []byte("record")))
	f.Add(seal(1, strings.Repeat("k", 300), nil))
	f.Add([]byte("\x02\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := open(b)
		if err != nil {
			return
		}
		again, err := open(seal(e.stamp, string(e.key), e.record))
		if err != nil || again.stamp != e.stamp || !bytes.Equal(again.key, e.key) || !bytes.Equal(again.record, e.record) {
			t.Errorf("%q opens to %v and then to %v, %v", b, e, again, err)
		}
	})
}

// Who can do without a damaged record must see that it is one.
func TestForeignItemsAreUndecodable(t *testing.T) {
	for _, item := range [][]byte{nil, {}, []byte("hello"), seal(7, "a key", nil)[:plainBytes+2]} {
		if _, err := open(item); !errors.Is(err, jcache.ErrUndecodable) {
			t.Errorf("%q: %v, want ErrUndecodable", item, err)
		}
	}
}
