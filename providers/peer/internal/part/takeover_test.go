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

func TestNewPrimaryHasWhatWasNotCommitted(t *testing.T) {
	l := newLab(t, part.Options{})
	l.add(2, part.Options{})
	l.add(3, part.Options{})
	l.teach(2)
	l.teach(3)
	op := part.OpID{Client: 1, Seq: 1}
	req := part.Request{Kind: part.Put, Op: op, Cache: "cache", Key: "key", Record: []byte("record")}
	tag := l.begin(1, req)
	l.deliver(func(m mail) bool { return m.to == 2 }) // only 3 has it
	if l.answered(tag) {
		t.Fatal("the write is acknowledged")
	}
	l.config = l.config.Clone()
	l.change(func(p *topology.Partition) { p.Primary, p.InSync = 2, []topology.ID{2, 3} }, 2, 3)
	if _, status := l.replicas[2].Get(l.now(), "cache", "key"); status != part.Wait {
		t.Errorf("the new primary serves before it has asked the others: %d", status)
	}
	l.deliver(func(m mail) bool { return m.to == 1 })
	if got := l.get(2, "key"); got != "record" {
		t.Errorf("got %q", got)
	}
	l.same(2, 3)
	if res := l.do(2, req); res.Status != part.OK || !res.Repeated {
		t.Errorf("the same request again ends with %+v", res)
	}
}

// A primary that is replaced as planned answers what it has executed, when the next one
// has it committed.
func TestDemotedPrimaryAnswers(t *testing.T) {
	l := pair(t, part.Options{})
	l.put(1, "key", "old", 0)
	req := part.Request{Kind: part.Exchange, Op: part.OpID{Client: 1, Seq: 1}, Cache: "cache", Key: "key", Record: []byte("new")}
	executed := l.begin(1, req)
	waiting := l.begin(1, part.Request{Kind: part.Get, Cache: "cache", Key: "key"})
	l.mail = nil
	l.change(func(p *topology.Partition) { p.Primary = 2 })
	if got := l.replies[waiting].Status; got != part.NotPrimary {
		t.Errorf("the read ends with %d", got)
	}
	if l.answered(executed) {
		t.Error("the write is answered before it is committed")
	}
	l.deliver() // and without waiting for a tick
	if res := l.replies[executed]; !l.answered(executed) || res.Status != part.OK || string(res.Present.Record) != "old" || res.Copies != 2 {
		t.Errorf("the write ends with %+v", res)
	}
	if res := l.do(1, req); res.Status != part.NotPrimary || res.Epoch != l.config.Stamp {
		t.Errorf("the old primary says %+v", res)
	}
	if res := l.do(2, req); res.Status != part.OK || !res.Repeated {
		t.Errorf("the new primary says %+v", res)
	}
	l.same(1, 2)
}

// What a primary has executed that is taken out at once is not lost on the caller: the repetition
// tells whether the write lasts, and the first attempt what was there.
func TestRepetitionIsCompleted(t *testing.T) {
	l := pair(t, part.Options{})
	l.put(1, "key", "old", 0)
	req := part.Request{Kind: part.Exchange, Op: part.OpID{Client: 1, Seq: 1}, Cache: "cache", Key: "key", Record: []byte("new")}
	tag := l.begin(1, req)
	l.deliver(func(m mail) bool { return m.to == 1 }) // 2 has it, and 1 does not hear of that
	l.change(func(p *topology.Partition) { p.Primary, p.InSync = 2, []topology.ID{2} })
	l.deliver()
	before, again := l.replies[tag], l.do(2, req)
	if before.Status != part.Unknown || !again.Repeated {
		t.Fatalf("the request ends with %+v, and again with %+v", before, again)
	}
	if res := again.Complete(before); res.Status != part.OK || res.Repeated || string(res.Present.Record) != "old" {
		t.Errorf("together that is %+v", res)
	}
	another := before
	another.Version++
	for _, before := range []part.Result{{}, {Status: part.Unknown}, another} {
		if res := again.Complete(before); !res.Repeated || res.Present.OK {
			t.Errorf("with an attempt of another write that is %+v", res)
		}
	}
}

// What it has executed is unknown if it is not asked, or not in time.
func TestDemotedPrimaryDoesNotKnow(t *testing.T) {
	for name, then := range map[string]func(*lab){
		"taken out": func(l *lab) {
			l.change(func(p *topology.Partition) { p.Primary, p.InSync = 2, []topology.ID{2} })
		},
		"too late": func(l *lab) {
			l.change(func(p *topology.Partition) { p.Primary = 2 }, 1)
			l.tick(time.Minute)
		},
		"closed": func(l *lab) {
			l.change(func(p *topology.Partition) { p.Primary = 2 }, 1)
			l.replicas[1].Close(&l.fx)
			l.collect(1)
		},
		"closed at once": func(l *lab) {
			l.replicas[1].Close(&l.fx)
			l.collect(1)
		},
		"primary again": func(l *lab) {
			l.change(func(p *topology.Partition) { p.Primary = 2 }, 1)
			l.change(func(p *topology.Partition) { p.Primary, p.InSync = 1, []topology.ID{1} }, 1)
		},
	} {
		l := pair(t, part.Options{})
		tag := l.begin(1, part.Request{Kind: part.Put, Op: part.OpID{Client: 1, Seq: 1}, Cache: "cache", Key: "key", Record: []byte("record")})
		l.mail = nil
		then(l)
		if res := l.replies[tag]; !l.answered(tag) || res.Status != part.Unknown {
			t.Errorf("%s: the write ends with %+v", name, res)
		}
	}
}

// Two writes of a key that were in flight together are both remembered.
func TestPipelinedWritesAreRemembered(t *testing.T) {
	l := newLab(t, part.Options{})
	l.add(2, part.Options{})
	l.add(3, part.Options{})
	l.teach(2)
	l.teach(3)
	var reqs []part.Request
	for i := range 2 {
		reqs = append(reqs, part.Request{Kind: part.Put, Op: part.OpID{Client: 1, Seq: uint64(i + 1)}, Cache: "cache", Key: "key",
			Record: fmt.Append(nil, "record", i)})
		l.begin(1, reqs[i])
	}
	l.deliver(func(m mail) bool { return m.to != 3 })
	l.change(func(p *topology.Partition) { p.Primary, p.InSync = 2, []topology.ID{2, 3} }, 2, 3)
	l.deliver(func(m mail) bool { return m.to == 1 })
	for _, req := range reqs {
		if res := l.do(2, req); !res.Repeated {
			t.Errorf("%s: got %+v", req.Record, res)
		}
	}
	if got := l.get(2, "key"); got != "record1" {
		t.Errorf("got %q", got)
	}
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
