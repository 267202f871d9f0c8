package part_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// step gives a member a message and returns what it sends.
func (l *lab) step(id, from topology.ID, m part.Message) []mail {
	kept := l.mail
	l.mail = nil
	l.replicas[id].Step(l.now(), from, m, &l.fx)
	l.collect(id)
	sent := l.mail
	l.mail = kept
	return sent
}

func TestStaleAcknowledgement(t *testing.T) {
	l := pair(t, part.Options{})
	old := l.config.Partitions[0]
	tag := l.begin(1, part.Request{Kind: part.Put, Cache: "cache", Key: "key", Record: []byte("record")})
	l.change(func(*topology.Partition) {}, 1)
	l.step(1, 2, &part.Acknowledge{Epoch: old.Epoch, Reign: old.Reign, Seq: 1})
	if l.answered(tag) {
		t.Error("an acknowledgement of an earlier epoch counts")
	}
	now := l.config.Partitions[0]
	l.step(1, 2, &part.Acknowledge{Epoch: now.Epoch, Reign: now.Reign, Seq: 9})
	if l.answered(tag) {
		t.Error("an acknowledgement of writes that were never made counts")
	}
	l.step(1, 3, &part.Acknowledge{Epoch: now.Epoch, Reign: now.Reign, Seq: 1})
	if l.answered(tag) {
		t.Error("an acknowledgement of a stranger counts")
	}
}

func TestReplicaKeepsToItsEpoch(t *testing.T) {
	l := pair(t, part.Options{})
	l.change(func(*topology.Partition) {})
	l.deliver()
	p := l.config.Partitions[0]
	m := part.Replicate{Term: 1, Epoch: p.Epoch, Reign: p.Reign, First: 1,
		Items: []part.Item{{Cache: "cache", Key: "key", Record: []byte("record"), Version: 1}}}
	older, newer := m, m
	older.Epoch.Version--
	newer.Epoch.Version++
	if sent := l.step(2, 1, &older); len(sent) != 1 {
		t.Errorf("to an earlier epoch it answers %v", sent)
	} else if r, ok := sent[0].msg.(*part.Refuse); !ok || r.Epoch != p.Epoch {
		t.Errorf("to an earlier epoch it answers %+v", sent[0].msg)
	}
	if sent := l.step(2, 1, &newer); len(sent) > 0 {
		t.Errorf("to an epoch that it does not know it answers %+v", sent[0].msg)
	}
	if n := l.replicas[2].Stats().Entries; n != 0 {
		t.Error("it takes the writes of another epoch")
	}
	seq := func(m part.Replicate) uint64 {
		for _, sent := range l.step(2, 1, &m) {
			if a, ok := sent.msg.(*part.Acknowledge); ok {
				return a.Seq
			}
		}
		return 0
	}
	second := m
	second.First = 2
	if got := []uint64{seq(second), seq(m), seq(second), seq(m)}; !slices.Equal(got, []uint64{0, 1, 2, 2}) {
		t.Errorf("it acknowledges %v", got)
	}
}

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

// A new primary that fails before everything is carried over costs nothing: the next one
// carries it over again, and the members that were asked remember what they told.
func TestTwoPrimariesFail(t *testing.T) {
	l := newLab(t, part.Options{})
	for id := topology.ID(2); id <= 4; id++ {
		l.add(id, part.Options{})
		l.teach(id)
	}
	for _, key := range []string{"one", "two"} { // each fills a message
		l.begin(1, part.Request{Kind: part.Put, Op: part.OpID{Client: 1, Seq: uint64(len(l.mail) + 1)}, Cache: "cache", Key: key,
			Record: bytes.Repeat([]byte("x"), 200<<10)})
	}
	l.deliver(func(m mail) bool { return m.to != 3 }) // only 3 has them
	l.change(func(p *topology.Partition) { p.Primary, p.InSync = 2, []topology.ID{2, 3, 4} }, 2, 3, 4)
	replicates := 0
	l.deliver(func(m mail) bool {
		if _, ok := m.msg.(*part.Replicate); ok {
			replicates++
			return replicates > 1 || m.to != 3
		}
		return m.to == 1
	})
	if _, status := l.replicas[2].Get(l.now(), "cache", "other"); status != part.Wait {
		t.Errorf("the primary serves before what it carries over is committed: %d", status)
	}
	l.events = nil
	l.change(func(p *topology.Partition) { p.Primary, p.InSync = 4, []topology.ID{3, 4} }, 3, 4)
	l.deliver(func(m mail) bool { return m.to < 3 })
	for _, key := range []string{"one", "two"} {
		if len(l.get(4, key)) == 0 {
			t.Errorf("%s is lost", key)
		}
	}
	l.same(3, 4)
	if len(l.events) > 0 {
		t.Errorf("what was carried over is reported: %d events", len(l.events))
	}
	l.change(func(p *topology.Partition) { p.Primary, p.InSync = 3, []topology.ID{3, 4} }, 3, 4)
	l.deliver()
	l.same(3, 4)
}

