package part_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/rules"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// give lets member a of one cluster offer everything to member b of another one, until
// there is nothing to send.
func give(from *lab, a topology.ID, to *lab, b topology.ID, common part.Version) {
	from.replicas[a].Offer(from.now(), b, common, true, &from.fx)
	from.collect(a)
	exchange(from, a, to, b)
}

// exchange delivers what two clusters send each other, and what follows.
func exchange(from *lab, a topology.ID, to *lab, b topology.ID) {
	for len(from.mail)+len(to.mail) > 0 {
		for _, l := range []*lab{from, to} {
			mail := l.mail
			l.mail = nil
			for _, m := range mail {
				target := l
				switch {
				case l == from && m.to == b:
					target = to
				case l == to && m.to == a:
					target = from
				}
				if r := target.replicas[m.to]; r != nil {
					r.Step(target.now(), m.from, m.msg, &target.fx)
					target.collect(m.to)
				}
			}
		}
	}
}

// contents returns the records of a primary by cache and key.
func contents(l *lab, id topology.ID) map[string]string {
	m := map[string]string{}
	for _, cache := range []string{"cache", "other"} {
		items, _, status := l.replicas[id].Scan(l.now(), cache, 0, 1<<20)
		if status != part.OK {
			l.t.Fatalf("scan: status %d", status)
		}
		for _, it := range items {
			m[cache+"/"+it.Key] = string(it.Record)
		}
	}
	return m
}

// A change is what a client did on one side of a cut.
type change struct {
	cache, key, record string
	clear              bool
	wait               time.Duration
}

func (l *lab) make(id topology.ID, changes []change) {
	for _, c := range changes {
		l.mono += int64(c.wait)
		req := part.Request{Cache: c.cache, Key: c.key, Record: []byte(c.record)}
		switch {
		case c.clear:
			req.Kind, req.Key = part.Clear, ""
		case c.record == "":
			req.Kind = part.Delete
		default:
			req.Kind = part.Put
		}
		if res := l.do(id, req); res.Status != part.OK {
			l.t.Fatalf("%+v: status %d", c, res.Status)
		}
	}
}

// sides builds clusters that have a history in common and then went their own ways. It
// always builds the same ones.
func sides(t testing.TB, o part.Options, before []change, after ...[]change) (labs []*lab, common part.Version) {
	for i := range after {
		l := newLabOf(t, topology.ID(i+1), o)
		if i == 0 {
			l.make(1, before)
		} else {
			l.mono = labs[0].mono
			give(labs[0], 1, l, topology.ID(i+1), 0)
		}
		labs = append(labs, l)
	}
	fork := labs[0].mono + int64(time.Second)
	for i, l := range labs {
		l.mono = fork
		l.make(topology.ID(i+1), after[i])
		l.events, l.merged = nil, false
	}
	for _, l := range labs {
		l.mono = fork + int64(time.Minute)
	}
	return labs, part.At(start.Add(time.Duration(fork)))
}

// union merges records as sets of letters; a deletion wins.
func union(ours, theirs *part.Item) ([]byte, time.Duration) {
	if ours.Kind == part.ItemDelete || theirs.Kind == part.ItemDelete {
		return nil, 0
	}
	set := slices.Concat(ours.Record, theirs.Record)
	slices.Sort(set)
	return slices.Compact(set), 0
}

func drawChanges(t *rapid.T, name string) []change {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) change {
		return change{
			cache:  rapid.SampledFrom([]string{"cache", "cache", "other"}).Draw(t, "cache"),
			key:    rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "key"),
			record: rapid.SampledFrom([]string{"x", "y", "z", "xy", ""}).Draw(t, "record"),
			clear:  rapid.IntRange(0, 12).Draw(t, "clear") == 0,
			wait:   time.Duration(rapid.IntRange(1, 50).Draw(t, "wait")) * time.Millisecond,
		}
	}), 0, 8).Draw(t, name)
}

func TestMergeIsCommutativeAndIdempotent(t *testing.T) {
	for name, merge := range map[string]func(string) part.MergeFunc{
		"latest": nil, "union": func(string) part.MergeFunc { return union }} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				before, a, b := drawChanges(rt, "before"), drawChanges(rt, "a"), drawChanges(rt, "b")
				build := func() ([]*lab, part.Version) {
					return sides(fataler{t, rt}, part.Options{Merge: merge}, before, a, b)
				}
				one, common := build()
				give(one[0], 1, one[1], 2, common)
				other, _ := build()
				give(other[1], 2, other[0], 1, common)
				if !one[0].merged || !other[1].merged {
					rt.Fatal("the offer does not come to an end")
				}
				got, want := contents(one[1], 2), contents(other[0], 1)
				if !maps.Equal(got, want) {
					rt.Fatalf("one way there is %v, the other way %v", got, want)
				}
				digest := one[1].replicas[2].Stats().Digest
				give(one[0], 1, one[1], 2, common)
				if now := contents(one[1], 2); !maps.Equal(now, got) || one[1].replicas[2].Stats().Digest != digest {
					rt.Fatalf("a second time there is %v, before %v", now, got)
				}
			})
		})
	}
}

