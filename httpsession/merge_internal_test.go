package httpsession

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/keepsake-cache/keepsake/jcache"
)

// drawRevision makes a session as servers do, of few names, times and values, so that
// ties come about.
func drawRevision(t *rapid.T, name string) jcache.Revision {
	small := rapid.IntRange(0, 3)
	at := func(what string) int64 { return int64(small.Draw(t, what)) }
	r := record{created: at("created"), accessed: at("accessed"), maxInactive: time.Duration(at("idle")) * time.Second, chosen: at("chosen")}
	for range rapid.IntRange(0, 6).Draw(t, name+" changes") {
		c := change{name: rapid.SampledFrom([]string{"", "a", "ab", "b", "c"}).Draw(t, "attribute")}
		if rapid.Bool().Draw(t, "set") {
			c.value = fmt.Append(nil, small.Draw(t, "value"))
		}
		r.attributes = r.apply([]change{c}, at("time"))
	}
	if s := state(rapid.SampledFrom([]int{0, 0, 0, 1, 2}).Draw(t, "state")); s != live {
		r = record{state: s, created: r.created, accessed: r.accessed}
		for _, id := range []string{"one", "two", "three"} {
			if s == renewed && rapid.Bool().Draw(t, "renewed to "+id) {
				hash := hashIn(storeKey(id))
				r.successors = mergeSuccessors(r.successors, hash[:])
			}
		}
	} else {
		r.stored = r.accessed + at("stored")
	}
	v := jcache.Revision{Value: r.append(nil)}
	if d := small.Draw(t, "deadline"); d > 0 {
		v.Deadline = time.UnixMilli(int64(d))
	}
	if rapid.IntRange(0, 20).Draw(t, "damaged") == 0 {
		v.Value = v.Value[:small.Draw(t, "length")]
	}
	return v
}

func sameRevision(a, b jcache.Revision) bool {
	return bytes.Equal(a.Value, b.Value) && a.Deadline.Equal(b.Deadline)
}

func TestMergeLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := drawRevision(t, "a"), drawRevision(t, "b"), drawRevision(t, "c")
		ab := mergeSessions(a, b)
		if ba := mergeSessions(b, a); !sameRevision(ab, ba) {
			t.Fatalf("not commutative: %v and %v", ab, ba)
		}
		if aa := mergeSessions(a, a); !sameRevision(a, aa) {
			t.Fatalf("with itself: %v became %v", a, aa)
		}
		for _, again := range []jcache.Revision{a, b} {
			if twice := mergeSessions(ab, again); !sameRevision(ab, twice) {
				t.Fatalf("not idempotent: %v and then %v", ab, twice)
			}
		}
		if one, other := mergeSessions(ab, c), mergeSessions(a, mergeSessions(b, c)); !sameRevision(one, other) {
			t.Fatalf("not associative: %v and %v", one, other)
		}
	})
}

// A side does something to a session that both sides had.
func TestMerge(t *testing.T) {
	const fork = 1000
	base := record{created: 10, accessed: 20, maxInactive: time.Minute}
	base.attributes = base.apply([]change{{"both", []byte("0")}, {"old", []byte("0")}, {"stays", []byte("0")}}, 30)
	set := func(name, value string) func(record, int64) record {
		return func(r record, now int64) record {
			c := change{name: name}
			if value != "" {
				c.value = []byte(value)
			}
			r.attributes, r.accessed = r.apply([]change{c}, now), now
			return r
		}
	}
	ended := func(s state) func(record, int64) record {
		return func(r record, now int64) record { return record{state: s, created: r.created, accessed: now} }
	}
	idle := func(d time.Duration) func(record, int64) record {
		return func(r record, now int64) record {
			r.maxInactive, r.chosen = d, now
			return r
		}
	}
	for _, test := range []struct {
		name         string
		early, later func(record, int64) record
		want         string
		idle         time.Duration
		state        state
	}{
		{"different attributes", set("a", "1"), set("b", "2"), "a=1 b=2 both=0 old=0 stays=0", time.Minute, live},
		{"the same attribute", set("both", "1"), set("both", "2"), "both=2 old=0 stays=0", time.Minute, live},
		{"removed first", set("old", ""), set("a", "1"), "a=1 both=0 stays=0", time.Minute, live},
		{"removed last", set("a", "1"), set("old", ""), "a=1 both=0 stays=0", time.Minute, live},
		{"removed and set again elsewhere", set("old", ""), set("old", "3"), "both=0 old=3 stays=0", time.Minute, live},
		{"set and removed elsewhere", set("old", "3"), set("old", ""), "both=0 stays=0", time.Minute, live},
		{"invalidated first", ended(invalidated), set("a", "1"), "", 0, invalidated},
		{"invalidated last", set("a", "1"), ended(invalidated), "", 0, invalidated},
		{"renewed and invalidated", ended(invalidated), ended(renewed), "", 0, invalidated},
		{"idle time", idle(time.Hour), set("a", "1"), "a=1 both=0 old=0 stays=0", time.Hour, live},
		{"idle time twice", idle(time.Hour), idle(time.Second), "both=0 old=0 stays=0", time.Second, live},
	} {
		a, b := test.early(base, fork), test.later(base, fork+1)
		r := a.merge(&b)
		var got []string
		for _, name := range namesOf(r) {
			value, _ := r.attribute(name)
			got = append(got, name+"="+string(value))
		}
		if text := fmt.Sprint(got); text != "["+test.want+"]" || r.maxInactive != test.idle || r.state != test.state || r.created != 10 {
			t.Errorf("%s: got %s, %+v", test.name, text, r)
		}
	}
}