// The member that was asked becomes primary itself, and its tails of both reigns go on.
func TestTailsOfTwoReigns(t *testing.T) {
	l := newLab(t, part.Options{})
	for id := topology.ID(2); id <= 4; id++ {
		l.add(id, part.Options{})
		l.teach(id)
	}
	for _, key := range []string{"one", "two"} {
		l.begin(1, part.Request{Kind: part.Put, Cache: "cache", Key: key, Record: bytes.Repeat([]byte("x"), 200<<10)})
	}
	l.deliver(func(m mail) bool { return m.to != 3 })
	l.change(func(p *topology.Partition) { p.Primary, p.InSync = 2, []topology.ID{2, 3, 4} }, 2, 3, 4)
	replicates := 0
	l.deliver(func(m mail) bool {
		if _, ok := m.msg.(*part.Replicate); ok {
			replicates++
			return replicates > 1 || m.to != 3
		}
		return m.to == 1
	})
	l.change(func(p *topology.Partition) { p.Primary, p.InSync = 3, []topology.ID{3, 4} }, 3, 4)
	l.deliver(func(m mail) bool { return m.to < 3 })
	l.put(3, "three", "record", 0)
	l.same(3, 4)
}

func TestSilentReplicaAtPromotion(t *testing.T) {
	l := newLab(t, part.Options{})
	for id := topology.ID(2); id <= 3; id++ {
		l.add(id, part.Options{})
		l.teach(id)
	}
	l.change(func(p *topology.Partition) { p.Primary, p.InSync = 2, []topology.ID{2, 3} }, 2)
	l.pass(2100 * time.Millisecond)
	if !slices.Contains(l.silent, 3) {
		t.Error("a replica that does not give its tail is not reported")
	}
}

func TestTouchWaitsForTouch(t *testing.T) {
	l := pair(t, part.Options{})
	put := l.put(1, "key", "record", time.Minute)
	touch := part.Request{Kind: part.Touch, Cache: "cache", Key: "key", Token: put.Version, TTL: time.Hour}
	first := l.begin(1, touch)
	l.mono += int64(time.Millisecond)
	second := l.begin(1, touch)
	if l.answered(first) || l.answered(second) {
		t.Error("a touch is answered before the backup knows a deadline that is near")
	}
	l.deliver()
	l.mono += int64(time.Millisecond)
	if third := l.begin(1, touch); !l.answered(first) || !l.answered(second) || !l.answered(third) {
		t.Error("a touch is not answered")
	}
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
	l.add(2, part.Options{Grave: time.Nanosecond})
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
	o := part.Options{Grave: time.Second}
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

func TestEarlierSnapshotIsIgnored(t *testing.T) {
	l := newLab(t, part.Options{})
	l.add(2, part.Options{})
	l.change(func(p *topology.Partition) { p.Learner = 2 })
	l.mail = nil
	p := l.config.Partitions[0]
	begin := part.SnapshotBegin{Term: 1, Epoch: p.Epoch, Reign: p.Reign, ID: 5}
	earlier := begin
	earlier.ID = 4
	l.step(2, 1, &begin)
	l.step(2, 1, &earlier)
	chunk := &part.SnapshotChunk{Reign: p.Reign, ID: 5, N: 1, Last: true}
	if sent := l.step(2, 1, chunk); len(sent) != 1 {
		t.Errorf("it answers the chunk of the later snapshot with %v", sent)
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

// A clear takes away what the other side wrote before, and not what it wrote after.
func TestMergeWithClear(t *testing.T) {
	o := part.Options{Merge: func(string) part.MergeFunc { return union }}
	wrote := []change{{cache: "cache", key: "a", record: "x"}, {cache: "cache", key: "b", record: "x", wait: time.Second}}
	cleared := []change{{cache: "cache", clear: true, wait: time.Second / 2}, {cache: "cache", key: "a", record: "y"}}
	for _, back := range []bool{false, true} {
		labs, common := sides(t, o, nil, wrote, cleared)
		if back {
			give(labs[1], 2, labs[0], 1, common)
		} else {
			give(labs[0], 1, labs[1], 2, common)
		}
		id := topology.ID(2)
		if back {
			id = 1
		}
		if got := contents(labs[id-1], id); got["cache/a"] != "y" || got["cache/b"] != "x" || len(got) != 2 {
			t.Errorf("member %d has %v", id, got)
		}
	}
}

// A record that a merge brings back reaches the backups, too.
func TestMergeOverTombstone(t *testing.T) {
	winner, loser := pair(t, part.Options{}), newLabOf(t, 7, part.Options{})
	put := loser.put(7, "key", "record", time.Minute)
	give(loser, 7, winner, 1, 0)
	loser.do(7, part.Request{Kind: part.Touch, Cache: "cache", Key: "key", Token: put.Version, TTL: time.Hour})
	winner.pass(2 * time.Minute)
	winner.deliver()
	if got := winner.replicas[1].Stats().Entries; got != 0 {
		t.Fatal("the record did not expire")
	}
	give(loser, 7, winner, 1, 0)
	if got := winner.get(1, "key"); got != "record" {
		t.Errorf("got %q", got)
	}
	winner.same(1, 2)
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
