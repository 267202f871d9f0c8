package part_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/rules"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// pair returns a primary, 1, and a backup, 2.
func pair(t testing.TB, o part.Options) *lab {
	l := newLab(t, o)
	l.add(2, o)
	l.teach(2)
	return l
}

func takeOver(p *topology.Partition) { p.Primary, p.InSync, p.Learner = 2, []topology.ID{2}, 0 }

func (l *lab) answered(tag uint64) bool {
	_, ok := l.replies[tag]
	return ok
}

func TestWriteWaitsForBackup(t *testing.T) {
	l := pair(t, part.Options{})
	tag := l.begin(1, part.Request{Kind: part.Put, Cache: "cache", Key: "key", Record: []byte("record")})
	l.pass(time.Second)
	if l.answered(tag) {
		t.Fatal("a write is acknowledged before the backup has it")
	}
	if len(l.silent) > 0 {
		t.Fatal("the backup is silent after one second")
	}
	l.mail = nil // it was lost, again and again
	l.pass(1100 * time.Millisecond)
	if !slices.Contains(l.silent, 2) {
		t.Fatal("the backup is not reported as silent")
	}
	l.change(func(p *topology.Partition) { p.InSync = []topology.ID{1} }, 1)
	if res := l.replies[tag]; !l.answered(tag) || res.Status != part.OK || res.Copies != 1 {
		t.Fatalf("without the backup the answer is %+v", res)
	}
}

// A member that was paused itself does not blame the others.
func TestPauseIsNoSilence(t *testing.T) {
	l := pair(t, part.Options{})
	l.begin(1, part.Request{Kind: part.Put, Cache: "cache", Key: "key", Record: []byte("record")})
	l.tick(50 * time.Millisecond)
	l.tick(3 * time.Second)
	l.deliver()
	l.tick(50 * time.Millisecond)
	if len(l.silent) > 0 {
		t.Error("the backup is reported as silent")
	}
}

func TestWriteWithLostMessages(t *testing.T) {
	l := pair(t, part.Options{})
	for i := range 20 {
		tag := l.begin(1, part.Request{Kind: part.Put, Cache: "cache", Key: fmt.Sprint(i % 3), Record: fmt.Append(nil, i)})
		n := 0
		l.deliver(func(mail) bool { n++; return n == 1+i%2 })
		for range 20 {
			l.tick(50 * time.Millisecond)
			l.deliver()
		}
		if res := l.replies[tag]; !l.answered(tag) || res.Status != part.OK || res.Copies != 2 {
			t.Fatalf("write %d ends with %+v", i, res)
		}
	}
	l.same(1, 2)
}

func TestReadWaitsForUncommittedWrite(t *testing.T) {
	l := pair(t, part.Options{})
	l.put(1, "key", "old", 0)
	put := l.begin(1, part.Request{Kind: part.Put, Cache: "cache", Key: "key", Record: []byte("new")})
	if _, status := l.replicas[1].Get(l.now(), "cache", "key"); status != part.Wait {
		t.Errorf("Get says %d while a write is not committed", status)
	}
	get := l.begin(1, part.Request{Kind: part.Get, Cache: "cache", Key: "key"})
	other := l.begin(1, part.Request{Kind: part.Get, Cache: "cache", Key: "other"})
	if l.answered(get) || !l.answered(other) {
		t.Fatal("a read of the key does not wait, or another one does")
	}
	l.deliver()
	if got := string(l.replies[get].Present.Record); got != "new" || !l.answered(put) {
		t.Errorf("got %q", got)
	}
	if f, status := l.replicas[2].Peek(l.now(), "cache", "key"); status != part.OK || string(f.Record) != "new" {
		t.Errorf("the backup has %q, status %d", f.Record, status)
	}
}

func TestReadWaitsForUncommittedClear(t *testing.T) {
	l := pair(t, part.Options{})
	l.put(1, "key", "old", 0)
	clear := l.begin(1, part.Request{Kind: part.Clear, Cache: "cache"})
	get := l.begin(1, part.Request{Kind: part.Get, Cache: "cache", Key: "key"})
	if _, status := l.replicas[1].Get(l.now(), "cache", "key"); status != part.Wait || l.answered(get) || l.answered(clear) {
		t.Fatal("a read does not wait for the clear")
	}
	l.deliver()
	if !l.answered(clear) || !l.answered(get) || l.replies[get].Present.OK {
		t.Errorf("after the clear there is %+v", l.replies[get])
	}
	l.same(1, 2)
}

