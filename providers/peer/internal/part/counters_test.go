package part_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

func TestMergesAreCounted(t *testing.T) {
	before := []change{{cache: "cache", key: "both", record: "x"}, {cache: "cache", key: "mine", record: "x"},
		{cache: "cache", key: "yours", record: "x"}, {cache: "cache", key: "none", record: "x"}}
	for name, test := range map[string]struct {
		merge func(string) part.MergeFunc
		want  part.Counters
	}{
		"latest": {nil, part.Counters{Merged: 2, Conflicts: 1, Discarded: 1}},
		"union":  {func(string) part.MergeFunc { return union }, part.Counters{Merged: 2, Conflicts: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			labs, common := sides(t, part.Options{Merge: test.merge}, before,
				[]change{{cache: "cache", key: "mine", record: "a"}, {cache: "cache", key: "both", record: "a", wait: time.Second}},
				[]change{{cache: "cache", key: "yours", record: "b"}, {cache: "cache", key: "both", record: "b"}})
			was := labs[1].replicas[2].Stats().Counters
			give(labs[0], 1, labs[1], 2, common)
			got := labs[1].replicas[2].Stats().Counters
			got.Merged -= was.Merged // what both began with
			if got != test.want {
				t.Errorf("counted %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestWhatGoesAwayIsCounted(t *testing.T) {
	l := newLab(t, part.Options{Memory: &part.Budget{Max: 2000}, Evicts: func(string) bool { return true }})
	l.put(1, "brief", "record", time.Second)
	l.tick(2 * time.Second)
	for i := range 20 {
		l.put(1, fmt.Sprint(i), "record", 0)
	}
	s := l.replicas[1].Stats()
	if s.Expired != 1 || s.Evicted != uint64(20-s.Entries) || s.Evicted == 0 {
		t.Errorf("%+v", s)
	}
}

func TestHandOverIsCounted(t *testing.T) {
	l := newLab(t, part.Options{})
	for i := range 10 {
		l.put(1, fmt.Sprint(i), "record", 0)
	}
	l.add(2, part.Options{})
	l.change(func(p *topology.Partition) { p.Learner = 2 })
	if got := l.replicas[1].Stats().Handing; got != 10 {
		t.Errorf("%d records are to be handed over, want 10", got)
	}
	l.deliver()
	if got := l.replicas[1].Stats().Handing; got != 0 {
		t.Errorf("%d records are left", got)
	}
}
