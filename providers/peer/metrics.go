package peer

import (
	"slices"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// Measures implements driver.Measurer: the numbers of Stats, each with the label domain.
func (p *Provider) Measures() []driver.Measure {
	n := numbers{Stats: p.Stats(), near: p.NearStats(), health: p.Health()}
	domain := [][2]string{{"domain", p.opts.Domain}}
	all := make([]driver.Measure, 0, len(metrics))
	for _, m := range metrics {
		labels := domain
		if m.place != "" {
			labels = append(slices.Clip(domain), [2]string{"place", m.place})
		}
		all = append(all, driver.Measure{Name: "peer_" + m.name, Help: m.help, Labels: labels, Counter: !m.gauge, Value: m.value(&n)})
	}
	return all
}

// numbers are what the metrics are made of.
type numbers struct {
	Stats
	near   NearStats
	health driver.Health
}

type metric struct {
	name, help string
	place      string // a label, if not empty
	gauge      bool   // and not a counter
	value      func(n *numbers) float64
}

const operationsHelp = "Operations on one key by callers in this process, repetitions included, by whom they were asked of: this member (local) or another one (remote)."

// metrics are all of them. The reference in docs/peer.md has the same.
var metrics = []metric{
	{name: "members", gauge: true, help: "Members of the grid, as this one sees it; 0 between two memberships.",
		value: func(n *numbers) float64 { return float64(n.Members) }},
	{name: "coordinator", gauge: true, help: "Whether this member makes the configurations.",
		value: func(n *numbers) float64 { return one(n.Coordinator) }},
	{name: "ready", gauge: true, help: "Whether operations are carried out as configured.",
		value: func(n *numbers) float64 { return one(n.health.Ready()) }},
	{name: "safe", gauge: true, help: "Whether this process could end without a loss.",
		value: func(n *numbers) float64 { return one(n.health.Safe()) }},
	{name: "merging", gauge: true, help: "Whether the grid gives its records to another one, after a split.",
		value: func(n *numbers) float64 { return one(n.Merging) }},
	{name: "config_term", gauge: true, help: "Term of the configuration: it grows when another member coordinates.",
		value: func(n *numbers) float64 { return float64(n.Term) }},
	{name: "config_version", gauge: true, help: "Number of the configuration in its term.",
		value: func(n *numbers) float64 { return float64(n.Version) }},
	{name: "handoffs", gauge: true, help: "Partitions of the grid that are being copied.",
		value: func(n *numbers) float64 { return float64(n.HandOffs) }},
	{name: "short_partitions", gauge: true, help: "Partitions of the grid that have fewer copies than they should have.",
		value: func(n *numbers) float64 { return float64(n.Short) }},
	{name: "held_partitions", gauge: true, help: "Partitions of the grid that are not served because nobody who has them answers.",
		value: func(n *numbers) float64 { return float64(n.Held) }},
	{name: "lost_partitions", gauge: true, help: "Partitions of the grid that were lost, with all their copies, at some time.",
		value: func(n *numbers) float64 { return float64(n.Lost) }},
	{name: "primary_partitions", gauge: true, help: "Partitions of which this member is the primary.",
		value: func(n *numbers) float64 { return float64(n.Primaries) }},
	{name: "replica_partitions", gauge: true, help: "Partitions of which this member has a copy besides.",
		value: func(n *numbers) float64 { return float64(n.Replicas) }},
	{name: "entries", gauge: true, help: "Records that this member has, copies included.",
		value: func(n *numbers) float64 { return float64(n.Entries) }},
	{name: "tombstones", gauge: true, help: "Deletions that this member remembers.",
		value: func(n *numbers) float64 { return float64(n.Tombstones) }},
	{name: "memory_bytes", gauge: true, help: "Memory that the records of this member use, about, copies included.",
		value: func(n *numbers) float64 { return float64(n.Bytes) }},
	{name: "memory_limit_bytes", gauge: true, help: "Bound on the memory that records may use; 0: none.",
		value: func(n *numbers) float64 { return float64(n.MaxBytes) }},
	{name: "handing_records", gauge: true, help: "Records and deletions that others have not confirmed that copy partitions of this member.",
		value: func(n *numbers) float64 { return float64(n.Handing) }},
	{name: "uncommitted_writes", gauge: true, help: "Writes here that replicas have not acknowledged yet.",
		value: func(n *numbers) float64 { return float64(n.Uncommitted) }},
	{name: "waiting_operations", gauge: true, help: "Operations that this member cannot execute yet.",
		value: func(n *numbers) float64 { return float64(n.Waiting) }},
	{name: "lag_writes", gauge: true, help: "Writes of this member that the replica lacks that lacks most.",
		value: func(n *numbers) float64 { return float64(n.Lag) }},
	{name: "connections", gauge: true, help: "Connections to and from other members.",
		value: func(n *numbers) float64 { return float64(n.Connections) }},
	{name: "queued_bytes", gauge: true, help: "Bytes that wait to be sent to other members.",
		value: func(n *numbers) float64 { return float64(n.QueuedBytes) }},
	{name: "sent_bytes_total", help: "Bytes sent to other members, before encryption.",
		value: func(n *numbers) float64 { return float64(n.SentBytes) }},
	{name: "round_trips_total", help: "Requests to other members that want an answer.",
		value: func(n *numbers) float64 { return float64(n.RoundTrips) }},
	{name: "operations_total", place: "local", help: operationsHelp,
		value: func(n *numbers) float64 { return float64(n.Local) }},
	{name: "operations_total", place: "remote", help: operationsHelp,
		value: func(n *numbers) float64 { return float64(n.Remote) }},
	{name: "served_operations_total", help: "Operations on one key that other members asked of this one.",
		value: func(n *numbers) float64 { return float64(n.Served) }},
	{name: "repeated_operations_total", help: "Repetitions of operations, because who was asked could not answer.",
		value: func(n *numbers) float64 { return float64(n.Repeated) }},
	{name: "failed_operations_total", help: "Operations that ended with an error: their time was over, or there was no room.",
		value: func(n *numbers) float64 { return float64(n.Failed) }},
	{name: "expired_records_total", help: "Records whose deadlines had passed, where this member is the primary.",
		value: func(n *numbers) float64 { return float64(n.Expired) }},
	{name: "evicted_records_total", help: "Records dropped for lack of memory, where this member is the primary.",
		value: func(n *numbers) float64 { return float64(n.Evicted) }},
	{name: "merged_records_total", help: "Records and deletions taken over by this member after a split.",
		value: func(n *numbers) float64 { return float64(n.Merged) }},
	{name: "merge_conflicts_total", help: "Keys that both sides of a split had changed.",
		value: func(n *numbers) float64 { return float64(n.Conflicts) }},
	{name: "merge_discarded_total", help: "Versions that lost to a later one when the sides of a split merged.",
		value: func(n *numbers) float64 { return float64(n.Discarded) }},
	{name: "near_hits_total", help: "Reads that the near cache of a client answered.",
		value: func(n *numbers) float64 { return float64(n.near.Hits) }},
	{name: "near_misses_total", help: "Reads that the near cache of a client could not answer.",
		value: func(n *numbers) float64 { return float64(n.near.Misses) }},
	{name: "near_invalidations_total", help: "How often the near cache of a client dropped what may have changed.",
		value: func(n *numbers) float64 { return float64(n.near.Invalidations) }},
	{name: "near_bytes", gauge: true, help: "Memory that the near cache of a client uses, about.",
		value: func(n *numbers) float64 { return float64(n.near.Bytes) }},
	{name: "rebirths_total", help: "How often this process had to come back empty.",
		value: func(n *numbers) float64 { return float64(n.Rebirths) }},
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
