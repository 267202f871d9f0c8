package memcached

import (
	"testing"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
)

func TestLeases(t *testing.T) {
	now := time.Now()
	s := &server{index: 1}
	ls := make(leases, 2)
	seven := generation{stamp: 7}
	if ls.valid(s) != nil {
		t.Error("a lease is valid before there is one")
	}
	ls.renew(s, lease{generation{}, now.Add(-time.Second / 2), false})
	if _, ok := ls.last(s); ok {
		t.Error("that there is no generation counts as one")
	}
	ls.renew(s, lease{seven, now.Add(-time.Second / 4), true})
	if have := ls.valid(s); have == nil || have.generation != seven {
		t.Errorf("a fresh lease: %v", have)
	}
	ls.renew(s, lease{generation{stamp: 6}, now.Add(-time.Second / 3), true})
	if g, _ := ls.last(s); g != seven {
		t.Error("an older lease took the place of a later one")
	}
	ls.renew(s, lease{generation{}, now, false})
	if g, _ := ls.last(s); g != seven {
		t.Error("what is known was forgotten when the server had lost it")
	}
	ls.renew(s, lease{generation{8, 8}, now, true})
	if g, _ := ls.last(s); g.stamp != 8 {
		t.Error("a later lease did not take the place of an older one")
	}
	ended := make(leases, 2)
	ended.renew(s, lease{seven, now.Add(-generationLease), true})
	if ended.valid(s) != nil {
		t.Error("a lease is valid after its end")
	}
	if g, ok := ended.last(s); !ok || g != seven {
		t.Error("what is known ends with the lease")
	}
}

func TestNextGenerationIsGreater(t *testing.T) {
	s := &server{}
	ls := make(leases, 1)
	before := uint64(time.Now().UnixNano())
	if g := ls.next(s, generation{}); g.stamp < before || g.floor != g.stamp {
		t.Errorf("%v is before the time of day, %d", g, before)
	}
	// Another process's clock is ahead of this one's.
	ahead := generation{stamp: uint64(time.Now().Add(time.Hour).UnixNano())}
	if g := ls.next(s, ahead); g.stamp <= ahead.stamp {
		t.Errorf("%d is not greater than %d, which the server has", g.stamp, ahead.stamp)
	}
	ls.renew(s, lease{ahead, time.Now(), true})
	if g := ls.next(s, generation{}); g.stamp <= ahead.stamp {
		t.Errorf("%d is not greater than %d, which this process has seen", g.stamp, ahead.stamp)
	}
}

func FuzzGeneration(f *testing.F) {
	f.Add([]byte("1790000000000000000"), uint32(0))
	f.Add([]byte("7   "), uint32(1))
	f.Add([]byte("hello"), uint32(2))
	f.Fuzz(func(t *testing.T, value []byte, flags uint32) {
		g, err := parseGeneration(&memcache.Item{Value: value, Flags: flags})
		if err != nil {
			return
		}
		again, err := parseGeneration(g.item("k"))
		if err != nil || again.stamp != g.stamp || g.stamp > 0 && again != g {
			t.Errorf("%q, %d: %v comes back as %v, %v", value, flags, g, again, err)
		}
	})
}
