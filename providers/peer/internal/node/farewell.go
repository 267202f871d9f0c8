package node

import (
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// farewell is how long the connections to who is a member no more last, so that he hears
// of it, and calls that wait for his answers go to his successors.
const farewell = int64(200 * time.Millisecond)

// farewells are those who were dismissed and when.
type farewells map[topology.ID]int64

// change takes in that a configuration, perhaps the first, is followed by another one.
// Whoever asked to join and was removed before he heard that he was let in comes back
// under the same ID: his connections are needed again.
func (f farewells) change(old, c *topology.Config, now int64) {
	if old != nil {
		for i := range old.Members {
			f[old.Members[i].ID] = now
		}
		for i := range old.Absent {
			if id := old.Absent[i].ID; !c.Waits(id) {
				f[id] = now
			}
		}
	}
	for i := range c.Members {
		delete(f, c.Members[i].ID)
	}
}

// due returns those whose time is over, once.
func (f farewells) due(now int64) (ids []topology.ID) {
	for id, since := range f {
		if now-since > farewell {
			delete(f, id)
			ids = append(ids, id)
		}
	}
	return ids
}
