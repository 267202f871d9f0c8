package hazelcast_test

import (
	"testing"

	"github.com/keepsake-cache/keepsake/conformance"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/hazelcast"
)

func TestConformance(t *testing.T) {
	addrs := cluster(t).Addrs
	conformance.Run(t, conformance.Harness{
		Name:  "hazelcast",
		Lacks: []driver.Feature{driver.FeatureTouch, driver.FeatureInvoke, driver.FeatureLocality},
		Connect: func(t conformance.T) driver.Provider {
			p, err := hazelcast.Connect(t.Context(), hazelcast.Options{Servers: addrs})
			if err != nil {
				t.Fatalf("connect: %v", err)
			}
			return p
		},
	})
}
