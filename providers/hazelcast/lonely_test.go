package hazelcast_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/internal/logtest"
	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/hazelcast"
)

// TestMemberThatIsStartedAgainOtherwise starts the only member again with another configuration, and with a clock
// that is ahead. Maps that are open are probed again after the connection came back, and its clock is read.
func TestMemberThatIsStartedAgainOtherwise(t *testing.T) {
	t.Parallel()
	const ahead = 30 * time.Second
	config := filepath.Join(t.TempDir(), "hazelcast.xml")
	must(t, os.WriteFile(config, []byte(hazelcast.MemberConfig), 0o600))
	lonely := servertest.Hazelcast(t, 1, config, "-Dhazelcast.partition.count=71", "-Dcom.hazelcast.clock.offset="+ahead.String()[:2]+"000")
	var log logtest.Log
	p := connect(t, hazelcast.Options{Servers: lonely.Addrs, MapPrefix: "odd.idle.", Logger: slog.New(slog.NewTextHandler(&log, nil))})
	openCache(t, p, driver.CacheOptions{})
	clock := func(p *hazelcast.Provider, want time.Duration) func() bool {
		return func() bool {
			h := p.Health()
			for _, s := range h.Servers {
				if (s.Ahead - want).Abs() > 2*time.Second {
					t.Fatalf("the clock of %s is told to be %v ahead, want %v", s.Name, s.Ahead, want)
				}
			}
			return len(h.Servers) > 0
		}
	}
	eventually(t, "its clock is known", clock(p, ahead))
	others := connect(t, hazelcast.Options{})
	openCache(t, others, driver.CacheOptions{})
	eventually(t, "the clocks of others are known", clock(others, 0))

	lonely.Member(0).Kill()
	eventually(t, "it is missed", func() bool { return !p.Health().Ready() })
	must(t, os.WriteFile(config, []byte(strings.Replace(hazelcast.MemberConfig, "</hazelcast>", oddMaps, 1)), 0o600))
	must(t, lonely.Restart(0))
	eventually(t, "its health says what is wrong with the map", func() bool {
		h := p.Health()
		return h.Ready() && len(h.Unsafe) == 1 && strings.Contains(h.Unsafe[0], "max-idle-seconds")
	})
	if n := strings.Count(log.String(), "max-idle-seconds"); n != 1 {
		t.Errorf("%d lines, want one: %s", n, log.String())
	}
}
