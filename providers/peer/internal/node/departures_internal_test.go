package node

import (
	"slices"
	"testing"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

func configOf(ids ...topology.ID) *topology.Config {
	c := &topology.Config{}
	for _, id := range ids {
		c.Members = append(c.Members, topology.Member{ID: id})
	}
	return c
}

func TestDepartures(t *testing.T) {
	f := make(departures)
	f.change(nil, configOf(1, 2, 3), 0)
	f.change(configOf(1, 2, 3), configOf(1), 10)
	f.change(configOf(1), configOf(1, 3), 20) // 3 is let in again
	if ids := f.due(10 + lingering); len(ids) > 0 {
		t.Errorf("%v are dismissed too early", ids)
	}
	if ids := f.due(100 + lingering); !slices.Equal(ids, []topology.ID{2}) {
		t.Errorf("%v are dismissed, should be 2: 3 is a member again", ids)
	}
	if ids := f.due(200 + lingering); len(ids) > 0 {
		t.Errorf("%v are dismissed twice", ids)
	}
}
