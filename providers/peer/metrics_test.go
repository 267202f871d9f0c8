package peer_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/metrics"
	"github.com/keepsake-cache/keepsake/providers/peer"
)

func TestMetrics(t *testing.T) {
	ctx := context.Background()
	b := join(t)
	manager, err := peer.Open(ctx, peer.Options{Security: peer.Security{Secret: secret}, Replicas: 1, Logger: quiet, Join: []string{b.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = manager.Close(ctx) })
	a := manager.Unwrap().(*peer.Provider)
	settled(t, a, b)
	c, err := a.OpenCache(ctx, "c", driver.CacheOptions{})
	if err != nil {
		t.Fatal(err)
	}
	local := 0
	const puts = 100
	for i := range puts {
		key := fmt.Sprint("secret", i)
		if c.(driver.Locality).Placement(key) == driver.Local {
			local++
		}
		if err := c.Put(ctx, key, []byte("record"), never); err != nil {
			t.Fatal(err)
		}
	}
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(metrics.Provider(manager))
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Errorf("the metrics are not as they should be: %v, %v", problems, err)
	}
	want := fmt.Sprintf(`
# HELP keepsake_peer_entries Records that this member has, copies included.
# TYPE keepsake_peer_entries gauge
keepsake_peer_entries{domain="keepsake"} %d
# HELP keepsake_peer_failed_operations_total Operations that ended with an error: their time was over, or there was no room.
# TYPE keepsake_peer_failed_operations_total counter
keepsake_peer_failed_operations_total{domain="keepsake"} 0
# HELP keepsake_peer_members Members of the grid, as this one sees it; 0 between two memberships.
# TYPE keepsake_peer_members gauge
keepsake_peer_members{domain="keepsake"} 2
# HELP keepsake_peer_operations_total Operations on one key by callers in this process, repetitions included, by whom they were asked of: this member (local) or another one (remote).
# TYPE keepsake_peer_operations_total counter
keepsake_peer_operations_total{domain="keepsake",place="local"} %d
keepsake_peer_operations_total{domain="keepsake",place="remote"} %d
# HELP keepsake_peer_safe Whether this process could end without a loss.
# TYPE keepsake_peer_safe gauge
keepsake_peer_safe{domain="keepsake"} 1
`, puts, local, puts-local)
	err = testutil.GatherAndCompare(registry, strings.NewReader(want), "keepsake_peer_entries", "keepsake_peer_failed_operations_total",
		"keepsake_peer_members", "keepsake_peer_operations_total", "keepsake_peer_safe")
	if err != nil {
		t.Error(err)
	}
	sa, sb := a.Stats(), b.Stats()
	if sb.Served != uint64(puts-local) || sa.RoundTrips < sb.Served || sa.Connections == 0 || sa.SentBytes == 0 {
		t.Errorf("the members say of themselves:\n%+v\n%+v", sa, sb)
	}
}
