package redis

import (
	"sync/atomic"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// counters are what the provider counts of itself.
type counters struct {
	connections    atomic.Int64 // that are open
	opened, failed atomic.Int64
	waiting        atomic.Int64 // writes, for replicas
	gaps           atomic.Int64
}

// Measures implements driver.Measurer.
func (p *Provider) Measures() []driver.Measure {
	n := &p.counters
	return []driver.Measure{
		{Name: "redis_connections", Help: "Connections of this process to servers: one or two for each server, those of writes that wait for replicas, and those of watchers.",
			Value: float64(n.connections.Load())},
		{Name: "redis_connections_opened_total", Help: "Connections that were made. It grows steadily if a server or the network ends them.",
			Counter: true, Value: float64(n.opened.Load())},
		{Name: "redis_connections_failed_total", Help: "Connections that could not be made.",
			Counter: true, Value: float64(n.failed.Load())},
		{Name: "redis_durable_writes", Help: "Writes that wait for replicas, each on a connection of its own; beyond 64, others queue.",
			Value: float64(n.waiting.Load())},
		{Name: "redis_watch_gaps_total", Help: "How often watchers were told that they may have missed changes.",
			Counter: true, Value: float64(n.gaps.Load())},
	}
}

var _ driver.Measurer = (*Provider)(nil)
