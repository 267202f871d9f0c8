package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// A wireProvider is a driver for wireServer as it should be, but for its flaw.
type wireProvider struct {
	addr string
	flaw flaw

	mu    sync.Mutex
	idle  []*wireConn
	life  context.Context
	end   context.CancelFunc
	tasks sync.WaitGroup

	// For flaws:
	broken     atomic.Bool
	mortal     sync.Map
	unanswered chan struct{} // holds an element for each put that goes on in the background
}

type wireConn struct {
	net.Conn
	in  *json.Decoder
	out *json.Encoder
}

func newWireConn(c net.Conn) *wireConn {
	return &wireConn{c, json.NewDecoder(c), json.NewEncoder(c)}
}

func connectWire(ctx context.Context, addr string, f flaw) (*wireProvider, error) {
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	p := &wireProvider{addr: addr, flaw: f, life: life, end: end, unanswered: make(chan struct{}, 64)}
	if err := p.Ping(ctx); err != nil {
		end()
		return nil, err
	}
	p.tasks.Go(p.tidy)
	return p, nil
}

// tidy closes connections that nobody needs.
func (p *wireProvider) tidy() {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			p.hangUp(maxIdleWire)
		case <-p.life.Done():
			return
		}
	}
}

const maxIdleWire = 8

// hangUp closes unused connections but for so many.
func (p *wireProvider) hangUp(but int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.idle) > but {
		_ = p.idle[0].Close()
		p.idle = p.idle[1:]
	}
}

func (p *wireProvider) Ping(ctx context.Context) error {
	_, err := p.call(ctx, wireRequest{Op: "ping"})
	return err
}

func (p *wireProvider) OpenCache(_ context.Context, name string, _ driver.CacheOptions) (driver.Cache, error) {
	return &wireCache{p, name}, nil
}

func (p *wireProvider) Close(ctx context.Context) error {
	if p.is("close waits for a silent server") {
		_ = p.Ping(context.WithoutCancel(ctx))
	}
	if !p.is("close leaves a goroutine") {
		p.end()
		p.tasks.Wait()
	}
	if !p.is("close leaves connections") {
		p.hangUp(0)
	}
	return nil
}

// take returns an unused connection or makes one, and greets the server.
func (p *wireProvider) take(ctx context.Context) (*wireConn, error) {
	p.mu.Lock()
	if n := len(p.idle); n > 0 {
		defer p.mu.Unlock()
		c := p.idle[n-1]
		p.idle = p.idle[:n-1]
		return c, nil
	}
	p.mu.Unlock()
	if p.is("a context is ignored where it connects") {
		ctx = context.WithoutCancel(ctx)
	}
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", p.addr)
	if err != nil {
		return nil, err
	}
	c := newWireConn(raw)
	if err := c.exchange(ctx, wireRequest{Op: "hello"}, new(wireAnswer)); err != nil {
		_ = raw.Close()
		return nil, err
	}
	return c, nil
}

// exchange sends a request and waits for its answer, or the end of ctx, which breaks the
// connection.
func (c *wireConn) exchange(ctx context.Context, r wireRequest, a *wireAnswer) error {
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	err := c.out.Encode(r)
	if err == nil {
		err = c.in.Decode(a)
	}
	if !stop() && err == nil {
		err = ctx.Err()
	}
	return err
}

// changes reports whether a request changes something.
func (r wireRequest) changes() bool {
	switch r.Op {
	case "put", "delete", "swap", "exchange", "clear", "force":
		return true
	}
	return false
}

// call makes a request.
func (p *wireProvider) call(ctx context.Context, r wireRequest) (wireAnswer, error) {
	if err := ctx.Err(); err != nil {
		return wireAnswer{}, fmt.Errorf("%w: %w", driver.ErrUnavailable, err)
	}
	p.spoil(&r)
	c, err := p.take(ctx)
	if err != nil {
		return wireAnswer{}, p.explain(ctx, r, driver.ErrUnavailable, err)
	}
	var a wireAnswer
	if p.is("a connection is kept with an answer due") {
		err = p.giveUp(ctx, c, r, &a)
	} else if err = p.spoilExchange(ctx, c, r, &a); err != nil {
		_ = c.Close()
	}
	switch {
	case err == nil:
		p.keep(c)
		return a, nil
	case p.again(ctx, r):
		return p.call(ctx, r)
	case r.changes():
		return wireAnswer{}, p.explain(ctx, r, driver.ErrIndeterminate, err)
	}
	return wireAnswer{}, p.explain(ctx, r, driver.ErrUnavailable, err)
}

// keep puts a connection back.
func (p *wireProvider) keep(c *wireConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = append(p.idle, c)
}

// explain makes an error of what went wrong.
func (p *wireProvider) explain(ctx context.Context, r wireRequest, kind, err error) error {
	if cause := endOf(ctx); cause != nil { // the dialer is sometimes quicker than the context
		err = cause
	}
	return p.spoilError(ctx, r, kind, err)
}
