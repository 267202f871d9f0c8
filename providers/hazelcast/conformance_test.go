package hazelcast_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/keepsake-cache/keepsake/conformance"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/hazelcast"
)

func TestConformance(t *testing.T) {
	addrs := cluster(t).Addrs
	dir := t.TempDir()
	connect := func(t conformance.T, opts hazelcast.Options) driver.Provider {
		p, err := hazelcast.Connect(t.Context(), opts)
		if err != nil {
			t.Fatalf("connect: %v", err)
		}
		return p
	}
	conformance.Run(t, conformance.Harness{
		Name:    "hazelcast",
		Lacks:   []driver.Feature{driver.FeatureTouch, driver.FeatureInvoke, driver.FeatureLocality},
		Connect: func(t conformance.T) driver.Provider { return connect(t, hazelcast.Options{Servers: addrs}) },
		// A client with a single connection goes nowhere else; one with several learns the
		// members' own addresses.
		Server: addrs[0],
		ConnectTo: func(t conformance.T, addr string) driver.Provider {
			file, err := os.CreateTemp(dir, "*.xml")
			if err == nil {
				_, err = fmt.Fprintf(file, singleConnection, addr)
				_ = file.Close() // what was written is there, or the client says so
			}
			if err != nil {
				t.Fatalf("write a client's file: %v", err)
			}
			return connect(t, hazelcast.Options{ClientFile: filepath.Clean(file.Name())})
		},
	})
}

const singleConnection = `<hazelcast-client xmlns="http://www.hazelcast.com/schema/client-config"><network>
	<cluster-members><address>%s</address></cluster-members>
	<smart-routing>false</smart-routing>
</network></hazelcast-client>`
