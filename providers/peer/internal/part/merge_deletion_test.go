package part_test

import (
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// A clear takes away what the other side wrote before, and not what it wrote after.
func TestMergeWithClear(t *testing.T) {
	o := part.Options{Merge: func(string) part.MergeFunc { return union }}
	wrote := []change{{cache: "cache", key: "a", record: "x"}, {cache: "cache", key: "b", record: "x", wait: time.Second}}
	cleared := []change{{cache: "cache", clear: true, wait: time.Second / 2}, {cache: "cache", key: "a", record: "y"}}
	for _, back := range []bool{false, true} {
		labs, common := sides(t, o, nil, wrote, cleared)
		if back {
			give(labs[1], 2, labs[0], 1, common)
		} else {
			give(labs[0], 1, labs[1], 2, common)
		}
		id := topology.ID(2)
		if back {
			id = 1
		}
		if got := contents(labs[id-1], id); got["cache/a"] != "y" || got["cache/b"] != "x" || len(got) != 2 {
			t.Errorf("member %d has %v", id, got)
		}
	}
}

// What a caller was told to be deleted stays so, even if only the other side of a split knew
// it: whoever does not answer may have it. Without anybody absent it leaves no trace.
func TestDeleteOfWhatOnlyTheOtherSideKnows(t *testing.T) {
	here, there := pair(t, part.Options{}), newLabOf(t, 7, part.Options{})
	common := here.put(1, "common", "record", 0).Version
	here.do(1, part.Request{Kind: part.Delete, Cache: "cache", Key: "unknown"})
	if n := here.replicas[1].Stats().Tombstones; n != 0 {
		t.Errorf("with everybody there it leaves %d tombstones", n)
	}
	here.config.Absent = []topology.Member{{ID: 7}}
	here.change(func(*topology.Partition) {})
	here.deliver()
	there.mono = here.mono + int64(time.Second)
	for _, key := range []string{"deleted", "kept", "later"} {
		there.put(7, key, "record", 0)
	}
	here.mono = there.mono + int64(time.Second)
	for _, key := range []string{"deleted", "later"} {
		if res := here.do(1, part.Request{Kind: part.Delete, Cache: "cache", Key: key}); res.Status != part.OK || res.Present.OK {
			t.Fatalf("%+v", res)
		}
	}
	there.mono = here.mono + int64(time.Second)
	there.put(7, "later", "again", 0)
	give(there, 7, here, 1, common)
	for key, want := range map[string]string{"deleted": "", "kept": "record", "later": "again"} {
		if got := here.get(1, key); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	here.same(1, 2)
}

// A record that a merge brings back reaches the backups, too.
func TestMergeOverTombstone(t *testing.T) {
	winner, loser := pair(t, part.Options{}), newLabOf(t, 7, part.Options{})
	put := loser.put(7, "key", "record", time.Minute)
	give(loser, 7, winner, 1, 0)
	loser.do(7, part.Request{Kind: part.Touch, Cache: "cache", Key: "key", Token: put.Version, TTL: time.Hour})
	winner.pass(2 * time.Minute)
	winner.deliver()
	if got := winner.replicas[1].Stats().Entries; got != 0 {
		t.Fatal("the record did not expire")
	}
	give(loser, 7, winner, 1, 0)
	if got := winner.get(1, "key"); got != "record" {
		t.Errorf("got %q", got)
	}
	winner.same(1, 2)
}
