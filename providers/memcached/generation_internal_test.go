package memcached

import (
	"testing"
	"time"
)

func TestLeases(t *testing.T) {
	now := time.Now()
	s := &server{index: 1}
	on := func(dialed time.Time) *lane { return &lane{server: s, conn: &conn{dialed: dialed}} }
	older := on(now.Add(-time.Hour))
	ls := make(leases, 2)
	if _, ok := ls.valid(older); ok {
		t.Error("no lease is valid before there is one")
	}
	ls.renew(s, 7, now)
	if g, ok := ls.valid(older); g != 7 || !ok {
		t.Errorf("a fresh lease: %d, %v", g, ok)
	}
	if _, ok := ls.valid(on(now.Add(1))); ok {
		t.Error("a lease is valid on a connection that is younger")
	}
	ls.renew(s, 6, now.Add(-time.Millisecond))
	if g, _ := ls.valid(older); g != 7 {
		t.Error("an older lease took the place of a later one")
	}
	ls.renew(s, 8, now.Add(time.Nanosecond))
	if g, _ := ls.valid(older); g != 8 {
		t.Error("a later lease did not take the place of an older one")
	}
	ended := make(leases, 2)
	ended.renew(s, 7, now.Add(-generationLease))
	if _, ok := ended.valid(older); ok {
		t.Error("a lease is valid after its end")
	}
}

func TestNextGenerationIsGreater(t *testing.T) {
	s := &server{}
	ls := make(leases, 1)
	before := uint64(time.Now().UnixNano())
	if g := ls.next(s); g < before {
		t.Errorf("%d is before the time of day, %d", g, before)
	}
	// Another process's clock is ahead of this one's.
	ahead := uint64(time.Now().Add(time.Hour).UnixNano())
	ls.renew(s, ahead, time.Now())
	if g := ls.next(s); g <= ahead {
		t.Errorf("%d is not greater than %d, which this process has seen", g, ahead)
	}
}
