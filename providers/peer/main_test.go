package peer_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/keepsake-cache/keepsake/providers/peer"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// TestMain gives probes of the gossip that are under way the second that they take to end.
func TestMain(m *testing.M) {
	code := m.Run()
	for end := time.Now().Add(time.Minute); code == 0; {
		err := goleak.Find()
		if err == nil {
			break
		}
		if time.Now().After(end) {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

var never time.Time

const secret = "known to all members"

// quiet drops what members log.
var quiet = slog.New(slog.DiscardHandler)

// join starts a member that joins others, and ends it with the test. It is not replaced because the
// machine is slow.
func join(t testing.TB, others ...*peer.Provider) *peer.Provider {
	t.Helper()
	opts := peer.Options{Security: peer.Security{Secret: secret}, Replicas: 1, Logger: quiet,
		RequestTimeout: time.Minute, FailureTimeout: time.Minute, LeaveTimeout: time.Minute}
	for _, o := range others {
		opts.Join = append(opts.Join, o.Addr())
	}
	return start(t, opts)
}

func start(t testing.TB, opts peer.Options) *peer.Provider {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	p, err := peer.Connect(ctx, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := p.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return p
}

// poll waits until something holds.
func poll(t testing.TB, what string, limit time.Duration, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(limit); !holds(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("after %v: %s", limit, what)
		}
	}
}

// settled waits until all members know each other, have all copies, and every partition is
// where it should be, so that no other configuration follows by itself.
func settled(t testing.TB, members ...*peer.Provider) {
	t.Helper()
	poll(t, "the grid does not settle", time.Minute, func() bool {
		for _, p := range members {
			if len(p.Health().Pending) > 0 || !inPlace(p.Config(), members) {
				return false
			}
		}
		return true
	})
}

// inPlace reports whether these are members, and every partition is where the weights of all place it.
func inPlace(c *topology.Config, members []*peer.Provider) bool {
	if c == nil {
		return false
	}
	for _, p := range members {
		if !slices.ContainsFunc(c.Members, func(m topology.Member) bool { return m.ID == p.ID() }) {
			return false
		}
	}
	copies := len(c.Partitions[0].InSync)
	for i, ids := range topology.Target(c.Members, len(c.Partitions), copies) {
		p := &c.Partitions[i]
		if len(ids) == 0 || p.Learner != 0 || p.Primary != ids[0] || len(p.InSync) != len(ids) {
			return false
		}
		for _, id := range ids {
			if !slices.Contains(p.InSync, id) {
				return false
			}
		}
	}
	return !slices.ContainsFunc(c.Members, func(m topology.Member) bool { return m.Leaving })
}
