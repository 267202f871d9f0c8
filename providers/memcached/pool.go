package memcached

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// A pool is the connections to a server, of which there are never more than it has turns. A
// call needs a turn to use one; who comes when all are taken waits in a queue.
type pool struct {
	turns chan struct{}
	idle  int // how many connections are kept unused

	mu        sync.Mutex
	unused    []*lane // the one used last comes last
	open      int     // connections, unused or not
	withdrawn int     // turns that are out of use, since the server takes no more connections
	closed    bool
}

func newPool(turns, idle int) *pool {
	p := &pool{turns: make(chan struct{}, turns), idle: idle}
	for range turns {
		p.turns <- struct{}{}
	}
	return p
}

// enter waits for a turn. After a nil error, leave must be called, or withdraw have been.
func (p *pool) enter(ctx context.Context) error {
	select {
	case <-p.turns:
		return nil
	default:
	}
	select {
	case <-p.turns:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *pool) leave() { p.turns <- struct{}{} }

// withdraw gives up the caller's turn for good, unless that would leave fewer turns than
// there are connections, or none.
func (p *pool) withdraw() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if cap(p.turns)-p.withdrawn <= max(1, p.open) {
		return false
	}
	p.withdrawn++
	return true
}

// longUnused is after what time a connection is left to others, but for the last one.
const longUnused = 30 * time.Second

// adjust is called about once a second. It brings back a turn that was given up, since the
// server may take more connections by now, and ends a connection that nobody needs.
func (p *pool) adjust() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.withdrawn > 0 {
		p.withdrawn--
		p.turns <- struct{}{}
	}
	if len(p.unused) > 1 && time.Since(p.unused[0].used) > longUnused {
		p.unused[0].conn.hangUp()
		p.unused = slices.Delete(p.unused, 0, 1)
		p.open--
	}
}

// pop returns an unused connection, or nil if there is none. The call counts as running.
func (p *pool) pop(calls *sync.WaitGroup) (*lane, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, fmt.Errorf("%w: %w", driver.ErrUnavailable, errClosed)
	}
	calls.Add(1)
	n := len(p.unused)
	if n == 0 {
		return nil, nil
	}
	l := p.unused[n-1]
	p.unused[n-1] = nil
	p.unused = p.unused[:n-1]
	return l, nil
}

// push keeps a connection for the next call, unless there are enough.
func (p *pool) push(l *lane) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.unused) >= p.idle {
		return false
	}
	l.used = time.Now()
	p.unused = append(p.unused, l)
	return true
}

// connected reports whether there are connections.
func (p *pool) connected() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.open > 0
}

// opened counts a new connection, and hangUp ends one.
func (p *pool) opened() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open++
}

func (p *pool) hangUp(l *lane) {
	l.conn.hangUp()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open--
}

// hangUpUnused ends the connections that are not in use.
func (p *pool) hangUpUnused() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.unused {
		l.conn.hangUp()
	}
	p.open -= len(p.unused)
	clear(p.unused)
	p.unused = p.unused[:0]
}

// close hangs up, and lets no further call begin.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.hangUpUnused()
}
