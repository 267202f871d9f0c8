package hazelcast

import (
	"errors"
	"testing"

	"github.com/keepsake-cache/keepsake/jcache"
)

// Who can do without an entry of another program must see that it is none of ours.
func TestForeignEntriesAreUndecodable(t *testing.T) {
	for _, value := range []any{"hello", 7, []string{"x"}} {
		if _, _, err := item(value); !errors.Is(err, jcache.ErrUndecodable) {
			t.Errorf("%v: %v, want ErrUndecodable", value, err)
		}
	}
}
