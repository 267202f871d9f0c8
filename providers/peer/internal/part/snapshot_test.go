package part_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/rules"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

func TestLearnerGetsEverything(t *testing.T) {
	l := newLab(t, part.Options{})
	l.add(2, part.Options{})
	record := string(make([]byte, 500))
	for i := range 3000 {
		l.put(1, fmt.Sprint(i), record, time.Hour)
	}
	for i := range 500 {
		l.do(1, part.Request{Kind: part.Delete, Cache: "cache", Key: fmt.Sprint(i * 2)})
	}
	l.change(func(p *topology.Partition) { p.Learner = 2 })
	write := func(i int) { // behind and before the place where the snapshot is
		l.put(1, fmt.Sprint(i), "changed", 0)
		l.put(1, fmt.Sprint(i*3), "changed", 0)
		l.put(1, fmt.Sprint("new", i), "new", 0)
		l.do(1, part.Request{Kind: part.Delete, Cache: "cache", Key: fmt.Sprint(2999 - i)})
		if i == 300 {
			l.do(1, part.Request{Kind: part.Clear, Cache: "none"})
		}
	}
	i := 0
	for ; i < 5000 && l.synced == 0; i++ {
		if len(l.mail) == 0 {
			l.tick(50 * time.Millisecond)
			continue
		}
		m := l.mail[0]
		l.mail = l.mail[1:]
		l.replicas[m.to].Step(l.now(), m.from, m.msg, &l.fx)
		l.collect(m.to)
		kept := l.mail
		l.mail = nil
		write(i % 900)
		l.mail = append(kept, l.mail...)
	}
	if l.synced != 2 {
		t.Fatal("the learner does not come to an end")
	}
	t.Logf("%d steps", i)
	l.deliver()
	l.same(1, 2)
	l.change(func(p *topology.Partition) { p.InSync, p.Learner = []topology.ID{1, 2}, 0 })
	l.put(1, "last", "record", 0)
	l.same(1, 2)
	if got := l.replicas[1].Stats(); got.Uncommitted > 0 || got.Lag[2] > 0 || got.Learning {
		t.Errorf("at rest the primary has %+v", got)
	}
	l.change(takeOver)
	if got := l.get(2, "new5"); got != "new" {
		t.Errorf("the new primary has %q", got)
	}
}

// What is written before the learner has begun reaches it at once when it has.
func TestLearnerMissesNothingBeforeItBegins(t *testing.T) {
	l := newLab(t, part.Options{})
	l.add(2, part.Options{})
	l.put(1, "before", "record", 0)
	l.change(func(p *topology.Partition) { p.Learner = 2 })
	begun := l.mail // on its way in bulk, which is slower
	l.mail = nil
	l.put(1, "meanwhile", "record", 0)
	l.deliver()
	l.mail = begun
	l.deliver()
	if l.synced != 2 {
		t.Error("the learner waits until something is sent again")
	}
	l.same(1, 2)
}

// A learner that hears of the snapshot before the configuration gets it soon all the same.
func TestLearnerWithoutConfiguration(t *testing.T) {
	l := newLab(t, part.Options{})
	l.add(2, part.Options{})
	l.put(1, "key", "record", 0)
	l.change(func(p *topology.Partition) { p.Learner = 2 }, 1)
	l.deliver()
	l.configure(2)
	begin := l.mono
	for l.synced == 0 && l.mono-begin < int64(time.Second) {
		l.tick(50 * time.Millisecond)
		l.deliver()
	}
	if d := time.Duration(l.mono - begin); d > 150*time.Millisecond {
		t.Errorf("it takes %v", d)
	}
}

// A snapshot that comes to nothing begins again.
func TestSnapshotSurvivesLoss(t *testing.T) {
	l := newLab(t, part.Options{})
	l.add(2, part.Options{})
	for i := range 1000 {
		l.put(1, fmt.Sprint(i), string(make([]byte, 500)), 0)
	}
	l.change(func(p *topology.Partition) { p.Learner = 2 })
	n := 0
	for range 400 {
		l.deliver(func(mail) bool { n++; return n < 60 && n%4 == 0 })
		l.tick(50 * time.Millisecond)
	}
	if l.synced != 2 {
		t.Fatal("the learner does not come to an end")
	}
	l.same(1, 2)
}

