package peer_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/keepsake-cache/keepsake/providers/peer"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// TestMain gives probes of the gossip that are under way the second that they take to end.
func TestMain(m *testing.M) {
	code := m.Run()
	for end := time.Now().Add(5 * time.Second); code == 0; {
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

// join starts a member that joins others, and ends it with the test.
func join(t testing.TB, others ...*peer.Provider) *peer.Provider {
	t.Helper()
	opts := peer.Options{Security: peer.Security{Secret: secret}, Replicas: 1, Logger: quiet, LeaveTimeout: 10 * time.Second}
	for _, o := range others {
		opts.Join = append(opts.Join, o.Addr())
	}
	return start(t, opts)
}

func start(t testing.TB, opts peer.Options) *peer.Provider {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	p, err := peer.Connect(ctx, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
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
// where it should be.
func settled(t testing.TB, members ...*peer.Provider) {
	t.Helper()
	var last *topology.Config
	var since time.Time
	poll(t, "the grid does not settle", 30*time.Second, func() bool {
		for _, p := range members {
			if p.Members() < len(members) || len(p.Health().Pending) > 0 {
				return false
			}
		}
		if c := members[0].Config(); c != last {
			last, since = c, time.Now()
		}
		return time.Since(since) > 500*time.Millisecond
	})
}
