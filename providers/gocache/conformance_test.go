package gocache_test

import (
	"sync"
	"testing"

	"github.com/keepsake-cache/keepsake/conformance"
	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/gocache"
	_ "github.com/keepsake-cache/keepsake/providers/gocache/bigcache"
	_ "github.com/keepsake-cache/keepsake/providers/gocache/memcache"
	_ "github.com/keepsake-cache/keepsake/providers/gocache/redis"
)

type settings = map[string]any

// lacks is what no store of gocache can do.
var lacks = []driver.Feature{
	driver.FeatureBatchGet, driver.FeatureBatchPut, driver.FeatureExchange, driver.FeatureTouch, driver.FeatureInvoke,
	driver.FeatureScan, driver.FeatureSize, driver.FeatureWatch, driver.FeatureLock, driver.FeatureLocality,
}

// open opens a provider as a configuration file does.
func open(t conformance.T, given settings) driver.Provider {
	given["singleProcess"] = true
	d, err := jcache.Definition("gocache")
	if err != nil {
		t.Fatalf("%v", err)
	}
	cfg, _, err := d.Configure("", given)
	if err != nil {
		t.Fatalf("configure: %v", err)
	}
	p, err := d.Open(t.Context(), cfg)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return p
}

func TestConformanceOnBigcache(t *testing.T) {
	conformance.Run(t, conformance.Harness{Name: "gocache on bigcache", Lacks: lacks,
		Connect: func(t conformance.T) driver.Provider { return open(t, settings{"store": "bigcache"}) }})
}

func TestConformanceOnMemcache(t *testing.T) {
	onServer(t, "memcache", servertest.Memcached(t).Addr)
}

func TestConformanceOnRedis(t *testing.T) {
	onServer(t, "redis", servertest.Redis(t).Addr)
}

func onServer(t *testing.T, store, addr string) {
	// The suite looks through a second provider at what happened, which is no second process.
	var first driver.Provider
	var mu sync.Mutex
	connect := func(t conformance.T, addr string) driver.Provider {
		p := open(t, settings{"store": store, "servers": []string{addr}})
		mu.Lock()
		defer mu.Unlock()
		if first == nil {
			first = p
		}
		gocache.Share(first, p)
		return p
	}
	conformance.Run(t, conformance.Harness{Name: "gocache on " + store, Lacks: lacks, NoFallbacks: true,
		Connect: func(t conformance.T) driver.Provider { return connect(t, addr) },
		Server:  addr, ConnectTo: connect,
	})
}