func TestWritesWaitForLearnerThatHasEverything(t *testing.T) {
	for _, removed := range []rules.Set{0, rules.LearnerAck} {
		l := newLab(t, part.Options{Rules: removed})
		l.add(2, part.Options{Rules: removed})
		l.put(1, "key", "old", 0)
		l.change(func(p *topology.Partition) { p.Learner = 2 })
		l.deliver()
		if l.synced != 2 {
			t.Fatal("the learner does not come to an end")
		}
		tag := l.begin(1, part.Request{Kind: part.Put, Cache: "cache", Key: "key", Record: []byte("new")})
		if l.answered(tag) == (removed == 0) {
			t.Errorf("with rules %b removed, the write is answered: %v", removed, l.answered(tag))
		}
		l.mail = nil
		l.silent = nil
		l.pass(3 * time.Second)
		if removed == 0 && len(l.silent) == 0 {
			t.Error("a silent learner that is reported as synced holds writes up, and is not reported")
		}
	}
}

func TestLearnerNeedsEveryWrite(t *testing.T) {
	for _, removed := range []rules.Set{0, rules.NumberedStream} {
		l := newLab(t, part.Options{Rules: removed, Resend: time.Hour, BackupTimeout: 2 * time.Hour})
		l.add(2, part.Options{Rules: removed})
		for i := range 1000 { // more chunks than are sent at once
			l.put(1, fmt.Sprint(i), string(make([]byte, 500)), 0)
		}
		l.change(func(p *topology.Partition) { p.Learner = 2 })
		l.begin(1, part.Request{Kind: part.Put, Cache: "cache", Key: "0", Record: []byte("lost")})
		l.deliver(func(m mail) bool {
			r, ok := m.msg.(*part.Replicate)
			return ok && r.First == 1001
		})
		if lost := l.synced == 2; lost == (removed == 0) {
			t.Errorf("with rules %b removed, the learner is in sync without a write: %v", removed, lost)
		}
	}
}

func TestScanSurvivesHandOff(t *testing.T) {
	l := pair(t, part.Options{})
	for i := range 500 {
		l.put(1, fmt.Sprint(i), "record", 0)
	}
	seen := map[string]int{}
	primary, cursor, calls := topology.ID(1), uint64(0), 0
	for {
		items, next, status := l.replicas[primary].Scan(l.now(), "cache", cursor, 60)
		if status != part.OK {
			t.Fatalf("status %d", status)
		}
		for _, it := range items {
			seen[it.Key]++
		}
		if cursor = next; cursor == 0 {
			break
		}
		calls++
		l.put(primary, fmt.Sprint("new", calls), "record", 0)
		if calls == 3 {
			primary = 2
			l.change(func(p *topology.Partition) { p.Primary = 2 })
			l.deliver()
		}
	}
	for i := range 500 {
		if n := seen[fmt.Sprint(i)]; n != 1 {
			t.Errorf("key %d was returned %d times", i, n)
		}
	}
	if n, _ := l.replicas[primary].Size(l.now(), "cache"); n != 500+calls {
		t.Errorf("size %d, want %d", n, 500+calls)
	}
}

// A learner that does not answer holds no write up.
func TestUnreachableLearnerHoldsNobodyUp(t *testing.T) {
	l := newLab(t, part.Options{})
	l.add(2, part.Options{})
	l.put(1, "key", "old", 0)
	l.change(func(p *topology.Partition) { p.Learner = 2 })
	for range 10 {
		tag := l.begin(1, part.Request{Kind: part.Put, Cache: "cache", Key: "key", Record: []byte("new")})
		l.deliver(except(2))
		l.tick(500 * time.Millisecond)
		if !l.answered(tag) {
			t.Fatal("a write waits for a learner that nobody can reach")
		}
	}
	l.synced = 0
	l.catchUp()
	if l.synced != 2 {
		t.Error("it does not learn when it is there again")
	}
	l.same(1, 2)
}
