// Package metrics gives Prometheus what Keepsake knows of itself. It is apart from the
// packages that know it, so that only a program that wants metrics links Prometheus.
//
//	prometheus.MustRegister(metrics.Health(system.Health), metrics.Sessions(sessions), metrics.Provider(caches), metrics.Caches(caches))
package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/keepsake-cache/keepsake/httpsession"
	"github.com/keepsake-cache/keepsake/jcache"
)

var (
	ready  = prometheus.NewDesc("keepsake_ready", "Whether operations are carried out as configured, as /readyz says.", nil, nil)
	safe   = prometheus.NewDesc("keepsake_safe", "Whether the next process of the fleet may be restarted, as /healthz says.", nil, nil)
	differ = prometheus.NewDesc("keepsake_differences", "In how many other processes of the fleet something differs that should agree.", []string{"what"}, nil)
	up     = prometheus.NewDesc("keepsake_server_up", "Whether a server of the provider can be used, as far as is known.", []string{"server"}, nil)

	memory    = prometheus.NewDesc("keepsake_server_memory_bytes", "How much a server of the provider may fill, if it says so.", []string{"server"}, nil)
	used      = prometheus.NewDesc("keepsake_server_used_bytes", "How much of that it has filled.", []string{"server"}, nil)
	evictions = prometheus.NewDesc("keepsake_server_evictions_total", "Live entries that it has dropped for lack of room since it was started.", []string{"server"}, nil)

	abandoned = prometheus.NewDesc("keepsake_sessions_abandoned_total", "Sessions given up because their server was down, by whenLost.", nil, nil)
	vanished  = prometheus.NewDesc("keepsake_sessions_vanished_total", "Sessions that were gone before their time during a request.", nil, nil)

	hits     = prometheus.NewDesc("keepsake_cache_hits_total", "How often an operation found a live entry.", []string{"cache"}, nil)
	misses   = prometheus.NewDesc("keepsake_cache_misses_total", "How often an operation found no live entry.", []string{"cache"}, nil)
	puts     = prometheus.NewDesc("keepsake_cache_puts_total", "How often a value was stored.", []string{"cache"}, nil)
	removals = prometheus.NewDesc("keepsake_cache_removals_total", "How often an operation removed an entry.", []string{"cache"}, nil)
)

// Health returns the metrics keepsake_ready, keepsake_safe, keepsake_differences for each thing in
// which other processes differ and, for each server of the providers, keepsake_server_up and,
// where it is known, how full it is. The health is asked for when they are collected:
// configfile.System.Health, or jcache.CacheManager.Health.
func Health(health func() jcache.Health) prometheus.Collector {
	return collector{[]*prometheus.Desc{ready, safe, differ, up, memory, used, evictions}, func(to chan<- prometheus.Metric) {
		h := health()
		to <- gauge(ready, h.Ready())
		to <- gauge(safe, h.Safe())
		processes := make(map[string]int)
		for _, d := range h.Differences {
			processes[d.What]++
		}
		for what, n := range processes {
			to <- prometheus.MustNewConstMetric(differ, prometheus.GaugeValue, float64(n), what)
		}
		for _, s := range h.Servers {
			to <- gauge(up, s.Down == "", s.Name)
			if s.Memory > 0 {
				to <- prometheus.MustNewConstMetric(memory, prometheus.GaugeValue, float64(s.Memory), s.Name)
				to <- prometheus.MustNewConstMetric(used, prometheus.GaugeValue, float64(s.Used), s.Name)
				to <- prometheus.MustNewConstMetric(evictions, prometheus.CounterValue, float64(s.Evictions), s.Name)
			}
		}
	}}
}

// Sessions returns the metrics keepsake_sessions_abandoned_total and
// keepsake_sessions_vanished_total of a session manager. A program with several wraps each
// registry with a label.
func Sessions(m *httpsession.Manager) prometheus.Collector {
	return collector{[]*prometheus.Desc{abandoned, vanished}, func(to chan<- prometheus.Metric) {
		n := m.Statistics()
		to <- prometheus.MustNewConstMetric(abandoned, prometheus.CounterValue, float64(n.Abandoned))
		to <- prometheus.MustNewConstMetric(vanished, prometheus.CounterValue, float64(n.Vanished))
	}}
}

// Caches returns the metrics keepsake_cache_hits_total, keepsake_cache_misses_total,
// keepsake_cache_puts_total and keepsake_cache_removals_total of each open cache of a manager whose
// statistics are on: jcache.Statistics says what counts as what. A program with several managers wraps
// each registry with a label.
func Caches(m *jcache.CacheManager) prometheus.Collector {
	return collector{[]*prometheus.Desc{hits, misses, puts, removals}, func(to chan<- prometheus.Metric) {
		for _, c := range m.Caches() {
			if !c.StatisticsEnabled {
				continue
			}
			n := c.Statistics
			for _, one := range []struct {
				desc *prometheus.Desc
				n    int64
			}{{hits, n.Hits}, {misses, n.Misses}, {puts, n.Puts}, {removals, n.Removals}} {
				to <- prometheus.MustNewConstMetric(one.desc, prometheus.CounterValue, float64(one.n), c.Name)
			}
		}
	}}
}

// Provider returns what the provider of a manager knows of itself, such as keepsake_peer_members;
// nothing for a provider that has no numbers of its own. A registry can have the collectors of
// several managers, as long as a label of theirs differs: for the provider peer, its domain.
func Provider(m *jcache.CacheManager) prometheus.Collector { return provider{m} }

type provider struct{ manager *jcache.CacheManager }

// Describe implements prometheus.Collector.
func (p provider) Describe(to chan<- *prometheus.Desc) { prometheus.DescribeByCollect(p, to) }

// Collect implements prometheus.Collector.
func (p provider) Collect(to chan<- prometheus.Metric) {
	for _, m := range p.manager.Measures() {
		kind := prometheus.GaugeValue
		if m.Counter {
			kind = prometheus.CounterValue
		}
		labels := make(prometheus.Labels, len(m.Labels))
		for _, label := range m.Labels {
			labels[label[0]] = label[1]
		}
		to <- prometheus.MustNewConstMetric(prometheus.NewDesc("keepsake_"+m.Name, m.Help, nil, labels), kind, m.Value)
	}
}

type collector struct {
	descs   []*prometheus.Desc
	collect func(to chan<- prometheus.Metric)
}

// Describe implements prometheus.Collector.
func (c collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(to chan<- prometheus.Metric) { c.collect(to) }

func gauge(desc *prometheus.Desc, is bool, labels ...string) prometheus.Metric {
	value := 0.0
	if is {
		value = 1
	}
	return prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
}
