package node_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/node"
)

// Both sides of a cut go on, each with what it has a copy of: of the rest it says that it cannot
// know, and not that it is absent. When they meet, what each wrote is there, and what one of
// them deleted is not.
func TestSidesOfACutMerge(t *testing.T) {
	bubble(t, everywhere, func(g *grid) {
		a, b, c := g.three()
		keys := a.fill("k", 60)
		g.Isolate(c.host)
		g.within(5*time.Second, "both sides go on", func() bool {
			return a.Stats().Members == 2 && b.Stats().Members == 2 && c.Stats().Members == 1
		})
		held := 0
		for _, key := range keys {
			switch got, err := c.get(key, 200*time.Millisecond); {
			case errors.Is(err, driver.ErrUnavailable):
				held++
			case err != nil || got != "of "+key:
				t.Errorf("the smaller side says of a record that it is %q, %v", got, err)
			}
		}
		if s := c.Stats(); held == 0 || held == len(keys) || s.Held == 0 || c.Safe() {
			t.Errorf("the smaller side does not know %d of %d records: %d partitions are held, and it is safe: %v", held, len(keys), s.Held, c.Safe())
		}
		ours := b.fill("ours", 30)
		theirs := slices.DeleteFunc(c.keysOf(c.ID(), "theirs", 100), func(key string) bool {
			return len(c.Config().Partitions[partitionOf(key)].Held) > 0
		})[:30]
		for _, key := range theirs {
			if _, err := c.put(key, "of "+key, time.Second); err != nil {
				t.Fatal(err)
			}
		}
		for _, key := range keys[:20] {
			if err := a.delete(key, time.Second); err != nil {
				t.Fatal(err)
			}
		}
		g.Rejoin(c.host)
		t.Log("merged after", g.settled(30*time.Second, a, b, c))
		for _, keys := range [][]string{keys[20:], ours, theirs} {
			g.has(keys, a, b, c)
		}
		for _, key := range keys[:20] {
			if got, err := c.get(key, time.Second); err != nil || got != "" {
				t.Errorf("a deletion was undone: %q, %v", got, err)
			}
		}
		if n := copies(a, b, c); n != 200 {
			t.Errorf("%d copies of 100 records", n)
		}
		if s := a.Stats(); s.Held+s.Lost != 0 {
			t.Errorf("in the end %d partitions are held, and %d were lost", s.Held, s.Lost)
		}
	})
}

// Of three members, only the side with two goes on unless all are asked to. The other one
// answers nothing, and nothing is merged.
func TestLargerSideOfACutGoesOn(t *testing.T) {
	bubble(t, nil, func(g *grid) {
		a, b, c := g.three()
		keys := a.fill("k", 60)
		g.Isolate(c.host)
		g.within(5*time.Second, "the larger side goes on", func() bool { return a.Stats().Members == 2 && b.Stats().Members == 2 })
		g.has(keys, a, b)
		ours := b.fill("ours", 30)
		for _, key := range keys {
			if got, err := c.get(key, 100*time.Millisecond); !errors.Is(err, driver.ErrUnavailable) {
				t.Errorf("the smaller side answers %q, %v", got, err)
			}
		}
		if c.Health().Ready() {
			t.Error("the smaller side is ready")
		}
		g.Rejoin(c.host)
		t.Log("whole after", g.settled(30*time.Second, a, b, c))
		g.has(append(keys, ours...), a, b, c)
		if s := a.Stats(); s.Merged+s.Conflicts != 0 || s.Held+s.Lost != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// What only one member has waits for it while it is cut off, and is there when it is back.
func TestOnlyCopyIsHeld(t *testing.T) {
	bubble(t, func(o *node.Options) { o.Copies, o.Replica.Copies = 1, 1 }, func(g *grid) {
		a, b, c := g.three()
		theirs := a.keysOf(c.ID(), "k", 20)
		for _, key := range theirs {
			if _, err := a.put(key, "of "+key, time.Second); err != nil {
				t.Fatal(err)
			}
		}
		g.Isolate(c.host)
		g.within(5*time.Second, "the larger side goes on", func() bool { return a.Stats().Members == 2 && a.Stats().Held > 0 })
		for _, key := range theirs {
			if got, err := b.get(key, 100*time.Millisecond); !errors.Is(err, driver.ErrUnavailable) {
				t.Errorf("a record that nobody in reach has is %q, %v", got, err)
			}
			if _, err := a.put(key, "other", 100*time.Millisecond); !errors.Is(err, driver.ErrUnavailable) {
				t.Errorf("a put of it: %v", err)
			}
		}
		g.Rejoin(c.host)
		t.Log("whole after", g.settled(30*time.Second, a, b, c))
		g.has(theirs, a, b, c)
		if s := a.Stats(); s.Held+s.Lost != 0 {
			t.Errorf("in the end %d partitions are held, and %d were lost", s.Held, s.Lost)
		}
	})
}
