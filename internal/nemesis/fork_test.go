package main

import (
	"strings"
	"testing"
	"time"
)

// forkFrom is a fork that began at a time, in milliseconds, and ended at another.
func forkFrom(from, to int, side func(int) bool) *fork {
	f := &fork{}
	f.open(time.Duration(from)*time.Millisecond, side)
	f.close(time.Duration(to) * time.Millisecond)
	return f
}

func TestFork(t *testing.T) {
	f := forkFrom(10, 20, nil)
	for _, c := range []struct {
		from, to int
		meets    bool
	}{{1, 9, false}, {1, 10, true}, {12, 14, true}, {19, 30, true}, {20, 30, false}} {
		if got := f.meets(at(c.from, c.to, call{}, true, "").answer); got != c.meets {
			t.Errorf("a call from %d to %d meets a fork from 10 to 20: %v", c.from, c.to, got)
		}
	}
	if none := (&fork{}); none.meets(at(1, 2, call{}, true, "").answer) {
		t.Error("a call meets a fork that never was")
	}
}

func TestHistoryInFork(t *testing.T) {
	read, del := call{kind: get}, call{kind: remove}
	write := func(value string) call { return call{kind: put, value: value} }
	swap := func(old, value string) call { return call{kind: replace, old: old, value: value} }
	for _, c := range []struct {
		name  string
		legal bool
		calls []record // the fork begins at 10
	}{
		{"two sides", true, []record{at(1, 2, write("a"), true, ""), at(11, 12, write("b"), true, ""), at(13, 14, read, true, "a"), at(15, 16, read, true, "b"), at(17, 18, read, true, "a")}},
		{"over before", false, []record{at(1, 2, write("a"), true, ""), at(3, 4, write("b"), true, ""), at(13, 14, read, true, "a")}},
		{"not acknowledged before", true, []record{at(1, 2, write("a"), true, ""), at(3, 11, write("b"), true, ""), at(13, 14, read, true, "a")}},
		{"absent, though it was there", false, []record{at(1, 2, write("a"), true, ""), at(13, 14, read, false, "")}},
		{"absent, deleted on one side", true, []record{at(1, 2, write("a"), true, ""), at(11, 12, del, true, ""), at(13, 14, read, false, "")}},
		{"absent, never there before", true, []record{at(11, 12, write("a"), true, ""), at(13, 14, read, false, "")}},
		{"deleted before", false, []record{at(1, 2, write("a"), true, ""), at(3, 4, del, true, ""), at(13, 14, read, true, "a")}},
		{"swap of what was over", false, []record{at(1, 2, write("a"), true, ""), at(3, 4, write("b"), true, ""), at(13, 14, swap("a", "c"), true, "")}},
		{"perhaps done late", true, []record{with(unknown, at(1, 2, write("a"), true, "")), at(3, 4, write("b"), true, ""), at(13, 14, read, true, "a")}},
	} {
		h := &history{calls: c.calls}
		if broken := h.judgeFork(forkFrom(10, 20, nil)); (broken == "") != c.legal {
			t.Errorf("%s: %q", c.name, broken)
		}
	}
	h := &history{calls: []record{at(1, 2, write("a"), true, ""), at(3, 11, write("b"), true, ""), at(13, 14, read, true, "c")}}
	if calls := h.beforeFork(forkFrom(10, 20, nil)); len(calls) != 2 || calls[1].outcome != unknown {
		t.Errorf("before the fork were %v", calls)
	}
}

func TestCounter(t *testing.T) {
	inc := func(from, server int, value string) record {
		r := at(from, from+1, call{kind: increment, key: "n"}, true, value)
		r.server = server
		return r
	}
	read := func(from int, value string) record {
		return at(from, from+1, call{kind: get, key: "n"}, value != "", value)
	}
	split := forkFrom(10, 20, func(server int) bool { return server == 1 })
	for _, c := range []struct {
		name   string
		fork   *fork
		calls  []record
		found  string // in the end
		lost   int
		broken string
	}{
		{"counted", nil, []record{inc(1, 0, "1"), read(3, "1"), inc(5, 0, "2")}, "2", 0, ""},
		{"lost", nil, []record{inc(1, 0, "1"), inc(3, 0, "2")}, "1", 0, "1 acknowledged increments are lost"},
		{"gone", nil, []record{inc(1, 0, "1")}, "", 0, "1 acknowledged increments are lost"},
		{"old read", nil, []record{inc(1, 0, "1"), inc(3, 0, "2"), read(5, "1")}, "2", 0, "it is 1, after it was 2"},
		{"began anew", nil, []record{inc(1, 0, "1"), inc(3, 0, "1")}, "2", 0, "it is 1, after it was 2"},
		{"done twice", nil, []record{inc(1, 0, "1")}, "2", 0, "done twice"},
		{"perhaps done", nil, []record{inc(1, 0, "1"), with(unknown, inc(3, 0, ""))}, "2", 0, ""},
		{"perhaps not done", nil, []record{inc(1, 0, "1"), with(unknown, inc(3, 0, ""))}, "1", 0, ""},
		{"both sides count", split, []record{inc(1, 0, "1"), inc(11, 0, "2"), inc(12, 1, "2"), inc(14, 0, "3"), inc(21, 1, "4")}, "4", 1, ""},
		{"the lesser of both sides is lost", split, []record{inc(1, 0, "1"), inc(11, 0, "2"), inc(12, 1, "2")}, "1", 2, "1 acknowledged increments are lost"},
		{"one side only", split, []record{inc(1, 0, "1"), inc(11, 0, "2")}, "1", 1, ""},
		{"older than the fork", split, []record{inc(1, 0, "1"), inc(3, 0, "2"), read(11, "1")}, "2", 0, "it is 1, after it was 2"},
	} {
		n := newCounters()[0]
		f := c.fork
		if f == nil {
			f = &fork{}
		}
		broken := ""
		for _, r := range c.calls {
			from, forked := f.began()
			if forked && r.began > from && n.before == 0 {
				n.open()
			}
			floor := n.expect()
			broken += n.note(r, floor, f)
		}
		lost, end := n.settle(read(90, c.found))
		if broken += end; c.broken == "" && broken != "" || !strings.Contains(broken, c.broken) {
			t.Errorf("%s: %q", c.name, broken)
		}
		if c.broken == "" && c.fork != nil && lost != c.lost {
			t.Errorf("%s: %d lost, want %d", c.name, lost, c.lost)
		}
	}

	n := newCounters()[0]
	n.note(inc(1, 0, "1"), 0, &fork{})
	if broken := n.note(inc(1, 1, "1"), 0, &fork{}); !strings.Contains(broken, "two increments made it 1") {
		t.Errorf("two at the same time: %q", broken)
	}
}
