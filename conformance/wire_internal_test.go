package conformance

import (
	"slices"
	"strings"
	"testing"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// checkWire runs the cases on the bare driver, and those on a broken network, on a driver
// with a flaw.
func checkWire(t *testing.T, f flaw) Report {
	t.Helper()
	server := startWireServer(t)
	connect := func(t T, addr string) driver.Provider {
		p, err := connectWire(t.Context(), addr, f)
		if err != nil {
			t.Fatalf("connect: %v", err)
		}
		return p
	}
	h := Harness{
		Name: "wire", Server: server.addr, ConnectTo: connect,
		Connect: func(t T) driver.Provider { return connect(t, server.addr) },
		Lacks: []driver.Feature{
			driver.FeatureTouch, driver.FeatureInvoke, driver.FeatureLock, driver.FeatureLocality, driver.FeatureUnwrap,
		},
	}
	return check(t.Context(), h, func(c testCase) bool { return c.group == "driver" || c.group == "network" })
}

// A driver with a network and without a flaw passes.
func TestSoundWireDriverIsNotRejected(t *testing.T) {
	t.Parallel()
	if report := checkWire(t, flawless); report.Failed > 0 || report.NotRun > 0 {
		t.Error(report)
	}
}

// A driver with a flaw is rejected, and the report begins with the rule that it breaks.
func TestReportBeginsWithTheRuleThatAFlawBreaks(t *testing.T) {
	t.Parallel()
	if raceEnabled {
		t.Skip("SKIPPED: sixty runs of the suite take too long under the race detector; make test runs it without")
	}
	slots := make(chan struct{}, 4) // most of a run is waiting
	for f, rule := range flaws {
		t.Run(string(f), func(t *testing.T) {
			t.Parallel()
			slots <- struct{}{}
			defer func() { <-slots }()
			rules := append([]string{rule}, alsoBroken[f]...)
			names := func(begin string) bool {
				return slices.ContainsFunc(rules, func(rule string) bool { return strings.Contains(begin, rule) })
			}
			// On a busy machine calls run out of time, and that may show first. No run may
			// accept the driver.
			for attempt := 1; ; attempt++ {
				report := checkWire(t, f)
				begin, _, _ := strings.Cut(report.String(), "\n")
				switch {
				case report.Failed == 0:
					t.Fatal("it is not rejected")
				case names(begin):
					t.Log(begin)
					return
				case attempt == 3:
					t.Fatalf("it does not begin with one of the rules %q:\n%v", rules, report)
				}
			}
		})
	}
}
