package main

import (
	"strings"
	"testing"
	"time"
)

// at is a record of a call that was done, from one millisecond to another.
func at(from, to int, c call, yes bool, value string) record {
	return record{0, c, answer{outcome: done, yes: yes, value: value, began: time.Duration(from) * time.Millisecond, ended: time.Duration(to) * time.Millisecond}}
}

func with(o outcome, r record) record {
	r.outcome = o
	return r
}

func TestHistory(t *testing.T) {
	read, del := call{kind: get}, call{kind: remove}
	write := func(value string) call { return call{kind: put, value: value} }
	make := func(value string) call { return call{kind: create, value: value} }
	swap := func(old, value string) call { return call{kind: replace, old: old, value: value} }
	for _, c := range []struct {
		name  string
		legal bool
		calls []record
	}{
		{"read of a write", true, []record{at(1, 2, write("a"), true, ""), at(3, 4, read, true, "a")}},
		{"stale read", false, []record{at(1, 2, write("a"), true, ""), at(3, 4, write("b"), true, ""), at(5, 6, read, true, "a")}},
		{"read during a write", true, []record{at(1, 2, write("a"), true, ""), at(3, 9, write("b"), true, ""), at(4, 5, read, true, "a"), at(6, 7, read, true, "b")}},
		{"back and forth", false, []record{at(1, 2, write("a"), true, ""), at(3, 9, write("b"), true, ""), at(4, 5, read, true, "b"), at(6, 7, read, true, "a")}},
		{"lost", false, []record{at(1, 2, write("a"), true, ""), at(3, 4, read, false, "")}},
		{"undone delete", false, []record{at(1, 2, write("a"), true, ""), at(3, 4, del, true, ""), at(5, 6, read, true, "a")}},
		{"delete of nothing", false, []record{at(1, 2, write("a"), true, ""), at(3, 4, del, false, "")}},
		{"two creators", false, []record{at(1, 4, make("a"), true, ""), at(2, 3, make("b"), true, "")}},
		{"one creator", true, []record{at(1, 4, make("a"), false, ""), at(2, 3, make("b"), true, "")}},
		{"two swaps of one value", false, []record{at(1, 2, write("a"), true, ""), at(3, 6, swap("a", "b"), true, ""), at(4, 5, swap("a", "c"), true, "")}},
		{"one swap of one value", true, []record{at(1, 2, write("a"), true, ""), at(3, 6, swap("a", "b"), true, ""), at(4, 5, swap("a", "c"), false, "")}},
		{"unknown, done late", true, []record{with(unknown, at(1, 2, write("a"), false, "")), at(3, 4, read, false, ""), at(5, 6, read, true, "a")}},
		{"unknown, done twice", false, []record{with(unknown, at(1, 2, write("a"), false, "")), at(3, 4, read, true, "a"), at(5, 6, del, true, ""), at(7, 8, read, true, "a")}},
		{"nothing done, but seen", false, []record{with(nothing, at(1, 2, write("a"), false, "")), at(3, 4, read, true, "a")}},
		{"read that failed", true, []record{at(1, 2, write("a"), true, ""), with(unknown, at(3, 4, read, false, ""))}},
	} {
		h := &history{calls: c.calls}
		explained, decided := h.check()
		if explained != c.legal || !decided {
			t.Errorf("%s: explained %v, decided %v", c.name, explained, decided)
		}
		last := c.calls[len(c.calls)-1]
		if blame := h.blame(); !c.legal && c.name != "two swaps of one value" && c.name != "two creators" && !strings.Contains(blame, "> "+last.String()) {
			t.Errorf("%s: blames%s", c.name, blame)
		}
	}
}

