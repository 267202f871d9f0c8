package engine

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
)

// A Gate counts the operations in progress, so that Close can wait for them and
// a driver is never called after its Close.
type Gate struct {
	state atomic.Int64 // operations in progress; gateClosed is added by Close
	once  sync.Once
	idle  chan struct{}
}

const gateClosed = 1 << 62

// NewGate returns an open gate.
func NewGate() *Gate { return &Gate{idle: make(chan struct{})} }

// Enter reports whether the gate is open; if so, Leave must follow.
func (g *Gate) Enter() bool {
	if g.state.Add(1) >= gateClosed {
		g.Leave()
		return false
	}
	return true
}

// Leave ends what Enter began.
func (g *Gate) Leave() {
	if g.state.Add(-1) == gateClosed {
		g.once.Do(func() { close(g.idle) })
	}
}

// Closed reports whether Close has been called.
func (g *Gate) Closed() bool { return g.state.Load() >= gateClosed }

// Shut lets nobody in any more, and does not wait.
func (g *Gate) Shut() {
	for s := g.state.Load(); s < gateClosed; s = g.state.Load() {
		if g.state.CompareAndSwap(s, s+gateClosed) {
			break
		}
	}
	if g.state.Load() == gateClosed {
		g.once.Do(func() { close(g.idle) })
	}
}

// Close shuts the gate and waits for the operations inside.
func (g *Gate) Close(ctx context.Context) error {
	g.Shut()
	select {
	case <-g.idle:
		return nil
	default:
	}
	select {
	case <-g.idle:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("operations are still running: %w", ctx.Err())
	}
}
