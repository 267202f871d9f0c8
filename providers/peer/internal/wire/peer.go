package wire

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

const (
	// introduceTimeout is how long dialling and both hellos may take: a few times there and back, where
	// that takes the better part of a second.
	introduceTimeout = 4 * time.Second
	// A dial that failed is repeated after a pause that doubles from shortPause to
	// longPause.
	shortPause = 50 * time.Millisecond
	longPause  = time.Second
)

// A Peer is another process, as one that messages are sent to. Connections are
// dialled when they are needed, one for each class, and used in this direction only, but
// for answers and what the peer sends by a Backchannel: all else that it sends here
// travels on the connections that it dials. So messages of
// one class arrive in the order in which they were sent as long as the connection
// lasts. Across a break, messages may be lost, and the last of the broken connection
// may be handled after the first of the new one.
//
// While there is no connection messages wait in the queue of the next one. They fail
// with ErrNotSent if it cannot be made. All methods may be called concurrently.
type Peer struct {
	// ID and Addr are as given to Endpoint.Peer.
	ID   topology.ID
	Addr string

	e     *Endpoint
	hello atomic.Pointer[Hello]

	mu       sync.Mutex
	gone     bool
	lines    [classes]line
	renewals int // under way
}

// A line is a succession of connections of one class.
type line struct {
	c     *conn
	made  time.Time // when the connection was made; zero: it was not
	fails int       // connections that were not made, or broke soon
}

// Hello returns what the peer said of itself last; nil if there was no connection yet.
func (p *Peer) Hello() *Hello { return p.hello.Load() }

// Call sends a request, whose body is the parts one after the other, and returns the
// answer. The parts are copied before it returns or waits; the answer is the caller's.
//
// A Call whose context ended, or whose connection broke, returns ErrNotSent if the
// request certainly took no effect, and otherwise the context's error or ErrBroken.
// It waits for room in the queue; if there was none in time the error is
// ErrOverloaded. Requests of types that the peer does not know return ErrUnknownType.
func (p *Peer) Call(ctx context.Context, class Class, typ Type, body ...[]byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, notSent(context.Cause(ctx))
	}
	c, err := p.conn(class)
	if err != nil {
		return nil, err
	}
	return c.call(ctx, typ, body)
}

// Send queues a message that wants no answer, and returns without knowing whether it
// arrives. It waits for room in the queue until ctx ends.
func (p *Peer) Send(ctx context.Context, class Class, typ Type, body ...[]byte) error {
	if ctx.Err() != nil {
		return notSent(context.Cause(ctx))
	}
	c, err := p.conn(class)
	if err != nil {
		return err
	}
	return c.put(ctx, nil, typ, body)
}

// Post is Send that never waits: it returns ErrOverloaded if there is no room.
func (p *Peer) Post(class Class, typ Type, body ...[]byte) error {
	c, err := p.conn(class)
	if err != nil {
		return err
	}
	full, err := c.add(nil, typ, 0, 0, body)
	if full != nil {
		return ErrOverloaded
	}
	return err
}

// conn returns the connection of a class. If there is none it begins to make one.
func (p *Peer) conn(class Class) (*conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := &p.lines[class]
	if l.c != nil && !l.c.stopped() {
		return l.c, nil
	}
	if p.gone {
		return nil, notSent(ErrClosed)
	}
	if !l.made.IsZero() && time.Since(l.made) > longPause {
		l.fails = 0
	}
	c, fails := p.newConn(), l.fails
	if class == Bulk {
		c.rate = bulkRate
	}
	if err := p.e.begin(c, func() { p.keep(c, class, fails) }); err != nil {
		return nil, notSent(err)
	}
	*l = line{c: c, fails: fails + 1}
	return c, nil
}

func (p *Peer) newConn() *conn {
	c := newConn(p.e.opts.QueueBytes)
	c.renew = p.Renew
	return c
}

// keep makes a connection and serves it until it breaks.
func (p *Peer) keep(c *conn, class Class, fails int) {
	nc, err := p.dial(c, class, fails)
	if err != nil {
		c.stop(err)
		p.report(dialled(err), class, err)
		return
	}
	p.mu.Lock()
	p.lines[class].made = time.Now()
	p.mu.Unlock()
	p.serve(c, class, nc)
}

// serve serves a connection until it breaks.
func (p *Peer) serve(c *conn, class Class, nc net.Conn) {
	if !c.stopped() {
		p.report(Connected, class, nil)
	}
	hello := p.hello.Load()
	c.share = p.e.memory.share(p.ID)
	defer c.share.leave()
	err := c.run(nc, true, func(f frame) { p.e.dispatch(c, hello, f) })
	p.report(Broken, class, err)
	if class == Control && !errors.Is(err, ErrClosed) {
		// Whether the process is gone is known soonest by dialling it again.
		_, _ = p.conn(class)
	}
}

// dial makes a connection, after a pause if the last ones failed.
func (p *Peer) dial(c *conn, class Class, fails int) (net.Conn, error) {
	if fails > 0 {
		pause := time.NewTimer(backoff(fails))
		defer pause.Stop()
		select {
		case <-pause.C:
		case <-c.end:
			return nil, c.err
		}
	}
	ctx, cancel := context.WithTimeout(p.e.ctx, introduceTimeout)
	defer cancel()
	nc, peer, err := p.e.dial(ctx, p.Addr, class, p.ID)
	if err == nil {
		p.hello.Store(peer)
	}
	return nc, err
}

// backoff returns a pause of some randomness, lest all members dial at once.
func backoff(fails int) time.Duration {
	pause := min(shortPause<<min(fails-1, 8), longPause)
	return pause*3/4 + rand.N(pause/2)
}

func (p *Peer) report(kind EventKind, class Class, err error) {
	if !errors.Is(err, ErrClosed) {
		p.e.report(Event{Kind: kind, ID: p.ID, Addr: p.Addr, Class: class, Err: err})
	}
}

// forget breaks the connections, and lets no others be made.
func (p *Peer) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone = true
	for _, l := range p.lines {
		if l.c != nil {
			l.c.stop(ErrClosed)
		}
	}
}
