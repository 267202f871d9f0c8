package part_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// leave has a member be absent.
func (l *lab) leave(id topology.ID) {
	l.config.Absent = []topology.Member{{ID: id}}
	l.change(func(*topology.Partition) {})
	l.deliver()
}

// What was deleted, or has expired, leaves room for records, whoever is absent.
func TestDeletionsRefuseNothing(t *testing.T) {
	for _, absent := range []bool{false, true} {
		for _, evict := range []bool{false, true} {
			for _, ttl := range []time.Duration{0, time.Millisecond} {
				t.Run(fmt.Sprint("absent=", absent, ",evict=", evict, ",ttl=", ttl), func(t *testing.T) {
					budget := &part.Budget{Max: 64 << 10}
					o := part.Options{Memory: budget}
					if evict {
						o.Evicts = func(string) bool { return true }
					}
					l := newLab(t, o)
					if absent {
						l.leave(7)
					}
					for i := range 2000 {
						key := fmt.Sprint("key", i)
						if l.put(1, key, "record", ttl); ttl == 0 {
							l.do(1, part.Request{Kind: part.Delete, Cache: "cache", Key: key})
						}
						l.tick(time.Second)
						if budget.Used() > budget.Max {
							t.Fatalf("%d bytes are used, %d are allowed", budget.Used(), budget.Max)
						}
					}
					if s := l.replicas[1].Stats(); s.Entries != 0 || s.Bytes > 4096 {
						t.Errorf("in the end there is %+v", s)
					}
				})
			}
		}
	}
}

// A deletion is remembered for seconds, and for minutes as long as somebody is absent who
// may have the record.
func TestTombstonesGo(t *testing.T) {
	l := newLab(t, part.Options{})
	erase := func() {
		l.put(1, "key", "record", 0)
		l.do(1, part.Request{Kind: part.Delete, Cache: "cache", Key: "key"})
	}
	check := func(after time.Duration, want int) {
		t.Helper()
		l.pass(after)
		if s := l.replicas[1].Stats(); s.Tombstones != want || (s.Bytes > 0) != (want > 0) {
			t.Errorf("after %v there is %+v", after, s)
		}
	}
	l.pass(20 * time.Second)
	erase()
	check(14*time.Second, 1)
	check(2*time.Second, 0)
	erase()
	l.leave(7)
	check(9*time.Minute, 1)
	check(time.Minute, 0)
	erase()
	check(9*time.Minute, 1)
	l.config.Absent = nil
	l.change(func(*topology.Partition) {})
	check(14*time.Second, 1)
	check(2*time.Second, 0)
}

// What was deleted on either side of a split stays so, though there was no memory for its
// tombstone; and what was written later is there.
func TestMergeHonoursCoalescedDeletions(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		before := drawChanges(rt, "before")
		sets := [][]change{drawChanges(rt, "a"), drawChanges(rt, "b")}
		var want map[string]string
		for _, tombstones := range []int{4096, 1} {
			o := part.Options{Tombstones: tombstones}
			labs, common := sides(fataler{t, rt}, o, before, sets...)
			give(labs[0], 1, labs[1], 2, common)
			got := contents(labs[1], 2)
			if want == nil {
				want = got
				continue
			}
			for id, record := range got {
				if want[id] == "" {
					rt.Errorf("%s is %q again, and was deleted", id, record)
				}
			}
		}
	})
}

// A deletion that was coalesced on one side removes what the other side still has, and does
// not take away what was put afterwards.
func TestCoalescedDeletionsAreOffered(t *testing.T) {
	for _, direction := range []bool{false, true} {
		var before, after []change
		for i := range 50 {
			before = append(before, change{cache: "cache", key: fmt.Sprint(i), record: "x"})
			after = append(after, change{cache: "cache", key: fmt.Sprint(i)})
		}
		after = append(after, change{cache: "cache", key: "7", record: "again", wait: time.Second})
		labs, common := sides(t, part.Options{Tombstones: 3}, before, after, nil)
		from, to := 0, 1
		if direction {
			from, to = 1, 0
		}
		give(labs[from], topology.ID(from+1), labs[to], topology.ID(to+1), common)
		if got := contents(labs[to], topology.ID(to+1)); len(got) != 1 || got["cache/7"] != "again" {
			t.Errorf("from %d to %d: there is %v", from, to, got)
		}
	}
}

// A learner learns of coalesced deletions, too.
func TestLearnerLearnsCoalescedDeletions(t *testing.T) {
	o := part.Options{Tombstones: 1}
	l, there := newLab(t, o), newLabOf(t, 7, part.Options{})
	l.leave(7)
	for i := range 20 {
		l.put(1, fmt.Sprint(i), "record", 0)
		there.put(7, fmt.Sprint(i), "record", 0)
	}
	l.mono = there.mono + int64(time.Second)
	for i := range 20 {
		l.do(1, part.Request{Kind: part.Delete, Cache: "cache", Key: fmt.Sprint(i)})
	}
	l.add(2, o)
	l.teach(2)
	l.change(takeOver)
	l.deliver()
	give(there, 7, l, 2, 0)
	if got := contents(l, 2); len(got) > 0 {
		t.Errorf("there is %v again", got)
	}
}
