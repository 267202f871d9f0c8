package part_test

import (
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// A partition that is held answers nothing, neither at its primary nor at a replica, until
// somebody who has all of it has given it; what is only a part of it does not do.
func TestHeldPartitionServesNothing(t *testing.T) {
	behind, l := newLabOf(t, 7, part.Options{}), pair(t, part.Options{})
	put := part.Request{Kind: part.Put, Cache: "cache", Key: "key", Record: []byte("record"), Op: part.OpID{Client: 9, Seq: 1}}
	if res := behind.do(7, put); res.Status != part.OK {
		t.Fatalf("%+v", res)
	}
	behind.put(7, "other", "record", 0)
	l.mono = behind.mono + int64(time.Second)
	l.change(func(p *topology.Partition) { p.Held = []topology.ID{7} })
	l.deliver()

	for _, id := range []topology.ID{1, 2} {
		if f, status := l.replicas[id].Get(l.now(), "cache", "key"); status == part.OK {
			t.Errorf("member %d gets %+v", id, f)
		}
		if f, status := l.replicas[id].Peek(l.now(), "cache", "key"); status == part.OK {
			t.Errorf("member %d peeks at %+v", id, f)
		}
	}
	if _, _, status := l.replicas[1].Scan(l.now(), "cache", 0, 10); status == part.OK {
		t.Error("it can be scanned")
	}
	for _, kind := range []part.Kind{part.Get, part.Put, part.Delete, part.Swap, part.Clear} {
		tag := l.begin(1, part.Request{Kind: kind, Cache: "cache", Key: "key", Expires: l.mono + int64(time.Second)})
		l.catchUp()
		if res := l.replies[tag]; res.Status != part.Timeout {
			t.Errorf("kind %d ends with %+v", kind, res)
		}
	}

	give(behind, 7, l, 1, 0)
	l.catchUp()
	if l.restored != 7 {
		t.Fatal("nobody is told that everything is there")
	}
	l.change(func(p *topology.Partition) { p.Held = nil })
	l.catchUp()
	if got := l.get(1, "key"); got != "record" {
		t.Errorf("it is %q", got)
	}
	l.same(1, 2)

	// Whoever is primary next knows what was executed.
	l.change(func(p *topology.Partition) { p.Primary = 2 })
	l.catchUp()
	l.put(2, "key", "later", 0)
	if res := l.do(2, put); !res.Repeated || l.get(2, "key") != "later" {
		t.Errorf("an operation was executed again: %+v, and %q", res, l.get(2, "key"))
	}
}

// What is given by somebody who may lack something is taken, and does not end the hold.
func TestPartOfAHeldPartition(t *testing.T) {
	behind, l := newLabOf(t, 7, part.Options{}), pair(t, part.Options{})
	behind.put(7, "key", "record", 0)
	l.mono = behind.mono + int64(time.Second)
	l.change(func(p *topology.Partition) { p.Held = []topology.ID{7} })
	l.deliver()
	behind.replicas[7].Offer(behind.now(), 1, 0, false, &behind.fx)
	behind.collect(7)
	exchange(behind, 7, l, 1)
	l.catchUp()
	if !behind.merged || l.restored != 0 {
		t.Errorf("it was taken: %v, and restored by %d", behind.merged, l.restored)
	}
}
