package jcache

import (
	"context"
	"sync"
	"sync/atomic"
)

// A gate counts the operations in progress, so that close can wait for them and
// a driver is never called after its Close.
type gate struct {
	state atomic.Int64 // operations in progress; gateClosed is added by close
	once  sync.Once
	idle  chan struct{}
}

const gateClosed = 1 << 62

func newGate() *gate { return &gate{idle: make(chan struct{})} }

// enter reports whether the gate is open; if so, leave must follow.
func (g *gate) enter() bool {
	if g.state.Add(1) >= gateClosed {
		g.leave()
		return false
	}
	return true
}

func (g *gate) leave() {
	if g.state.Add(-1) == gateClosed {
		g.once.Do(func() { close(g.idle) })
	}
}

func (g *gate) closed() bool { return g.state.Load() >= gateClosed }

// close shuts the gate and waits for the operations inside.
func (g *gate) close(ctx context.Context) error {
	for s := g.state.Load(); s < gateClosed; s = g.state.Load() {
		if g.state.CompareAndSwap(s, s+gateClosed) {
			break
		}
	}
	if g.state.Load() == gateClosed {
		g.once.Do(func() { close(g.idle) })
	}
	select {
	case <-g.idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
