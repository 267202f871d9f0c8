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
