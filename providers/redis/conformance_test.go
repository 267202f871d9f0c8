package redis_test

import (
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/conformance"
	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/redis"
)

func TestConformance(t *testing.T) {
	server := servertest.Redis(t)
	connect := func(t conformance.T, opts redis.Options) driver.Provider {
		p, err := redis.Connect(t.Context(), opts)
		if err != nil {
			t.Fatalf("Connect: %v", err)
		}
		return p
	}
	const soon = 2 * time.Second // for a connection that is made to break
	conformance.Run(t, conformance.Harness{
		Name: "redis",
		Connect: func(t conformance.T) driver.Provider {
			return connect(t, patient(redis.Options{Servers: []string{server.Addr}}))
		},
		Server: server.Addr,
		ConnectTo: func(t conformance.T, addr string) driver.Provider {
			return connect(t, redis.Options{Servers: []string{addr}, ConnectTimeout: soon, RequestTimeout: soon})
		},
		Lacks: lacking,
	})
}
