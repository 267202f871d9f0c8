package jcache

import (
	"bytes"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

type reporter struct {
	driver.Provider
	health atomic.Pointer[Health]
}

func (r *reporter) Health() Health { return *r.health.Load() }

// TestAProviderThatGoesAwayIsALineAndItsReturnAnother: whatever is wrong is told once when it
// begins and once when it ends, what lasts again each minute, and nothing else.
func TestAProviderThatGoesAwayIsALineAndItsReturnAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		drop := func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}
		r := &reporter{}
		r.health.Store(&Health{})
		m := startMonitor(newLink(r), "far", slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: drop})))
		defer m.stop()
		time.Sleep(time.Millisecond) // between two looks
		for _, test := range []struct {
			what  string
			lasts time.Duration
			now   Health
			lines []string // parts of each
		}{
			{"all is well", time.Hour, Health{Servers: []Server{{Name: "a"}}}, nil},
			{"a server is down", 10 * time.Second, Health{Servers: []Server{{Name: "a", Down: "refused", Affected: "half of the keys"}}},
				[]string{`level=WARN msg="keepsake: a server of the provider is down" provider=far server=a why=refused affected="half of the keys"`}},
			{"it is back", 10 * time.Second, Health{Servers: []Server{{Name: "a"}}},
				[]string{`level=INFO msg="keepsake: a server of the provider is back" provider=far server=a after=10s`}},
			{"not ready", 3 * time.Second, Health{Unready: []string{"x", "y"}, Unsafe: []string{"z"}},
				[]string{`level=WARN msg="keepsake: operations fail, or wait until they do" provider=far why="x; y; z"`}},
			{"ready", time.Hour, Health{}, []string{`carried out again" provider=far after=3s`}},
			{"copies are made", 5 * time.Second, Health{Pending: []string{"copies"}}, nil},
			{"they were", time.Hour, Health{}, nil},
			{"copies take long", 6 * time.Second, Health{Pending: []string{"copies"}}, []string{"why=copies"}},
			{"they were made", time.Hour, Health{}, []string{`restarted again" provider=far after=6s`}},
			{"unsafe", 150 * time.Second, Health{Unsafe: []string{"alone"}}, []string{"why=alone", "why=alone", "why=alone"}},
			{"safe", time.Hour, Health{}, []string{`restarted again" provider=far after=2m30s`}},
		} {
			synctest.Wait() // nobody writes
			out.Reset()
			r.health.Store(&test.now)
			time.Sleep(test.lasts)
			synctest.Wait()
			var got []string
			for line := range strings.Lines(out.String()) {
				got = append(got, strings.TrimSuffix(line, "\n"))
			}
			ok := len(got) == len(test.lines)
			for i := range min(len(got), len(test.lines)) {
				ok = ok && strings.Contains(got[i], test.lines[i])
			}
			if !ok {
				t.Errorf("%s: lines %q, want %q", test.what, got, test.lines)
			}
		}
	})
}

// TestAMonitorThatStopsSaysNothingMore, and one of a provider that knows nothing of its health
// is none.
func TestAMonitorThatStopsSaysNothingMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		r := &reporter{}
		r.health.Store(&Health{})
		m := startMonitor(newLink(r), "far", slog.New(slog.NewTextHandler(&out, nil)))
		time.Sleep(time.Millisecond)
		m.stop()
		r.health.Store(&Health{Unready: []string{"x"}})
		time.Sleep(time.Hour)
		if out.Len() > 0 {
			t.Errorf("after its end: %s", out.String())
		}
		if none := startMonitor(newLink(struct{ driver.Provider }{}), "silent", nil); none != nil {
			t.Error("there is something to watch")
		}
	})
}
