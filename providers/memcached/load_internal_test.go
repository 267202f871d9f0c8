package memcached

import (
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keepsake-cache/keepsake/internal/logtest"
)

// TestEvictionsAreToldOnceAMinute: how often a server that evicts is named, and with how many evictions.
func TestEvictionsAreToldOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g gauge
		var log logtest.Log
		logger := slog.New(slog.NewTextHandler(&log, nil))
		for _, step := range []struct {
			after     time.Duration
			evictions uint64
			said      string // empty: nothing
		}{
			{0, 0, ""},
			{10 * time.Second, 0, ""},
			{10 * time.Second, 5, "evicted=5"}, // they begin
			{10 * time.Second, 9, ""},
			{40 * time.Second, 12, ""},
			{10 * time.Second, 12, "evicted=7"}, // a minute later
			{5 * time.Minute, 12, ""},           // they have ended
			{10 * time.Second, 3, "evicted=3"},  // after a restart
		} {
			time.Sleep(step.after)
			g.observe(logger, "a:1", load{memory: smallMemory, evictions: step.evictions})
			if said := log.Take(); (said != "") != (step.said != "") || !strings.Contains(said, step.said) {
				t.Errorf("%d evictions: it says %q, want %q", step.evictions, said, step.said)
			}
		}
	})
}
