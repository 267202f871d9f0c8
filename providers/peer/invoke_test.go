package peer_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// count counts the letters that it appends to a text.
var count = jcache.RegisterProcessor("peer_test.count", jcache.Options[string, string]{}, func(e *jcache.MutableEntry[string, string], more string) (int, error) {
	text, _, err := e.Value()
	if strings.Contains(more, "!") {
		panic("a text must be calm")
	}
	e.SetValue(text + more)
	return len(text) + len(more), err
})

// far returns a key that a process asks another one for.
func far[V any](t *testing.T, c *jcache.Cache[string, V]) string {
	t.Helper()
	for i := range 1000 {
		key := strings.Repeat("k", 1+i)
		if local, known := c.Local(key); known && !local {
			return key
		}
	}
	t.Fatal("all keys are local")
	return ""
}

// A registered processor is executed at the primary: one message there and one back,
// however large the record is.
func TestInvokeIsOneRoundTrip(t *testing.T) {
	a := join(t)
	b := join(t, a)
	settled(t, a, b)
	for _, test := range []struct {
		disabled []driver.Feature
		asked    uint64
	}{{nil, 1}, {[]driver.Feature{driver.FeatureInvoke}, 2}} {
		m, err := jcache.NewManager(b, jcache.ManagerOptions{Disable: test.disabled})
		if err != nil {
			t.Fatal(err)
		}
		c, err := jcache.CreateCache(t.Context(), m, "texts", jcache.Options[string, string]{ExpiryPolicy: jcache.Touched[string, string](time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		key := far(t, c)
		if err := c.Put(t.Context(), key, strings.Repeat("x", 1<<20)); err != nil {
			t.Fatal(err)
		}
		before := b.Stats()
		n, err := count.Invoke(t.Context(), c, key, "yz")
		after := b.Stats()
		if n != 1<<20+2 || err != nil {
			t.Errorf("got %d, %v", n, err)
		}
		if asked := after.Remote - before.Remote; asked != test.asked {
			t.Errorf("without %v: %d operations at the other member, want %d", test.disabled, asked, test.asked)
		}
		if _, err := count.Invoke(t.Context(), c, key, "!"); !errors.Is(err, jcache.ErrProcessor) {
			t.Errorf("after a panic the error is %v", err)
		}
		e, ok, err := c.GetEntry(t.Context(), key)
		if left := time.Until(e.Deadline); !ok || err != nil || len(e.Value) != n || left > time.Hour || left < 59*time.Minute {
			t.Errorf("there are %d letters for %v, %v, %v", len(e.Value), left, ok, err)
		}
	}
}
