package node

import (
	"context"
	"log/slog"

	"github.com/keepsake-cache/keepsake/internal/version"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// tell logs what a configuration, perhaps the first, changes for an operator: who came, who
// went and why, and what was lost.
func (m *membership) tell(old, c *topology.Config) {
	log := m.n.opts.Logger
	if len(c.Members) > 1 {
		m.accompanied.Store(true)
	}
	if old == nil {
		log.Info("peer: this process is a member", "address", m.n.addr, "advertised", m.self.Addr,
			"domain", m.n.opts.Cluster, "members", addresses(c), "version", version.Module(), "protocol", protocol)
		return
	}
	for i := range old.Members {
		gone := &old.Members[i]
		if c.Has(gone.ID) {
			continue
		}
		level, why := slog.LevelWarn, "it does not answer"
		if gone.Leaving {
			level, why = slog.LevelInfo, "it has handed over and ended"
		}
		log.Log(context.Background(), level, "peer: a member is gone", "member", gone.Addr, "why", why, "members", addresses(c))
	}
	for i := range c.Members {
		if joined := &c.Members[i]; !old.Has(joined.ID) {
			log.Info("peer: a member has joined", "member", joined.Addr, "members", addresses(c))
		}
	}
	for i := range c.Members {
		if was := old.Member(c.Members[i].ID); was != nil && c.Members[i].Leaving && !was.Leaving {
			log.Info("peer: a member leaves, and hands over first", "member", was.Addr, "members", addresses(c))
		}
	}
	switch held := c.Held(); {
	case held > old.Held():
		log.Error("peer: partitions are held: nobody who has them answers, and they are served when somebody is back",
			"partitions", held, "of", len(c.Partitions), "absent", absent(c))
	case held < old.Held():
		log.Info("peer: fewer partitions are held", "partitions", held, "of", len(c.Partitions))
	}
	if lost := m.losses.change(old, c, m.mono()); lost > 0 {
		log.Error("peer: partitions were lost with all their copies; what was in them is gone",
			"partitions", lost, "of", len(c.Partitions), "members", addresses(c))
	}
}

func addresses(c *topology.Config) []string {
	list := make([]string, len(c.Members))
	for i := range c.Members {
		list[i] = c.Members[i].Addr
	}
	return list
}
