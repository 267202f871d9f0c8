package conformance_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/keepsake-cache/keepsake/conformance"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/memory"
)

var harness = conformance.Harness{
	Name: "memory",
	Connect: func(t conformance.T) driver.Provider {
		p, err := memory.Connect(memory.Options{})
		if err != nil {
			t.Fatalf("connect: %v", err)
		}
		return p
	},
}

// The test of a provider is one call of Run.
func ExampleRun() {
	testConformance := func(t *testing.T) { conformance.Run(t, harness) } // TestConformance
	_ = testConformance
}

// A command has no testing.T, and calls Check.
func ExampleCheck() {
	report := conformance.Check(context.Background(), harness)
	fmt.Println(report.Provider, report.Failed)
	// Output: memory 0
}
