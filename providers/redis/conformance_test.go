package redis_test

import (
	"testing"

	"github.com/keepsake-cache/keepsake/conformance"
	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/redis"
)

func TestConformance(t *testing.T) {
	server := servertest.Redis(t)
	connect := func(t conformance.T, addr string) driver.Provider {
		p, err := redis.Connect(t.Context(), redis.Options{Servers: []string{addr}})
		if err != nil {
			t.Fatalf("Connect: %v", err)
		}
		return p
	}
	conformance.Run(t, conformance.Harness{
		Name:      "redis",
		Connect:   func(t conformance.T) driver.Provider { return connect(t, server.Addr) },
		Server:    server.Addr,
		ConnectTo: connect,
		Lacks:     []driver.Feature{driver.FeatureInvoke, driver.FeatureWatch},
	})
}
