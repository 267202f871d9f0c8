package part

import "github.com/keepsake-cache/keepsake/providers/peer/internal/topology"

// EpochOf returns the epoch that the receiver of a message must know to make sense of
// it. ok is false if any will do.
func EpochOf(m Message) (epoch topology.Stamp, ok bool) {
	switch m := m.(type) {
	case *Replicate:
		return m.Epoch, true
	case *Acknowledge:
		return m.Epoch, true
	case *Pull:
		return m.Epoch, true
	case *SnapshotBegin:
		return m.Epoch, true
	}
	return topology.Stamp{}, false
}