func TestMergeIsAssociative(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		before, a, b, c := drawChanges(rt, "before"), drawChanges(rt, "a"), drawChanges(rt, "b"), drawChanges(rt, "c")
		build := func() ([]*lab, part.Version) {
			return sides(fataler{t, rt}, part.Options{}, before, a, b, c)
		}
		one, common := build()
		give(one[0], 1, one[1], 2, common)
		give(one[1], 2, one[2], 3, common)
		other, _ := build()
		give(other[1], 2, other[2], 3, common)
		give(other[0], 1, other[2], 3, common)
		if got, want := contents(one[2], 3), contents(other[2], 3); !maps.Equal(got, want) {
			rt.Fatalf("in one order there is %v, in the other one %v", got, want)
		}
	})
}

// What was deleted on one side stays so, even if its tombstone has been forgotten.
func TestMergeHonoursDeletions(t *testing.T) {
	for _, removed := range []rules.Set{0, rules.MergeTombstones} {
		o := part.Options{Rules: removed, TombstoneAge: time.Second}
		before := []change{{cache: "cache", key: "a", record: "x"}, {cache: "cache", key: "b", record: "x"}, {cache: "other", key: "c", record: "x"}}
		labs, common := sides(t, o, before,
			[]change{{cache: "cache", key: "a"}, {cache: "other", clear: true}},
			[]change{{cache: "cache", key: "b"}})
		labs[1].tick(time.Minute)
		labs[1].tick(time.Minute)
		if n := labs[1].replicas[2].Stats().Tombstones; n != 0 {
			t.Fatalf("%d tombstones are left", n)
		}
		give(labs[0], 1, labs[1], 2, common)
		got := contents(labs[1], 2)
		if kept := len(got) == 0; kept != (removed == 0) {
			t.Errorf("with rules %b removed there is %v", removed, got)
		}
	}
}

// A record that expired on one side was in use on the other one.
func TestMergeKeepsWhatLives(t *testing.T) {
	for _, direction := range []bool{false, true} {
		labs, common := sides(t, part.Options{}, nil, nil, nil)
		put := labs[0].put(1, "key", "record", time.Minute)
		labs[1].mono = labs[0].mono
		give(labs[0], 1, labs[1], 2, common)
		labs[0].mono += int64(50 * time.Second)
		labs[0].do(1, part.Request{Kind: part.Touch, Cache: "cache", Key: "key", Token: put.Version, TTL: time.Minute})
		labs[0].mono += int64(30 * time.Second)
		labs[1].tick(80 * time.Second)
		if contents(labs[1], 2)["cache/key"] != "" || contents(labs[0], 1)["cache/key"] == "" {
			t.Fatal("the record did not expire on one side only")
		}
		common = part.At(start.Add(time.Duration(labs[0].mono)))
		target, id := labs[1], topology.ID(2)
		if direction {
			give(labs[1], 2, labs[0], 1, common)
			target, id = labs[0], 1
		} else {
			give(labs[0], 1, labs[1], 2, common)
		}
		if got := target.get(id, "key"); got != "record" {
			t.Errorf("member %d has %q", id, got)
		}
		if f, _ := target.replicas[id].Get(target.now(), "cache", "key"); f.Left != 30*time.Second {
			t.Errorf("member %d lets it live for %v", id, f.Left)
		}
	}
}

// The winner confirms an offer when its backups have what came of it.
func TestOfferIsAcknowledgedWhenCommitted(t *testing.T) {
	for _, removed := range []rules.Set{0, rules.KeepUntilMerged} {
		winner := pair(t, part.Options{Rules: removed})
		loser := newLabOf(t, 7, part.Options{})
		loser.put(7, "key", "record", 0)
		winner.mono = loser.mono
		loser.replicas[7].Offer(loser.now(), 1, 0, true, &loser.fx)
		loser.collect(7)
		winner.replicas[1].Step(winner.now(), 7, loser.mail[0].msg, &winner.fx)
		winner.collect(1)
		acked := func() bool {
			return slices.ContainsFunc(winner.mail, func(m mail) bool { _, ok := m.msg.(*part.OfferAck); return ok })
		}
		if acked() == (removed == 0) {
			t.Errorf("with rules %b removed, the offer is acknowledged before the backup has it: %v", removed, acked())
		}
		exchange(loser, 7, winner, 1)
		if !loser.merged {
			t.Error("the offer does not come to an end")
		}
		winner.change(takeOver)
		if got := winner.get(2, "key"); got != "record" {
			t.Errorf("the backup has %q", got)
		}
	}
}