func TestLedger(t *testing.T) {
	const key = "k"
	write := func(value string) record { return at(1, 2, call{kind: put, key: key, value: value}, true, "") }
	del := at(3, 4, call{kind: remove, key: key}, true, "")
	for _, c := range []struct {
		name   string
		writes []record
		found  string
		broken string
	}{
		{"kept", []record{write("a"), write("b")}, "b", ""},
		{"old value", []record{write("a"), write("b")}, "a", "write is lost"},
		{"lost", []record{write("a")}, "", "write is lost"},
		{"deleted", []record{write("a"), del}, "", ""},
		{"undone", []record{write("a"), del}, "a", "delete is undone"},
		{"unknown and done", []record{write("a"), with(unknown, write("b"))}, "b", ""},
		{"unknown and not done", []record{write("a"), with(unknown, write("b"))}, "a", ""},
		{"unknown delete", []record{write("a"), with(unknown, del)}, "", ""},
		{"nothing done", []record{write("a"), with(nothing, write("b"))}, "b", "write is lost"},
		{"out of nowhere", nil, "a", "nobody wrote"},
	} {
		read := at(9, 10, call{kind: get, key: key}, c.found != "", c.found)
		for _, found := range []func(l *ledger) string{
			func(l *ledger) string { return l.note(read, false) },
			func(l *ledger) string { return l.settle(read) },
		} {
			l := newLedger("", []string{key})
			for _, r := range c.writes {
				l.note(r, false)
			}
			if broken := found(l); c.broken == "" && broken != "" || !strings.Contains(broken, c.broken) {
				t.Errorf("%s: %q", c.name, broken)
			}
			if broken := found(l); broken != "" {
				t.Errorf("%s: once more: %s", c.name, broken)
			}
		}
	}
}

// A write whose outcome is unknown may be done later, after others, but not twice and not
// for ever.
func TestLedgerDoubts(t *testing.T) {
	const key = "k"
	write := func(from int, value string) record {
		return at(from, from+1, call{kind: put, key: key, value: value}, true, "")
	}
	read := func(from int, value string) record {
		return at(from, from+1, call{kind: get, key: key}, value != "", value)
	}
	late := int((2 * afterlife).Milliseconds())
	for _, c := range []struct {
		name   string
		calls  []record
		broken string
	}{
		{"seen late", []record{write(1, "a"), with(unknown, write(3, "b")), read(5, "a"), read(7, "b")}, ""},
		{"done after a later write", []record{write(1, "a"), with(unknown, write(3, "b")), write(5, "c"), read(7, "c"), read(9, "b")}, ""},
		{"undone", []record{write(1, "a"), with(unknown, write(3, "b")), read(5, "b"), read(7, "a")}, "write is lost"},
		{"done twice", []record{write(1, "a"), with(unknown, write(3, "b")), read(5, "b"), write(7, "c"), read(9, "b")}, "write is lost"},
		{"an older value than both", []record{write(1, "a"), write(3, "b"), with(unknown, write(5, "c")), read(7, "a")}, "write is lost"},
		{"too late", []record{write(1, "a"), with(unknown, write(3, "b")), read(late, "a"), read(late+2, "b")}, "write is lost"},
		{"delete done late", []record{write(1, "a"), with(unknown, at(3, 4, call{kind: remove, key: key}, false, "")), write(5, "b"), read(7, "b"), read(9, "")}, ""},
		{"delete done twice", []record{write(1, "a"), with(unknown, at(3, 4, call{kind: remove, key: key}, false, "")), read(5, ""), write(7, "b"), read(9, "")}, "write is lost"},
		{"delete that finds nothing", []record{write(1, "a"), at(3, 4, call{kind: remove, key: key}, false, "")}, "write is lost"},
		{"delete that finds what is deleted", []record{write(1, "a"), at(3, 4, call{kind: remove, key: key}, true, ""), at(5, 6, call{kind: remove, key: key}, true, "")}, "delete is undone"},
		{"delete that finds what was unknown", []record{with(unknown, write(1, "a")), at(3, 4, call{kind: remove, key: key}, true, "")}, ""},
	} {
		for _, settle := range []bool{false, true} {
			l := newLedger("", []string{key})
			broken := ""
			for _, r := range c.calls {
				if r.kind == get && settle {
					broken += l.settle(r)
				} else {
					broken += l.note(r, false)
				}
			}
			if c.name == "too late" && !settle {
				continue // only what is settled ends a doubt
			}
			if c.broken == "" && broken != "" || !strings.Contains(broken, c.broken) {
				t.Errorf("%s: %q", c.name, broken)
			}
		}
	}
}

