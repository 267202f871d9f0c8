package sql

import (
	stdsql "database/sql"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// Measures implements driver.Measurer: the pools of connections, each with the labels server and
// pool. Only SQLite has two of them, of which one writes.
func (p *Provider) Measures() []driver.Measure {
	pools := []*stdsql.DB{p.reads}
	names := []string{"all"}
	if p.writes != p.reads {
		pools, names = append(pools, p.writes), []string{"reads", "writes"}
	}
	var all []driver.Measure
	for _, m := range metrics {
		for i, pool := range pools {
			stats := pool.Stats()
			all = append(all, driver.Measure{
				Name:    "sql_" + m.name,
				Help:    m.help,
				Labels:  [][2]string{{"server", p.opts.name}, {"pool", names[i]}},
				Counter: m.counter,
				Value:   m.value(&stats),
			})
		}
	}
	return all
}

// metrics are those of a pool. The reference in docs/operations.md has the same.
var metrics = []struct {
	name, help string
	counter    bool
	value      func(s *stdsql.DBStats) float64
}{
	{"max_connections", "Connections that may be open at once; 0: any number.", false,
		func(s *stdsql.DBStats) float64 { return float64(s.MaxOpenConnections) }},
	{"open_connections", "Connections that are open.", false,
		func(s *stdsql.DBStats) float64 { return float64(s.OpenConnections) }},
	{"used_connections", "Connections that an operation uses now.", false,
		func(s *stdsql.DBStats) float64 { return float64(s.InUse) }},
	{"waits_total", "Operations that had to wait for a connection.", true,
		func(s *stdsql.DBStats) float64 { return float64(s.WaitCount) }},
	{"wait_seconds_total", "Time that operations have waited for a connection.", true,
		func(s *stdsql.DBStats) float64 { return s.WaitDuration.Seconds() }},
	{"closed_connections_total", "Connections that were closed because they were unused or old.", true,
		func(s *stdsql.DBStats) float64 {
			return float64(s.MaxIdleClosed + s.MaxIdleTimeClosed + s.MaxLifetimeClosed)
		}},
}