func TestRequestsAreAnsweredByTheirDeadline(t *testing.T) {
	l := pair(t, part.Options{})
	l.put(1, "key", "old", 0)
	soon := l.mono + int64(100*time.Millisecond)
	put := l.begin(1, part.Request{Kind: part.Put, Cache: "cache", Key: "key", Record: []byte("new"), Expires: soon})
	get := l.begin(1, part.Request{Kind: part.Get, Cache: "cache", Key: "key", Expires: soon})
	l.tick(200 * time.Millisecond)
	late := l.begin(1, part.Request{Kind: part.Put, Cache: "cache", Key: "key", Expires: soon})
	if got := l.replies[put].Status; got != part.Unknown {
		t.Errorf("the write that was executed ends with %d", got)
	}
	if got := l.replies[get].Status; got != part.Timeout {
		t.Errorf("the read that waited ends with %d", got)
	}
	if got := l.replies[late].Status; got != part.Timeout {
		t.Errorf("the write that came too late ends with %d", got)
	}
	l.deliver()
	if got := l.get(1, "key"); got != "new" {
		t.Errorf("got %q", got)
	}
}

func TestNothingIsServedWithoutLease(t *testing.T) {
	l := pair(t, part.Options{})
	l.put(1, "key", "record", 0)
	now := l.now()
	now.Lease = now.Mono
	if _, status := l.replicas[1].Get(now, "cache", "key"); status != part.Wait {
		t.Errorf("Get says %d", status)
	}
	if _, status := l.replicas[2].Peek(now, "cache", "key"); status != part.Wait {
		t.Errorf("Peek says %d", status)
	}
	l.replicas[1].Do(now, &part.Request{Kind: part.Put, Cache: "cache", Key: "key", Tag: 77, Expires: now.Mono + 1e9}, &l.fx)
	l.replicas[1].Flush(now, &l.fx)
	if len(l.fx.Replies)+len(l.fx.Send) > 0 {
		t.Error("a write is executed")
	}
	l.tick(time.Millisecond)
	l.deliver()
	if !l.answered(77) {
		t.Error("the write is not executed when there is a lease again")
	}
}

func TestFence(t *testing.T) {
	for _, removed := range []rules.Set{0, rules.Fence} {
		l := pair(t, part.Options{Rules: removed})
		l.replicas[2].Promise(2)
		tag := l.begin(1, part.Request{Kind: part.Put, Cache: "cache", Key: "key", Record: []byte("record")})
		l.deliver()
		if removed != 0 {
			if !l.answered(tag) {
				t.Error("the write is refused without the rule")
			}
			continue
		}
		if l.answered(tag) {
			t.Fatal("a write of an old term is acknowledged")
		}
		if _, status := l.replicas[1].Get(l.now(), "cache", "other"); status != part.Wait {
			t.Errorf("the primary that was refused serves: %d", status)
		}
		l.config = l.config.Clone()
		l.config.Lineage, l.config.Stamp = 2, topology.Stamp{Term: 2, Version: 1}
		l.configure()
		l.deliver()
		if res := l.replies[tag]; !l.answered(tag) || res.Status != part.OK {
			t.Errorf("under the new term the write ends with %+v", res)
		}
		if _, status := l.replicas[1].Get(l.now(), "cache", "key"); status != part.OK {
			t.Errorf("under the new term Get says %d", status)
		}
	}
}

// A replica that refused and is then taken out does not keep the primary from serving.
func TestFenceGoesWithItsReplica(t *testing.T) {
	l := pair(t, part.Options{})
	l.replicas[2].Promise(9)
	tag := l.begin(1, part.Request{Kind: part.Put, Cache: "cache", Key: "key", Record: []byte("record")})
	l.deliver()
	l.change(func(p *topology.Partition) { p.InSync = []topology.ID{1} }, 1)
	if res := l.replies[tag]; !l.answered(tag) || res.Status != part.OK {
		t.Errorf("the write ends with %+v", res)
	}
	if _, status := l.replicas[1].Get(l.now(), "cache", "key"); status != part.OK {
		t.Errorf("Get says %d", status)
	}
}