func TestBrief(t *testing.T) {
	b := brief{life: 500 * time.Millisecond, written: at(100, 200, call{kind: put, value: "a"}, true, "")}
	for _, c := range []struct {
		from, to int
		value    string
		broken   string
	}{
		{300, 400, "a", ""},
		{300, 400, "", "early"},
		{300, 400, "b", "nobody wrote"},
		{590, 610, "", ""},
		{690, 900, "a", ""},
		{900, 901, "a", "did not expire"},
		{900, 901, "", ""},
	} {
		broken := b.judge(at(c.from, c.to, call{kind: get}, c.value != "", c.value))
		if c.broken == "" && broken != "" || !strings.Contains(broken, c.broken) {
			t.Errorf("%q from %d to %d ms: %q", c.value, c.from, c.to, broken)
		}
	}
}

func TestLedgerInFork(t *testing.T) {
	const key = "k"
	write := func(from int, value string) record {
		return at(from, from+1, call{kind: put, key: key, value: value}, true, "")
	}
	read := func(value string) record {
		return at(90, 91, call{kind: get, key: key}, value != "", value)
	}
	remove := func(from int, found bool) record {
		return at(from, from+1, call{kind: remove, key: key}, found, "")
	}
	create := func(from int, value string, created bool) record {
		return at(from, from+1, call{kind: create, key: key, value: value}, created, "")
	}
	for _, c := range []struct {
		name         string
		before, fork []record
		broken       string
	}{
		{"what was there", []record{write(1, "a")}, []record{write(3, "b"), read("a")}, ""},
		{"what was written since", []record{write(1, "a")}, []record{write(3, "b"), write(5, "c"), read("b")}, ""},
		{"what was over before", []record{write(1, "a"), write(3, "b")}, []record{write(5, "c"), read("a")}, "write is lost"},
		{"absent though it was there", []record{write(1, "a")}, []record{write(3, "b"), read("")}, "write is lost"},
		{"absent, created on the other side", nil, []record{create(3, "a", true), read("")}, ""},
		{"created though it was there", []record{write(1, "a")}, []record{create(3, "b", true)}, "write is lost"},
		{"created once more on the other side", []record{}, []record{create(3, "b", true), create(5, "c", true), read("c")}, ""},
		{"not created, though it never was there", []record{}, []record{create(3, "b", false)}, "nobody wrote"},
		{"a delete that does not find what was there", []record{write(1, "a")}, []record{remove(3, false)}, "write is lost"},
		{"a delete of what the other side has", nil, []record{write(1, "a"), remove(3, false), read("a")}, ""},
		{"deleted before", []record{write(1, "a"), remove(3, true)}, []record{read("a")}, "delete is undone"},
	} {
		l := newLedger("", []string{key})
		for _, r := range c.before {
			if broken := l.note(r, false); broken != "" {
				t.Errorf("%s: before: %s", c.name, broken)
			}
		}
		l.fork()
		broken := ""
		for _, r := range c.fork {
			broken += l.note(r, true)
		}
		if c.broken == "" && broken != "" || !strings.Contains(broken, c.broken) {
			t.Errorf("%s: %q", c.name, broken)
		}
	}

	// After the fork all that was acknowledged counts, wherever.
	l := newLedger("", []string{key})
	l.fork()
	l.note(write(1, "a"), true)
	l.note(remove(3, false), true)
	if broken := l.settle(read("a")); !strings.Contains(broken, "did not find") {
		t.Errorf("deleted on the side that did not know it, and there after it: %q", broken)
	}
}
