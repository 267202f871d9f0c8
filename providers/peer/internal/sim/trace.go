package sim

import (
	"fmt"
	"strings"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// name shows an id as the trace knows it.
func (w *world) name(id topology.ID) string {
	if m := w.members[id]; m != nil {
		return fmt.Sprintf("m%d", m.n)
	}
	return "-"
}

// show describes a configuration in a line.
func (w *world) show(c *topology.Config) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%04x %s", c.Lineage>>48, stamp(c.Stamp))
	for i := range c.Members {
		b.WriteString(" " + w.name(c.Members[i].ID))
		if c.Members[i].Leaving {
			b.WriteByte('!')
		}
	}
	if c.Merging != 0 {
		fmt.Fprintf(&b, " merging into %04x", c.Merging>>48)
	}
	if len(c.Voters) > 0 {
		b.WriteString(" voters")
		for _, id := range c.Voters {
			b.WriteString(" " + w.name(id))
		}
	}
	for i := range c.Partitions {
		p := &c.Partitions[i]
		fmt.Fprintf(&b, " | %s:", stamp(p.Epoch))
		for _, id := range p.InSync {
			b.WriteString(" " + w.name(id))
			if id == p.Primary {
				b.WriteByte('*')
			}
		}
		if p.Learner != 0 {
			b.WriteString(" <- " + w.name(p.Learner))
		}
		for _, id := range p.Held {
			b.WriteString(" held for " + w.name(id))
		}
		if (p.Lost != topology.Stamp{}) {
			b.WriteString(" lost " + stamp(p.Lost))
		}
	}
	return b.String()
}

func stamp(s topology.Stamp) string { return fmt.Sprintf("%d/%d", s.Term>>24, s.Version) }

// describe shows a message between partitions.
func describe(msg part.Message) string {
	return fmt.Sprintf("%T%+v", msg, msg)
}

// showPartition writes to the trace what the members know of a partition.
func (w *world) showPartition(partition int) {
	if w.trace == nil || w.scenario.Bare {
		return
	}
	for _, m := range w.running() {
		now := m.time(partition)
		w.log("%v: lease for %.3f, %+v", m, float64(now.Lease-now.Mono)/float64(ms), m.parts[partition].Stats())
	}
}