func TestRequestIsExecutedOnce(t *testing.T) {
	l := pair(t, part.Options{})
	old := l.put(1, "key", "old", 0)
	swap := part.Request{Kind: part.Swap, Op: part.OpID{Client: 1, Seq: 1}, Cache: "cache", Key: "key",
		Record: []byte("new"), Token: old.Version + 1}
	if res := l.do(1, swap); res.Status != part.NotSwapped || string(res.Present.Record) != "old" {
		t.Errorf("a swap of another version ends with %+v", res)
	}
	swap.Token = old.Version
	if res := l.do(1, swap); res.Status != part.NotSwapped {
		t.Errorf("a swap that failed is executed when it is sent again: %+v", res)
	}
	swap.Op.Seq++
	first := l.begin(1, swap)
	again := l.begin(1, swap) // while it is not committed
	l.deliver()
	if a, b := l.replies[first], l.replies[again]; a.Status != part.OK || b.Status != part.OK || b.Version != a.Version || !b.Repeated {
		t.Errorf("a swap and its repetition end with %+v and %+v", a, b)
	}
	put := part.Request{Kind: part.Put, Op: part.OpID{Client: 1, Seq: 3}, Cache: "cache", Key: "key", Record: []byte("put")}
	l.do(1, put)
	l.put(1, "key", "later", 0)
	if l.do(1, put); l.get(1, "key") != "later" {
		t.Error("a put is executed twice")
	}
}

func TestProcessor(t *testing.T) {
	count := 0
	l := pair(t, part.Options{Processors: func(name string) part.Processor {
		if name != "count" {
			return nil
		}
		return func(present part.Found, args []byte) part.Decision {
			count++
			if string(args) == "remove" {
				return part.Decision{Change: part.Remove, Output: present.Record}
			}
			return part.Decision{Change: part.Store, Record: append(slices.Clone(present.Record), args...), Output: []byte("output")}
		}
	}})
	req := part.Request{Kind: part.Process, Cache: "cache", Key: "key", Processor: "count", Args: []byte("x"), Op: part.OpID{Client: 1, Seq: 1}}
	if res := l.do(1, req); res.Status != part.OK || string(res.Output) != "output" {
		t.Errorf("got %+v", res)
	}
	if res := l.do(1, req); !res.Repeated || count != 1 {
		t.Errorf("again: got %+v after %d calls", res, count)
	}
	req.Op.Seq++
	l.do(1, req)
	if got := l.get(1, "key"); got != "xx" {
		t.Errorf("got %q", got)
	}
	req.Op.Seq, req.Args = 3, []byte("remove")
	if res := l.do(1, req); string(res.Output) != "xx" || l.get(1, "key") != "" {
		t.Errorf("remove: got %+v", res)
	}
	req.Op.Seq, req.Processor = 4, "none"
	if res := l.do(1, req); res.Status != part.NoProcessor {
		t.Errorf("no such processor: got %+v", res)
	}
	l.same(1, 2)
}

func TestDigestFindsDifference(t *testing.T) {
	l := pair(t, part.Options{DigestEvery: time.Second})
	l.put(1, "key", "record", 0)
	l.tick(1100 * time.Millisecond)
	l.deliver()
	l.tick(50 * time.Millisecond)
	if len(l.silent) > 0 {
		t.Fatal("equal replicas are said to differ")
	}
	p := l.config.Partitions[0]
	forged := &part.Replicate{Term: l.config.Stamp.Term, Epoch: p.Epoch, Reign: p.Reign, First: 2,
		Items: []part.Item{{Cache: "cache", Key: "key", Version: 1 << 62, Record: []byte("other")}}}
	l.replicas[2].Step(l.now(), 1, forged, &l.fx)
	l.fx.Reset()
	l.put(1, "other", "record", 0)
	for range 30 {
		l.tick(50 * time.Millisecond)
		l.deliver()
	}
	if !slices.Contains(l.silent, 2) {
		t.Error("the difference is not noticed")
	}
}
