package topology_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

func members(n int, zones int) []topology.Member {
	list := make([]topology.Member, n)
	for i := range list {
		list[i] = topology.Member{ID: topology.ID(i*7919 + 1)}
		if zones > 0 {
			list[i].Zone = fmt.Sprint("zone", i%zones)
		}
	}
	return list
}

func TestTargetSpreadsEvenly(t *testing.T) {
	for _, n := range []int{2, 3, 5, 10} {
		target := topology.Target(members(n, 0), 271, 2)
		primaries, copies := map[topology.ID]int{}, map[topology.ID]int{}
		for _, ids := range target {
			primaries[ids[0]]++
			for _, id := range ids {
				copies[id]++
			}
		}
		for id, got := range primaries {
			if want := 271 / n; got < want/2 || got > want*2 {
				t.Errorf("%d members: member %d is primary of %d partitions, want about %d", n, id, got, want)
			}
		}
		for id, got := range copies {
			if want := 2 * 271 / n; got < want/2 || got > want*2 {
				t.Errorf("%d members: member %d holds %d partitions, want about %d", n, id, got, want)
			}
		}
	}
}

func TestTargetUsesDifferentZones(t *testing.T) {
	list := members(6, 3)
	zone := map[topology.ID]string{}
	for _, m := range list {
		zone[m.ID] = m.Zone
	}
	for p, ids := range topology.Target(list, 271, 4) {
		if len(ids) != 4 {
			t.Fatalf("partition %d has %d copies, want 4", p, len(ids))
		}
		seen := map[string]bool{}
		for _, id := range ids[:3] {
			seen[zone[id]] = true
		}
		if len(seen) != 3 {
			t.Errorf("partition %d: the first three copies are in %d zones", p, len(seen))
		}
	}
}

func TestTargetMovesLittle(t *testing.T) {
	before := topology.Target(members(5, 0), 271, 2)
	after := topology.Target(members(6, 0), 271, 2)
	moved := 0
	for p := range before {
		for _, id := range after[p] {
			if !slices.Contains(before[p], id) {
				moved++
			}
		}
	}
	if want := 2 * 271 / 6; moved > want*3/2 {
		t.Errorf("a sixth member moved %d copies, want about %d", moved, want)
	}
}

// The planner, from any state and with any interruptions, reaches its goal, and on the
// way no partition has fewer copies than it had or than it should have.
func TestPlan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const partitions = 17
		copies := rapid.IntRange(1, 4).Draw(t, "copies")
		all := members(6, rapid.IntRange(0, 3).Draw(t, "zones"))
		c := topology.Found(1, all[0], partitions)
		spare := all[1:]
		synced := map[int]topology.ID{}
		goal := topology.Goal{Copies: copies, HandOffs: rapid.IntRange(1, 5).Draw(t, "handOffs"),
			Synced: func(p int, l topology.ID) bool { return synced[p] == l }}
		settled := map[int]bool{}
		if rapid.Bool().Draw(t, "async") {
			goal.Settled = func(p int) bool { return settled[p] }
		}
		step := func() bool {
			next := topology.Plan(c, goal)
			if next == nil {
				return false
			}
			check(t, c, next, goal)
			c = next
			clear(settled)
			for i := range c.Partitions {
				if l := c.Partitions[i].Learner; l != 0 && rapid.Bool().Draw(t, "done") {
					synced[i] = l
				}
				settled[i] = goal.Settled != nil && rapid.Bool().Draw(t, "settled")
			}
			return true
		}
		for range rapid.IntRange(0, 12).Draw(t, "events") {
			switch rapid.IntRange(0, 4).Draw(t, "event") {
			case 0: // a member joins
				if len(spare) > 0 {
					c = c.Clone()
					c.Stamp.Version++
					c.Members = append(c.Members, spare[0])
					spare = spare[1:]
				}
			case 1: // one wants to leave
				if len(c.Members) > 1 {
					c = c.Clone()
					c.Stamp.Version++
					c.Members[rapid.IntRange(0, len(c.Members)-1).Draw(t, "leaver")].Leaving = true
				}
			case 2: // one fails
				if len(c.Members) > 1 {
					gone := c.Members[rapid.IntRange(1, len(c.Members)-1).Draw(t, "gone")].ID
					ended := rapid.Bool().Draw(t, "ended")
					before := c
					c = c.Without([]topology.ID{gone}, func(id topology.ID) bool { return ended && id == gone }, c.Members[0].ID)
					checkGone(t, before, c, gone, ended)
				}
			case 4: // it is known of an absent one that it has ended
				if len(c.Absent) > 0 {
					id := c.Absent[0].ID
					ended := func(other topology.ID) bool { return other == id }
					c = c.Unhold(ended)
					checkHeld(t, c)
					c = c.Forget([]topology.ID{id}, ended)
					checkHeld(t, c)
				}
			}
			for range rapid.IntRange(0, 10).Draw(t, "steps") {
				step()
			}
		}
		for range 1000 {
			for i := range c.Partitions {
				synced[i], settled[i] = c.Partitions[i].Learner, true
			}
			if !step() && len(unfinished(c)) == 0 {
				break
			}
		}
		target := topology.Target(c.Members, partitions, copies)
		for i, p := range c.Partitions {
			if len(target[i]) == 0 {
				continue // everybody leaves; somebody must stay
			}
			got := slices.Sorted(slices.Values(p.InSync))
			want := slices.Sorted(slices.Values(target[i]))
			if !slices.Equal(got, want) || p.Primary != target[i][0] || p.Learner != 0 {
				t.Fatalf("partition %d ends with primary %d, in sync %v, learner %d; want %v", i, p.Primary, got, p.Learner, target[i])
			}
		}
		for _, m := range c.Members {
			if m.Leaving && len(target[0]) > 0 {
				t.Fatalf("member %d is still there", m.ID)
			}
		}
	})
}

