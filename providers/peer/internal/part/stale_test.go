package part_test

import (
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
