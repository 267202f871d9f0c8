package node_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/node"
)

// heard collects what a watcher is told.
type heard struct {
	mu     sync.Mutex
	events []string
}

func (h *heard) on(e node.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if e.Gap {
		h.events = append(h.events, "gap")
		return
	}
	h.events = append(h.events, e.Key)
}

// take returns what came since the last time.
func (h *heard) take() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	events := h.events
	h.events = nil
	return events
}

// watch watches a process until the test ends.
func (p *process) watch() *heard {
	p.g.Helper()
	h := &heard{}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if _, err := p.Watch(ctx, "c", false, h.on); err != nil {
		p.g.Fatal(err)
	}
	return h
}

func (g *grid) must(_ any, err error) {
	g.Helper()
	if err != nil {
		g.Error(err)
	}
}

// Wherever a connection breaks, a watcher hears of what happens from the next renewal on,
// and that it may have missed something before.
func TestSubscriptionsOutliveConnections(t *testing.T) {
	for _, client := range []bool{false, true} {
		t.Run(fmt.Sprint("client ", client), func(t *testing.T) {
			bubble(t, nil, func(g *grid) {
				a, b, c := g.three()
				w := c
				if client {
					g.change = func(o *node.Options) { o.Mode = node.Client }
					w = g.start()
				}
				h := w.watch()
				keys := a.keysOf(b.ID(), "b", 2)
				g.must(b.put(keys[0], "1", time.Second))
				time.Sleep(50 * time.Millisecond)
				if got := h.take(); !slices.Equal(got, keys[:1]) {
					t.Errorf("the watcher was told %v, want %v", got, keys[:1])
				}
				for range 3 {
					g.Break(w.host, b.host)
					g.must(b.put(keys[0], "2", time.Second)) // it is missed, or told after the gap
					g.within(2*time.Second, "the watcher is told of the gap", func() bool { return slices.Contains(h.take(), "gap") })
					g.must(b.put(keys[1], "3", time.Second))
					time.Sleep(50 * time.Millisecond)
					if got := h.take(); !slices.Contains(got, keys[1]) || slices.Contains(got, "gap") {
						t.Errorf("the watcher was told %v after the gap, want %v", got, keys[1])
					}
				}
				time.Sleep(20 * time.Second) // renewed again and again
				if got := h.take(); len(got) > 0 {
					t.Errorf("the watcher was told %v when nothing happened", got)
				}
				g.must(b.put(keys[0], "4", time.Second))
				time.Sleep(50 * time.Millisecond)
				if got := h.take(); !slices.Equal(got, keys[:1]) {
					t.Errorf("the watcher was told %v, want %v", got, keys[:1])
				}
			})
		})
	}
}

// A member that joins is watched before it is the primary of anything, so that only the
// change of primaries is a gap.
func TestSubscriptionsAtNewMembers(t *testing.T) {
	bubble(t, nil, func(g *grid) {
		a, b := g.start(), g.start()
		g.settled(10*time.Second, a, b)
		h := a.watch()
		c := g.start()
		g.settled(20*time.Second, a, b, c)
		if got := h.take(); !slices.Contains(got, "gap") {
			t.Errorf("primaries changed, and the watcher was told %v", got)
		}
		key := a.keysOf(c.ID(), "c", 1)[0]
		g.must(b.put(key, "1", time.Second))
		time.Sleep(50 * time.Millisecond)
		if got := h.take(); !slices.Equal(got, []string{key}) {
			t.Errorf("the watcher was told %v, want %v", got, key)
		}
	})
}

// What is certain to be complete is so for two seconds at the most after a cut, of which
// nobody hears anything.
func TestWhatIsFreshEnds(t *testing.T) {
	bubble(t, func(o *node.Options) { o.Silence = time.Minute }, func(g *grid) {
		a, b, _ := g.three()
		g.change = func(o *node.Options) { o.Mode = node.Client }
		client := g.start()
		client.watch()
		if !client.Fresh() {
			t.Error("although all members have agreed, the watcher may have missed something")
		}
		time.Sleep(10 * time.Second)
		if !client.Fresh() {
			t.Error("subscriptions are not renewed")
		}
		g.Cut(b.host, client.host)
		took := g.within(5*time.Second, "the client knows that it may miss something", func() bool { return !client.Fresh() })
		if took > 2*time.Second+10*time.Millisecond {
			t.Errorf("for %v a client did not notice that it might miss something", took)
		}
		g.Heal(b.host, client.host)
		g.within(10*time.Second, "it is fresh again", client.Fresh)
		g.must(a.put("key", "1", time.Second))
	})
}
