package part_test

import (
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// trio returns a primary, 1, and backups 2 and 3.
func trio(t testing.TB, o part.Options) *lab {
	o.Copies = 3
	l := newLab(t, o)
	for id := topology.ID(2); id <= 3; id++ {
		l.config.Members = append(l.config.Members, topology.Member{ID: id})
		l.add(id, o)
		l.teach(id)
	}
	return l
}

// except loses what is sent to a member.
func except(id topology.ID) func(mail) bool { return func(m mail) bool { return m.to == id } }

// catchUp lets a second pass in which nothing is lost.
func (l *lab) catchUp() {
	for range 20 {
		l.tick(50 * time.Millisecond)
		l.deliver()
	}
}

func TestWriteWaitsForSyncReplicas(t *testing.T) {
	for _, test := range []struct {
		name   string
		sync   int
		lost   []func(mail) bool
		copies int // zero: it is not acknowledged
	}{
		{"all", 0, []func(mail) bool{except(3)}, 0},
		{"all of two", 2, []func(mail) bool{except(3)}, 0},
		{"one", 1, []func(mail) bool{except(3)}, 2},
		{"the other one", 1, []func(mail) bool{except(2)}, 2},
		{"one, in vain", 1, []func(mail) bool{except(2), except(3)}, 0},
		{"none", -1, []func(mail) bool{except(2), except(3)}, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := trio(t, part.Options{Sync: test.sync})
			tag := l.begin(1, part.Request{Kind: part.Put, Cache: "cache", Key: "key", Record: []byte("record")})
			l.deliver(test.lost...)
			if l.answered(tag) != (test.copies > 0) || l.replies[tag].Copies != test.copies {
				t.Fatalf("answered %v: %+v, want %d copies", l.answered(tag), l.replies[tag], test.copies)
			}
			if l.replicas[1].Exposed() {
				t.Error("a write is on fewer members than were waited for, though none has failed")
			}
			l.catchUp()
			if got := l.replies[tag]; got.Status != part.OK {
				t.Errorf("in the end: %+v", got)
			}
			l.same(1, 2)
			l.same(1, 3)
		})
	}
}

// A new primary that lacks an acknowledged write gets it from the replica that has it, even
// if that one was told since that it is acknowledged.
func TestLateReplicaTakesOver(t *testing.T) {
	l := trio(t, part.Options{Sync: 1})
	for _, record := range []string{"old", "new"} {
		tag := l.begin(1, part.Request{Kind: part.Put, Cache: "cache", Key: "key", Record: []byte(record)})
		l.deliver(except(3))
		if !l.answered(tag) {
			t.Fatal("the write is not acknowledged")
		}
	}
	l.tick(50 * time.Millisecond)
	l.deliver(except(3))
	delete(l.replicas, 1)
	l.change(func(p *topology.Partition) { p.Primary, p.InSync = 3, []topology.ID{3, 2} })
	l.deliver()
	if got := l.get(3, "key"); got != "new" {
		t.Errorf("the new primary has %q", got)
	}
	l.same(2, 3)
}

// When the only replica fails that has a write, the primary says so until another one has it.
func TestExposedWrite(t *testing.T) {
	l := trio(t, part.Options{Sync: 1})
	l.begin(1, part.Request{Kind: part.Put, Cache: "cache", Key: "key", Record: []byte("record")})
	l.deliver(except(3))
	l.change(func(p *topology.Partition) { p.InSync = []topology.ID{1, 3} })
	if !l.replicas[1].Exposed() {
		t.Error("nobody but the primary has the write, which it does not say")
	}
	l.deliver()
	if l.replicas[1].Exposed() {
		t.Error("two members have the write, and the primary says otherwise")
	}
}

// While there is a copy too many, which may be dropped, every one must have each write, and
// the primary says when that is so.
func TestSurplusCopyMayBeDropped(t *testing.T) {
	l := trio(t, part.Options{Sync: 1})
	l.begin(1, part.Request{Kind: part.Put, Cache: "cache", Key: "key", Record: []byte("record")})
	l.deliver(except(3))
	l.config = l.config.Clone()
	l.config.Stamp.Version++
	l.config.Members[1].Leaving = true // the partition is as it was
	l.configure()
	l.synced = 0
	l.tick(50 * time.Millisecond)
	if l.synced != 0 {
		t.Fatal("a copy may be dropped, while only that one has a write")
	}
	tag := l.begin(1, part.Request{Kind: part.Put, Cache: "cache", Key: "key", Record: []byte("again")})
	l.deliver(except(3))
	if l.answered(tag) {
		t.Error("a write is acknowledged that only the copy to be dropped has")
	}
	l.catchUp()
	if !l.answered(tag) || l.synced != 1 {
		t.Errorf("answered %v, and %d has everything, want 1", l.answered(tag), l.synced)
	}
}

func TestWritesWaitForCopies(t *testing.T) {
	l := pair(t, part.Options{MinCopies: 2})
	l.put(1, "key", "old", 0)
	open := l.begin(1, part.Request{Kind: part.Put, Cache: "cache", Key: "open", Record: []byte("record")})
	l.mail = nil
	l.change(func(p *topology.Partition) { p.InSync = []topology.ID{1} })
	if got := l.replies[open]; got.Status != part.Unknown {
		t.Errorf("the write that one member has ends with %+v", got)
	}
	put := part.Request{Kind: part.Put, Cache: "cache", Key: "key", Record: []byte("new"), Expires: l.mono + int64(time.Second)}
	refused := l.begin(1, put)
	if got := l.get(1, "key"); got != "old" {
		t.Errorf("reads find %q", got)
	}
	l.tick(2 * time.Second)
	if got := l.replies[refused]; got.Status != part.Timeout {
		t.Errorf("a write that only one member would have ends with %+v", got)
	}
	put.Expires = l.mono + int64(10*time.Second)
	waits := l.begin(1, put)
	l.replicas[2] = nil
	l.add(2, part.Options{MinCopies: 2})
	l.teach(2)
	if got := l.replies[waits]; got.Status != part.OK || got.Copies != 2 {
		t.Errorf("with another copy it ends with %+v", got)
	}
}