func unfinished(c *topology.Config) (learners []int) {
	for i := range c.Partitions {
		if c.Partitions[i].Learner != 0 {
			learners = append(learners, i)
		}
	}
	return learners
}

// check compares two configurations that follow each other.
func check(t *rapid.T, old, next *topology.Config, g topology.Goal) {
	if next.Stamp != (topology.Stamp{Term: old.Stamp.Term, Version: old.Stamp.Version + 1}) || next.Lineage != old.Lineage {
		t.Fatalf("stamp %v after %v", next.Stamp, old.Stamp)
	}
	taking, giving := map[topology.ID]int{}, map[topology.ID]int{}
	for i := range next.Partitions {
		a, b := old.Partitions[i], next.Partitions[i]
		if !slices.Contains(b.InSync, b.Primary) || slices.Contains(b.InSync, b.Learner) {
			t.Fatalf("partition %d: primary %d, learner %d, in sync %v", i, b.Primary, b.Learner, b.InSync)
		}
		staying := 0
		for _, m := range next.Members {
			if !m.Leaving {
				staying++
			}
		}
		if len(b.InSync) < len(a.InSync) && g.Settled != nil && !g.Settled(i) {
			t.Fatalf("partition %d has lost a copy while the others may lack something", i)
		}
		if len(b.InSync) < len(a.InSync) && len(b.InSync) < min(g.Copies, staying) {
			t.Fatalf("partition %d has %d copies in sync, had %d", i, len(b.InSync), len(a.InSync))
		}
		if a.Primary != b.Primary && !slices.Contains(a.InSync, b.Primary) {
			t.Fatalf("partition %d: %d became primary and was not in sync", i, b.Primary)
		}
		if a.Primary != b.Primary && !slices.Contains(b.InSync, a.Primary) {
			t.Fatalf("partition %d: the old primary was dropped in the same step", i)
		}
		same := a.Primary == b.Primary && a.Learner == b.Learner && slices.Equal(a.InSync, b.InSync)
		if same != (b.Epoch == a.Epoch) || !same && b.Epoch != next.Stamp {
			t.Fatalf("partition %d: epoch %v after %v", i, b.Epoch, a.Epoch)
		}
		if (a.Primary != b.Primary) != (a.Reign != b.Reign) {
			t.Fatalf("partition %d: reign %v after %v", i, b.Reign, a.Reign)
		}
		if b.Learner != 0 {
			taking[b.Learner]++
			giving[b.Primary]++
		}
	}
	for id, n := range taking {
		if n > g.HandOffs {
			t.Fatalf("member %d takes %d partitions at once", id, n)
		}
	}
}

func TestFollows(t *testing.T) {
	m := members(3, 0)
	a := topology.Found(1, m[0], 1)
	b := a.Clone() // the same lineage, later
	b.Stamp.Version = 5
	c := b.Clone() // took over from b
	c.Lineage, c.Stamp = 2, topology.Stamp{Term: 2, Version: 1}
	c.Ancestors = []topology.Fork{{Lineage: 1, Stamp: b.Stamp, Clock: 100}}
	d := b.Clone() // went on on the other side of a cut
	d.Stamp.Version = 6
	e := c.Clone() // took over from c
	e.Lineage = 3
	e.Ancestors = append([]topology.Fork{{Lineage: 2, Stamp: c.Stamp, Clock: 200}}, c.Ancestors...)
	for _, test := range []struct {
		name  string
		a, b  *topology.Config
		after bool
	}{
		{"itself", a, a, true}, {"its future", b, a, true}, {"the takeover, from before", c, a, true},
		{"the takeover", c, b, true}, {"the other side", c, d, false}, {"the other side, back", d, c, false},
		{"two takeovers", e, a, true}, {"two takeovers, and the other side", e, d, false}, {"an ancestor", a, c, false},
	} {
		if got := test.a.Follows(test.b); got != test.after {
			t.Errorf("%s: %v, want %v", test.name, got, test.after)
		}
	}
	if clock := topology.CommonClock(e, d); clock != 100 {
		t.Errorf("the two sides have everything up to %d in common, want 100", clock)
	}
	if clock := topology.CommonClock(d, c); clock != 100 {
		t.Errorf("the two sides have everything up to %d in common, want 100", clock)
	}
	if clock := topology.CommonClock(a, topology.Found(9, m[1], 1)); clock != 0 {
		t.Errorf("strangers have everything up to %d in common", clock)
	}
}

// checkGone checks what became of the partitions of a member that is gone: none is served
// without its contents as long as somebody may have them.
func checkGone(t *rapid.T, before, c *topology.Config, gone topology.ID, ended bool) {
	if !c.Waits(gone) {
		t.Fatal("it is not absent")
	}
	for i := range c.Partitions {
		old, p := &before.Partitions[i], &c.Partitions[i]
		alone := len(old.InSync) == 1 && old.InSync[0] == gone && len(old.Held) == 0
		lost := alone && ended && len(c.Absent) == 1
		if held := alone && !lost; held != (len(p.Held) > len(old.Held)) || lost != (p.Lost != old.Lost) {
			t.Fatalf("alone %v, ended %v: %+v became %+v", alone, ended, old, p)
		}
	}
	checkHeld(t, c)
}

// checkHeld checks that partitions are held for those who are absent, and for nobody else.
func checkHeld(t *rapid.T, c *topology.Config) {
	for i := range c.Partitions {
		for _, id := range c.Partitions[i].Held {
			if !c.Waits(id) {
				t.Fatalf("partition %d is held for %d, who is not absent", i, id)
			}
		}
	}
}
