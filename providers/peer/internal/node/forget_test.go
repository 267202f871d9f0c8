package node_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/node"
)

// What only members had that an operator gives up begins empty. Who answers is not given up.
func TestForget(t *testing.T) {
	bubble(t, func(o *node.Options) { o.Copies, o.Replica.Copies = 1, 1 }, func(g *grid) {
		a, b, c := g.three()
		theirs, ours := a.keysOf(c.ID(), "k", 5), a.keysOf(b.ID(), "k", 5)
		for _, key := range append(theirs, ours...) {
			if _, err := a.put(key, "of "+key, time.Second); err != nil {
				t.Fatal(err)
			}
		}
		operator := g.client()
		forget := func(addrs ...string) ([]string, error) {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			return operator.Forget(ctx, addrs...)
		}
		for _, addr := range []string{c.host, "127.0.0.99:1"} {
			if gone, err := forget(addr); err == nil {
				t.Errorf("%s can be forgotten while all are there: %v", addr, gone)
			}
		}
		g.Isolate(c.host)
		g.within(5*time.Second, "the larger side goes on", func() bool { return a.Stats().Members == 2 && a.Stats().Held > 0 })
		if _, err := a.get(theirs[0], 100*time.Millisecond); !errors.Is(err, driver.ErrUnavailable) {
			t.Errorf("before it is given up: %v", err)
		}
		// It is said, and is no reason for a balancer to send nobody here.
		g.within(time.Second, "the member that is left serves", func() bool { return a.Health().Ready() })
		if h := a.Health(); h.Safe() || !strings.Contains(strings.Join(h.Unsafe, "\n"), "partitions are held") ||
			!strings.Contains(strings.Join(h.Unsafe, "\n"), c.host) {
			t.Errorf("its health is %+v", h)
		}
		gone, err := forget()
		if err != nil || len(gone) != 1 || gone[0] != c.host {
			t.Fatalf("forgotten are %v, %v", gone, err)
		}
		g.within(time.Second, "everything is served", func() bool { return a.Stats().Held == 0 && b.Stats().Held == 0 })
		for _, key := range theirs {
			if got, err := a.get(key, time.Second); err != nil || got != "" {
				t.Errorf("%s is %q, %v", key, got, err)
			}
		}
		g.has(ours, a, b)
	})
}

// Who alone is left of three, and cannot know that the others have ended, goes on when an
// operator says so.
func TestForgetTheOthers(t *testing.T) {
	bubble(t, nil, func(g *grid) {
		a, b, c := g.three()
		keys := a.fill("k", 20)
		operator := g.client()
		g.Isolate(b.host)
		g.Isolate(c.host)
		time.Sleep(10 * time.Second)
		if _, err := a.put(keys[0], "x", time.Second); err == nil {
			t.Error("one of three goes on")
		}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if _, err := operator.Forget(ctx, b.host, c.host); err != nil {
			t.Fatal(err)
		}
		g.within(5*time.Second, "it serves everything", func() bool { return a.Stats().Members == 1 && a.Stats().Held == 0 })
		if _, err := a.put(keys[0], "x", time.Second); err != nil {
			t.Error(err)
		}
	})
}
