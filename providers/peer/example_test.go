package peer_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/keepsake-cache/keepsake/metrics"
	"github.com/keepsake-cache/keepsake/providers/peer"
)

// Package metrics gives Prometheus what a member knows of itself, whichever configuration file
// it comes from.
func ExampleProvider_Measures() {
	ctx := context.Background()
	manager, err := peer.Open(ctx, peer.Options{
		Security: peer.Security{Secret: "known to all members"},
		Logger:   slog.New(slog.DiscardHandler),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer manager.Close(ctx) //nolint:errcheck // the only member hands nothing over

	registry := prometheus.NewRegistry()
	registry.MustRegister(metrics.Provider(manager))
	families, err := registry.Gather() // what promhttp.HandlerFor(registry, ...) serves
	if err != nil {
		log.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "keepsake_peer_members" {
			fmt.Println(family.GetName(), family.GetMetric()[0].GetGauge().GetValue())
		}
	}
	// Output: keepsake_peer_members 1
}
