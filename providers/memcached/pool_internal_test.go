package memcached

import (
	"net"
	"sync"
	"testing"
	"time"
)

// TestWithdrawnTurnsComeBack: a turn is given up while the server takes no more connections;
// there are always as many as connections, and one. Later it comes back.
func TestWithdrawnTurnsComeBack(t *testing.T) {
	p := newPool(4, 4)
	for range 4 {
		if err := p.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	p.opened()
	p.opened()
	for i, want := range []bool{true, true, false} {
		if got := p.withdraw(); got != want {
			t.Errorf("withdrawal %d with two connections: %v", i+1, got)
		}
	}
	p.leave()
	p.leave()
	for i, want := range []int{3, 4, 4} {
		if p.adjust(); len(p.turns) != want {
			t.Errorf("%d turns after %d s, want %d", len(p.turns), i+1, want)
		}
	}
}

// TestUnusedConnectionsAreLeftToOthers, one after the other, but for the last one.
func TestUnusedConnectionsAreLeftToOthers(t *testing.T) {
	p := newPool(4, 4)
	for range 3 {
		ours, theirs := net.Pipe()
		defer theirs.Close() //nolint:errcheck // nobody reads
		p.opened()
		p.push(&lane{conn: &conn{Conn: ours, raw: ours}})
	}
	if p.adjust(); p.open != 3 {
		t.Fatal("a connection is ended that was just used")
	}
	for _, l := range p.unused {
		l.used = time.Now().Add(-2 * longUnused)
	}
	for i, want := range []int{2, 1, 1} {
		if p.adjust(); p.open != want || len(p.unused) != want {
			t.Errorf("%d connections after %d s, want %d", p.open, i+1, want)
		}
	}
	var calls sync.WaitGroup
	if l, err := p.pop(&calls); l == nil || err != nil {
		t.Errorf("no connection is left: %v", err)
	} else {
		p.hangUp(l)
	}
}
