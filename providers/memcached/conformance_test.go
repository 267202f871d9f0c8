package memcached_test

import (
	"testing"

	"github.com/keepsake-cache/keepsake/conformance"
	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/memcached"
)

func TestConformance(t *testing.T) {
	servers := addrs(servertest.Memcached(t), servertest.Memcached(t))
	conformance.Run(t, conformance.Harness{
		Name:    "memcached",
		Connect: func(t conformance.T) driver.Provider { return connectFor(t, servers...) },
		// One server alone: keys are spread by the servers' addresses.
		Server:    servertest.Memcached(t).Addr,
		ConnectTo: func(t conformance.T, addr string) driver.Provider { return connectFor(t, addr) },
		Lacks: []driver.Feature{
			driver.FeatureBatchPut, driver.FeatureExchange, driver.FeatureTouch, driver.FeatureInvoke, driver.FeatureScan,
			driver.FeatureSize, driver.FeatureWatch, driver.FeatureLock,
		},
	})
}

func connectFor(t conformance.T, servers ...string) driver.Provider {
	p, err := memcached.Connect(t.Context(), patient(memcached.Options{Servers: servers}))
	if err != nil {
		t.Fatalf("Connect: %v", err)
	}
	return p
}
