package part_test

import (
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

func TestExpiryIsDecidedByThePrimary(t *testing.T) {
	l := pair(t, part.Options{})
	l.put(1, "key", "record", time.Minute)
	l.mono += int64(time.Minute) - 1
	if f, status := l.replicas[1].Get(l.now(), "cache", "key"); status != part.OK || f.Left != 1 {
		t.Fatalf("a nanosecond before the deadline: %+v, status %d", f, status)
	}
	l.mono++
	if _, status := l.replicas[1].Get(l.now(), "cache", "key"); status != part.Wait {
		t.Errorf("at the deadline Get says %d", status)
	}
	if _, status := l.replicas[2].Peek(l.now(), "cache", "key"); status != part.Wait {
		t.Errorf("at the deadline Peek says %d", status)
	}
	tag := l.begin(1, part.Request{Kind: part.Get, Cache: "cache", Key: "key"})
	if l.answered(tag) {
		t.Error("the read does not wait until the backup knows that the record expired")
	}
	l.deliver()
	if l.replies[tag].Present.OK {
		t.Error("the record is there")
	}
	l.put(1, "swept", "record", time.Minute)
	for range 5 {
		l.tick(30 * time.Second)
		l.deliver()
	}
	count := map[string]int{}
	for _, e := range l.events {
		if e.Cause == part.ByExpiry {
			count[e.Key]++
			if string(e.Old) != "record" || e.Kind != part.ItemDelete {
				t.Errorf("event %+v", e)
			}
		}
	}
	if count["key"] != 1 || count["swept"] != 1 {
		t.Errorf("expiries are reported so often: %v", count)
	}
	l.same(1, 2)
}

// Touches cost messages only now and then, and yet a new primary lets nothing expire
// early, nor much too late.
func TestTouch(t *testing.T) {
	l := pair(t, part.Options{})
	const ttl = 1600 * time.Second
	put := l.put(1, "key", "record", ttl)
	touch := part.Request{Kind: part.Touch, Cache: "cache", Key: "key", Token: put.Version, TTL: ttl}
	sent := 0
	for range 79 {
		l.tick(10 * time.Second)
		l.deliver()
		l.begin(1, touch)
		for _, m := range l.mail {
			if _, ok := m.msg.(*part.Replicate); ok {
				sent++
			}
		}
		l.deliver()
	}
	if sent > 5 {
		t.Errorf("79 touches in half of the TTL sent %d messages", sent)
	}
	touch.Token++
	if res := l.do(1, touch); res.Status != part.NotSwapped {
		t.Errorf("a touch of another version: %+v", res)
	}
	l.change(takeOver, 2)
	for _, step := range []struct {
		wait time.Duration
		want string
	}{{0, "record"}, {ttl - 1, "record"}, {ttl/8 + time.Minute, ""}} {
		l.mono += int64(step.wait)
		if got := l.get(2, "key"); got != step.want {
			t.Errorf("%v later: got %q, want %q", step.wait, got, step.want)
		}
	}
}

func TestTouchThatShortens(t *testing.T) {
	l := pair(t, part.Options{})
	put := l.put(1, "key", "record", time.Hour)
	l.do(1, part.Request{Kind: part.Touch, Cache: "cache", Key: "key", Token: put.Version, TTL: time.Second})
	l.change(takeOver, 2)
	l.mono += int64(2 * time.Second)
	if got := l.get(2, "key"); got != "" {
		t.Errorf("the new primary has %q", got)
	}
}

// The grace of a promotion is given once, not with every change of the primary.
func TestGraceDoesNotAddUp(t *testing.T) {
	l := pair(t, part.Options{})
	l.put(1, "key", "record", 800*time.Second)
	for i := range 20 {
		l.change(func(p *topology.Partition) { p.Primary = topology.ID(2 - i%2) })
		l.deliver()
	}
	l.mono += int64(901 * time.Second)
	if got := l.get(1, "key"); got != "" {
		t.Errorf("got %q an eighth of the TTL after the deadline", got)
	}
}

// A planned change of the primary moves no deadline, though the backup has not heard of
// the last touches.
func TestPlannedChangeKeepsDeadlines(t *testing.T) {
	l := pair(t, part.Options{})
	const ttl = 1600 * time.Second
	put := l.put(1, "key", "record", ttl)
	touch := part.Request{Kind: part.Touch, Cache: "cache", Key: "key", Token: put.Version, TTL: ttl}
	for range 10 {
		l.mono += int64(10 * time.Second)
		l.do(1, touch)
	}
	l.change(func(p *topology.Partition) { p.Primary = 2 })
	l.deliver()
	if f, status := l.replicas[2].Get(l.now(), "cache", "key"); status != part.OK || f.Left != ttl {
		t.Errorf("left %v, status %d", f.Left, status)
	}
	l.mono += int64(10 * time.Second)
	l.do(2, touch)
	l.mono += int64(10 * time.Second)
	l.do(2, touch)
	l.change(func(p *topology.Partition) { p.Primary = 1 })
	l.deliver()
	if f, status := l.replicas[1].Get(l.now(), "cache", "key"); status != part.OK || f.Left != ttl {
		t.Errorf("back: left %v, status %d", f.Left, status)
	}
}

// What a replica carries over when it takes over has become older meanwhile.
func TestTakeoverProlongsNothing(t *testing.T) {
	l := pair(t, part.Options{})
	l.put(1, "key", "record", 10*time.Second)
	l.mono += int64(4 * time.Second)
	l.change(takeOver, 2)
	if f, status := l.replicas[2].Get(l.now(), "cache", "key"); status != part.OK || f.Left != 6*time.Second {
		t.Errorf("left %v, status %d", f.Left, status)
	}
}

// What was not acknowledged is sent again, with the time that is left then.
func TestRepetitionProlongsNothing(t *testing.T) {
	l := pair(t, part.Options{})
	l.begin(1, part.Request{Kind: part.Put, Cache: "cache", Key: "key", Record: []byte("record"), TTL: 10 * time.Second})
	begun := l.mono
	l.pass(time.Second)
	l.mail = nil // all of that is lost
	for len(l.mail) == 0 {
		l.tick(50 * time.Millisecond)
	}
	l.deliver()
	l.change(takeOver, 2)
	want := 10*time.Second - time.Duration(l.mono-begun)
	if f, status := l.replicas[2].Get(l.now(), "cache", "key"); status != part.OK || f.Left != want {
		t.Errorf("left %v, should be %v; status %d", f.Left, want, status)
	}
}

// The time that a request waits counts as part of the record's life.
func TestWaitingShortensTheLife(t *testing.T) {
	l := pair(t, part.Options{})
	l.put(1, "key", "old", 0)
	l.begin(1, part.Request{Kind: part.Put, Cache: "cache", Key: "key", Record: []byte("newer")})
	tag := l.begin(1, part.Request{Kind: part.Exchange, Cache: "cache", Key: "key", Record: []byte("newest"), TTL: time.Minute})
	l.mono += int64(500 * time.Millisecond) // nothing is acknowledged so far
	l.deliver()
	if !l.answered(tag) {
		t.Fatal("the request that waited is not answered")
	}
	found, status := l.replicas[1].Get(l.now(), "cache", "key")
	if status != part.OK || found.Left != 59500*time.Millisecond {
		t.Errorf("status %d, %v are left", status, found.Left)
	}
}