// A tombstone knows the successors that either side of a split gave the session, also when it
// ended on one of them, so that a logout finds them all.
func TestMergedSuccessors(t *testing.T) {
	one, two := hashIn(storeKey("one")), hashIn(storeKey("two"))
	a, b, c := record{state: renewed, successors: one[:]}, record{state: renewed, successors: two[:]}, record{state: invalidated}
	ab := a.merge(&b)
	all := ab.merge(&c)
	want := mergeSuccessors(two[:], one[:])
	if all.state != invalidated || len(want) != 2*len(one) || !bytes.Equal(all.successors, want) || !wellFormedSuccessors(want) {
		t.Errorf("%+v", all)
	}
	if again := all.merge(&a); !bytes.Equal(again.successors, want) {
		t.Errorf("%+v", again)
	}
}

// The deadline of a merged session is the later one, but a session that has ended does
// not outlive its tombstone.
func TestMergedDeadline(t *testing.T) {
	soon, late, never := time.UnixMilli(1000), time.UnixMilli(2000), time.Time{}
	for _, test := range []struct {
		a, b state
		x, y time.Time
		want time.Time
	}{
		{live, live, soon, late, late},
		{live, live, soon, never, never},
		{live, invalidated, late, soon, soon},
		{renewed, live, soon, never, soon},
		{renewed, invalidated, soon, late, late},
	} {
		x, y := record{state: test.a}, record{state: test.b}
		m := mergeSessions(jcache.Revision{Value: x.append(nil), Deadline: test.x}, jcache.Revision{Value: y.append(nil), Deadline: test.y})
		if !m.Deadline.Equal(test.want) {
			t.Errorf("%+v: the deadline is %v", test, m.Deadline)
		}
	}
}

// A change wins over what it replaces, whatever the clock says.
func TestStampsGoOn(t *testing.T) {
	ahead := time.Now().Add(time.Hour).UnixMicro()
	r := record{}
	r.attributes = r.apply([]change{{"a", []byte("1")}}, ahead)
	r.chosen = ahead + 5
	now := time.Now().UnixMicro()
	if now := r.stampTime(now); now != ahead+6 {
		t.Errorf("after %d comes %d", ahead+5, now)
	}
	var fresh record
	if got := fresh.stampTime(now); got != now {
		t.Errorf("the first change of a new record is of %v, not of %v", got, now)
	}
}

// Removed attributes are forgotten after a while, and the oldest ones when they are many.
func TestTombstonesAreBounded(t *testing.T) {
	const many = maxRemoved + 20
	count := func(list []byte) (names []string) {
		for rest := list; len(rest) > 0; {
			var a attribute
			if a, rest = nextAttribute(rest); a.changed.removed() {
				names = append(names, string(a.name))
			}
		}
		return names
	}
	var r record
	for i := range many {
		r.attributes = r.apply([]change{{fmt.Sprintf("%03d", i), []byte("x")}}, int64(i))
	}
	for i := range many {
		r.attributes = r.apply([]change{{fmt.Sprintf("%03d", i), nil}}, int64(many+i))
	}
	r.attributes = r.apply([]change{{"kept", []byte("x")}, {"never there", nil}}, 2*many)
	names := count(r.attributes)
	if len(names) != maxRemoved || names[0] != fmt.Sprintf("%03d", many-maxRemoved) {
		t.Errorf("there are %d tombstones, the first one of %s", len(names), slices.Min(names))
	}
	r.attributes = r.apply([]change{{"kept", []byte("y")}}, 3*many+removedTTL.Microseconds())
	if names := count(r.attributes); len(names) != 0 || !slices.Equal(namesOf(r), []string{"kept"}) {
		t.Errorf("later there are %d tombstones, and %v", len(names), namesOf(r))
	}
}