// An offer starts over when messages are lost, or the winner is not ready.
func TestOfferSurvivesLoss(t *testing.T) {
	winner, loser := newLab(t, part.Options{}), newLabOf(t, 7, part.Options{})
	for i := range 2000 {
		loser.put(7, fmt.Sprint(i), string(bytes.Repeat([]byte("x"), 500)), 0)
	}
	loser.replicas[7].Offer(loser.now(), 1, 0, true, &loser.fx)
	loser.collect(7)
	n := 0
	for range 400 {
		for _, l := range []*lab{loser, winner} {
			kept := l.mail[:0]
			for _, m := range l.mail {
				if n++; n%5 != 0 || n > 60 {
					kept = append(kept, m)
				}
			}
			l.mail = kept
		}
		exchange(loser, 7, winner, 1)
		loser.tick(50 * time.Millisecond)
		winner.tick(50 * time.Millisecond)
	}
	if !loser.merged {
		t.Fatal("the offer does not come to an end")
	}
	if got, want := contents(winner, 1), contents(loser, 7); !maps.Equal(got, want) {
		t.Errorf("the winner has %d records, the loser %d", len(got), len(want))
	}
}

// An operation that the loser executed is not executed by the winner again.
func TestOfferCarriesOperations(t *testing.T) {
	winner, loser := newLab(t, part.Options{}), newLabOf(t, 7, part.Options{})
	put := part.Request{Kind: part.Put, Op: part.OpID{Client: 1, Seq: 1}, Cache: "cache", Key: "key", Record: []byte("record")}
	loser.do(7, put)
	loser.put(7, "key", "later", 0)
	give(loser, 7, winner, 1, 0)
	if res := winner.do(1, put); !res.Repeated || winner.get(1, "key") != "later" {
		t.Errorf("got %+v, and %q", res, winner.get(1, "key"))
	}
}

// With Leased nothing is committed without a lease.
func TestCommitNeedsLease(t *testing.T) {
	for _, leased := range []bool{false, true} {
		l := pair(t, part.Options{Leased: leased})
		tag := l.begin(1, part.Request{Kind: part.Put, Cache: "cache", Key: "key", Record: []byte("record")})
		l.config = l.config.Clone()
		l.config.Stamp.Version++
		p := &l.config.Partitions[0]
		p.Epoch, p.InSync = l.config.Stamp, []topology.ID{1}
		now := l.now()
		now.Lease = 0
		l.replicas[1].Configure(now, l.config, &l.fx)
		l.collect(1)
		if l.answered(tag) == leased {
			t.Errorf("leased %v: the write is answered without a lease: %v", leased, l.answered(tag))
		}
		l.tick(50 * time.Millisecond)
		if !l.answered(tag) {
			t.Errorf("leased %v: the write is not answered under a lease", leased)
		}
	}
}

// In a partition that was lost, what a caller was told to be deleted stays so when a member
// that was left behind brings it.
func TestAbsentKeyOfLostPartitionStaysDeleted(t *testing.T) {
	behind, alone := newLabOf(t, 1, part.Options{}), newLabOf(t, 2, part.Options{})
	behind.put(1, "deleted", "record", 0)
	behind.put(1, "kept", "record", 0)
	alone.mono = behind.mono + int64(time.Second)
	alone.change(func(p *topology.Partition) { p.Lost = p.Epoch })
	if res := alone.do(2, part.Request{Kind: part.Delete, Cache: "cache", Key: "deleted"}); res.Status != part.OK || res.Present.OK {
		t.Fatalf("%+v", res)
	}
	if len(alone.events) > 0 {
		t.Errorf("there are events of it: %+v", alone.events)
	}
	give(behind, 1, alone, 2, part.Version(0))
	if got := alone.get(2, "deleted"); got != "" {
		t.Errorf("what was deleted is %q", got)
	}
	if got := alone.get(2, "kept"); got != "record" {
		t.Errorf("what was not deleted is %q", got)
	}
}
