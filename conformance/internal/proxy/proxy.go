// Package proxy stands between a client and a server, on TCP, and breaks what passes. It
// understands nothing of it: a request is what a client sends in one piece.
package proxy

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"
)

// A Fault is something that happens in a network.
type Fault uint8

// The faults. The first ones meet the connection that sends a certain request, once; the
// others meet all connections, until Heal.
const (
	None Fault = iota
	// LoseRequest: the request is lost, and the connection breaks.
	LoseRequest
	// LoseAnswer: the request arrives. Once the server answers, the connection breaks,
	// and the answer is lost.
	LoseAnswer
	// CutAnswer: the request arrives, half of the answer comes back, and the
	// connection breaks.
	CutAnswer
	// HalfClose: the request arrives. Instead of the answer the client meets the end of
	// the stream, and may go on sending.
	HalfClose
	// Mute: the request arrives, and no answer to it or to later ones ever comes back.
	Mute

	// Refuse: connections break, and new ones are refused.
	Refuse
	// Stall: nothing passes. New connections are taken and wait. At Heal all that was
	// sent arrives, even if who sent it has hung up.
	Stall
	// StallNew: connections break, and new ones stall.
	StallNew
	// Delay: answers come a little later, and in small pieces.
	Delay
)

// String names the fault in a report.
func (f Fault) String() string {
	return [...]string{
		"no fault", "a lost request", "a lost answer", "half an answer", "an answer that is the end of the stream", "an answer that never comes",
		"refused connections", "a stalled connection", "a connection that stalls from its beginning", "slow answers in pieces",
	}[f]
}

// Lasts reports whether the fault lasts until Heal.
func (f Fault) Lasts() bool { return f >= Refuse }

// A Proxy passes everything on, but for the faults that it is told.
type Proxy struct {
	addr, server string
	running      sync.WaitGroup

	mu       sync.Mutex
	listener net.Listener // nil while connections are refused
	links    map[*link]bool
	taken    int           // connections until now
	lasting  Fault         // or None
	gate     chan struct{} // closed at the end of a stall; nil: there is none
	next     *strike       // or nil
	struck   bool
	closed   bool
}

// A strike is a fault that waits for its request.
type strike struct {
	fault Fault
	after int // requests that pass before
	done  func()
}

// Start puts a proxy before the server at an address, host:port.
func Start(server string) (*Proxy, error) {
	p := &Proxy{server: server, links: make(map[*link]bool)}
	l, err := listen("127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p.addr = l.Addr().String()
	p.accept(l)
	return p, nil
}

func listen(addr string) (net.Listener, error) {
	return new(net.ListenConfig).Listen(context.Background(), "tcp", addr)
}

// Addr is where clients reach the server through the proxy.
func (p *Proxy) Addr() string { return p.addr }

// Open returns the number of connections that clients have not closed.
func (p *Proxy) Open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for l := range p.links {
		if !l.hungUp {
			n++
		}
	}
	return n
}

// Taken returns the number of connections that clients have ever made.
func (p *Proxy) Taken() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.taken
}

// Begin begins a fault. One that meets a request lets so many pass before; done, unless
// it is nil, is called when it has struck: after the server has answered, where the
// request arrives, and before the client can know.
func (p *Proxy) Begin(f Fault, after int, done func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !f.Lasts() {
		p.next, p.struck = &strike{f, after, done}, false
		return
	}
	p.lasting, p.struck = f, true
	switch f {
	case Refuse:
		_ = p.listener.Close()
		p.listener = nil
		p.breakAll()
	case StallNew:
		p.breakAll()
		p.gate = make(chan struct{})
	case Stall:
		p.gate = make(chan struct{})
	}
}

// Struck reports whether the last fault that was begun has met anybody.
func (p *Proxy) Struck() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.struck
}

// Heal ends all faults. A connection that lost an answer stays broken.
func (p *Proxy) Heal() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next, p.lasting = nil, None
	if p.gate != nil {
		close(p.gate)
		p.gate = nil
	}
	for l := range p.links {
		if l.strike != nil && !l.met { // its request needed no answer
			l.strike = nil
		}
	}
	if p.listener != nil || p.closed {
		return nil
	}
	// Somebody may have the port for a moment, as that of a connection.
	for end := time.Now().Add(5 * time.Second); ; {
		l, err := listen(p.addr)
		if err == nil {
			p.accept(l)
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("the proxy cannot listen again: %w", err)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// Close breaks every connection and waits until all is over.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	if p.listener != nil {
		_ = p.listener.Close()
	}
	p.breakAll()
	if p.gate != nil {
		close(p.gate)
		p.gate = nil
	}
	p.mu.Unlock()
	p.running.Wait()
}

// breakAll breaks every connection; p.mu is held.
func (p *Proxy) breakAll() {
	for l := range p.links {
		l.cut()
	}
}

// accept takes connections until the listener is closed.
func (p *Proxy) accept(l net.Listener) {
	p.listener = l
	p.running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.take(c.(*net.TCPConn))
		}
	})
}

func (p *Proxy) take(client *net.TCPConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.listener == nil {
		_ = client.Close()
		return
	}
	p.taken++
	l := &link{proxy: p, client: client, ready: make(chan struct{})}
	p.links[l] = true
	p.running.Go(l.serve)
}

// passage waits while connections stall. It returns false when the proxy ends.
func (p *Proxy) passage() bool {
	for {
		p.mu.Lock()
		gate, closed := p.gate, p.closed
		p.mu.Unlock()
		if gate == nil {
			return !closed
		}
		<-gate
	}
}

// request returns what strikes a request, or nil.
func (p *Proxy) request() *strike {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.next
	if s == nil {
		return nil
	}
	if s.after > 0 {
		s.after--
		return nil
	}
	p.next, p.struck = nil, true
	return s
}

func (p *Proxy) slow() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lasting == Delay
}
