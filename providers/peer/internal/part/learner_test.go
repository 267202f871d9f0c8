package part_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

func TestMemberInSyncBecomesLearner(t *testing.T) {
	l := pair(t, part.Options{})
	l.put(1, "key", "record", 0)
	l.synced = 0
	l.change(func(p *topology.Partition) { p.InSync, p.Learner = []topology.ID{1}, 2 })
	l.deliver()
	l.tick(50 * time.Millisecond)
	if l.synced != 2 {
		t.Error("the learner is not taught")
	}
	l.same(1, 2)
}

func TestLearnerRemembersOperations(t *testing.T) {
	l := newLab(t, part.Options{})
	l.add(2, part.Options{})
	put := part.Request{Kind: part.Put, Op: part.OpID{Client: 1, Seq: 1}, Cache: "cache", Key: "key", Record: []byte("record")}
	l.do(1, put)
	l.teach(2)
	l.change(takeOver)
	if res := l.do(2, put); !res.Repeated {
		t.Errorf("got %+v", res)
	}
}

// A chunk that is late brings nothing back, however short tombstones are kept.
func TestLearnerKeepsTombstones(t *testing.T) {
	l := newLab(t, part.Options{})
	l.add(2, part.Options{TombstoneAge: time.Nanosecond})
	l.put(1, "key", "record", 0)
	l.change(func(p *topology.Partition) { p.Learner = 2 })
	var late []mail
	l.deliver(func(m mail) bool {
		if _, ok := m.msg.(*part.SnapshotChunk); ok {
			late = append(late, m)
			return true
		}
		return false
	})
	l.begin(1, part.Request{Kind: part.Delete, Cache: "cache", Key: "key"})
	l.deliver()
	l.mono++
	l.replicas[2].Tick(l.now(), &l.fx)
	l.collect(2)
	l.mail = late
	l.deliver()
	if l.synced != 2 {
		t.Fatal("the learner does not come to an end")
	}
	l.same(1, 2)
}

// What was not committed when the snapshot began is in the learner's tail, too.
func TestLearnerHasTail(t *testing.T) {
	l := newLab(t, part.Options{})
	l.add(2, part.Options{})
	l.add(3, part.Options{})
	l.teach(3)
	l.begin(1, part.Request{Kind: part.Put, Cache: "cache", Key: "key", Record: []byte("record")})
	lost := func(m mail) bool { return m.to == 3 }
	l.change(func(p *topology.Partition) { p.Learner = 2 }, 1, 2)
	l.deliver(lost)
	l.tick(50 * time.Millisecond)
	if l.synced != 2 {
		t.Fatal("the learner does not come to an end")
	}
	l.change(func(p *topology.Partition) { p.InSync, p.Learner = []topology.ID{1, 2, 3}, 0 }, 1, 2)
	l.deliver(lost)
	l.change(func(p *topology.Partition) { p.Primary, p.InSync = 3, []topology.ID{3, 2} }, 2, 3)
	l.deliver(func(m mail) bool { return m.to == 1 })
	if got := l.get(3, "key"); got != "record" {
		t.Errorf("got %q", got)
	}
	l.same(2, 3)
}

// A version is greater than all before, though the clock is behind and nothing is left of
// what had them.
func TestLearnerKnowsTheClock(t *testing.T) {
	o := part.Options{TombstoneAge: time.Second}
	l := newLab(t, o)
	l.add(2, o)
	l.wall = time.Hour
	put := l.put(1, "key", "record", 0)
	l.do(1, part.Request{Kind: part.Delete, Cache: "cache", Key: "key"})
	l.tick(2 * time.Second)
	l.wall = 0
	l.teach(2)
	l.change(takeOver)
	if again := l.put(2, "key", "again", 0); again.Version <= put.Version {
		t.Errorf("version %d follows %d", again.Version, put.Version)
	}
}

// Chunks that are made again have the same keys, whatever has become of the records.
func TestChunksHaveTheSameKeys(t *testing.T) {
	l := newLab(t, part.Options{})
	l.add(2, part.Options{})
	for i := range 2000 {
		l.put(1, fmt.Sprintf("%04d", i), string(make([]byte, 500)), 0)
	}
	l.change(func(p *topology.Partition) { p.Learner = 2 })
	lost := func(m mail) bool { _, ok := m.msg.(*part.SnapshotAck); return ok }
	l.deliver(lost)
	for i := range 300 {
		l.begin(1, part.Request{Kind: part.Put, Cache: "cache", Key: fmt.Sprintf("%04d", i), Record: []byte("x")})
	}
	l.deliver(lost)
	l.tick(150 * time.Millisecond)
	for range 20 {
		l.deliver()
		l.tick(50 * time.Millisecond)
	}
	if l.synced != 2 {
		t.Fatal("the learner does not come to an end")
	}
	l.same(1, 2)
}

// A touch that overtakes the chunk with its record is not lost.
func TestTouchBeforeChunk(t *testing.T) {
	l := newLab(t, part.Options{})
	l.add(2, part.Options{})
	put := l.put(1, "key", "record", time.Minute)
	l.change(func(p *topology.Partition) { p.Learner = 2 })
	var late []mail
	l.deliver(func(m mail) bool {
		if _, ok := m.msg.(*part.SnapshotChunk); ok {
			late = append(late, m)
			return true
		}
		return false
	})
	l.begin(1, part.Request{Kind: part.Touch, Cache: "cache", Key: "key", Token: put.Version, TTL: time.Hour})
	l.deliver()
	l.mono += int64(time.Second)
	l.mail = late
	l.deliver()
	if l.synced != 2 {
		t.Fatal("the learner does not come to an end")
	}
	l.change(takeOver)
	l.mono += int64(59 * time.Minute)
	if got := l.get(2, "key"); got != "record" {
		t.Errorf("got %q", got)
	}
}
