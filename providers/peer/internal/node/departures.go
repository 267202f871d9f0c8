package node

import (
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// lingering is for how long connections to a process that is a member no more last: it hears of
// that, and then calls that wait for its answers go to its successors.
const lingering = int64(200 * time.Millisecond)

// Departures are the processes that are members no more, and since when.
type departures map[topology.ID]int64

// change takes in that a configuration, perhaps the first, is followed by another one.
// A process that was removed before it heard that it was let in comes back under the same ID: its
// connections are needed again.
func (f departures) change(old, c *topology.Config, now int64) {
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

// due returns, once, those whose connections are to end.
func (f departures) due(now int64) (ids []topology.ID) {
	for id, since := range f {
		if now-since > lingering {
			delete(f, id)
			ids = append(ids, id)
		}
	}
	return ids
}
