package node

import (
	"sync"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// losses are the partitions that were lost, with all their copies, while this process was a
// member. What was lost before is not its concern: it cannot know when that was.
type losses struct {
	mu    sync.Mutex
	count int   // of the last loss, and those soon before it
	at    int64 // when that was
}

// change counts the partitions that a configuration says were lost since the one before.
func (l *losses) change(old, c *topology.Config, now int64) (lost int) {
	if old == nil {
		return 0
	}
	for i := range c.Partitions {
		if old.Partitions[i].Lost.Less(c.Partitions[i].Lost) {
			lost++
		}
	}
	if lost == 0 {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if now-l.at > lossesReported {
		l.count = 0
	}
	l.count, l.at = l.count+lost, now
	return lost
}

// within returns how many were lost no longer ago than that.
func (l *losses) within(now, ago int64) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.count == 0 || now-l.at > ago {
		return 0
	}
	return l.count
}
