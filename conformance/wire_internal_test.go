package conformance

import (
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
		t.Skip("sixty runs of the suite take too long under the race detector; without it: go test -run RuleThatAFlawBreaks ./conformance")
	}
	slots := make(chan struct{}, 4) // most of a run is waiting
	for f, rule := range flaws {
		t.Run(string(f), func(t *testing.T) {
			t.Parallel()
			slots <- struct{}{}
			defer func() { <-slots }()
			report := checkWire(t, f)
			if begin, _, _ := strings.Cut(report.String(), "\n"); report.Failed == 0 || !strings.Contains(begin, rule) {
				t.Errorf("it does not begin with the rule %q:\n%v", rule, report)
			} else {
				t.Log(begin)
			}
		})
	}
}
