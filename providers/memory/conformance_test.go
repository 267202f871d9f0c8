package memory_test

import (
	"testing"

	"github.com/keepsake-cache/keepsake/conformance"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/memory"
)

func TestConformance(t *testing.T) { run(t, memory.Options{}) }

func TestConformanceWithBounds(t *testing.T) {
	run(t, memory.Options{MaxEntries: 5000, MaxBytes: 8 << 20, WhenFull: memory.Reject})
}

func run(t *testing.T, opts memory.Options) {
	conformance.Run(t, conformance.Harness{Name: "memory", Connect: func(t conformance.T) driver.Provider {
		p, err := memory.Connect(opts)
		if err != nil {
			t.Fatalf("connect: %v", err)
		}
		return p
	}})
}
