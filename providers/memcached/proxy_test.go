package memcached_test

import (
	"bytes"
	"net"
	"sync"
	"testing"
)

// A proxy stands before a real server and meddles with what passes. Clients send a
// request in one piece, if it is small, and then wait for the answer.
type proxy struct {
	addr    string
	backend string

	mu       sync.Mutex
	rules    []rule
	requests int
	gate     chan struct{} // answers wait until it is closed; nil: they do not
	held     int           // answers that wait, or have waited
	open     []net.Conn
	breakOff int // how many connections are closed as soon as they are accepted
}

// cut closes the connections, and the next ones as soon as they are accepted.
func (p *proxy) cut(next int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.open {
		_ = c.Close()
	}
	p.open, p.breakOff = nil, next
}

// enter keeps a connection unless it is to be broken off.
func (p *proxy) enter(c, b net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.breakOff > 0 {
		p.breakOff--
		_, _ = c.Close(), b.Close()
		return false
	}
	p.open = append(p.open, c, b)
	return true
}

// A rule applies to requests that begin with begin and contain has.
type rule struct {
	begin, has string
	answer     string // instead of passing the request on; empty: pass it on and lose the answer
}

func newProxy(t *testing.T, backend string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{addr: l.Addr().String(), backend: backend}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			b, err := net.Dial("tcp", backend)
			if err != nil {
				_ = c.Close()
				continue
			}
			if !p.enter(c, b) {
				continue
			}
			wg.Go(func() { p.pump(b, c, p.meddle) })
			wg.Go(func() { p.pump(c, b, p.hold) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		p.cut(0)
		wg.Wait()
	})
	return p
}

func (p *proxy) answer(begin, has, answer string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules = append(p.rules, rule{begin, has, answer})
}

// only answers requests of one kind itself and passes on all others; empty: it passes
// on all.
func (p *proxy) only(begin, answer string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules = nil
	if answer != "" {
		p.rules = []rule{{begin, "", answer}}
	}
}

// loseAnswer breaks the connection once, after the next request of a kind was passed on.
func (p *proxy) loseAnswer(begin string) { p.answer(begin, "", "") }

// holdAnswers keeps answers back. waiting returns how many there are.
func (p *proxy) holdAnswers() (waiting func() int, release func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	gate := make(chan struct{})
	p.gate, p.held = gate, 0
	waiting = func() int {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.held
	}
	return waiting, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.gate = nil
		close(gate)
	}
}

func (p *proxy) hold(net.Conn, []byte) (pass, lose bool) {
	p.mu.Lock()
	gate := p.gate
	if gate != nil {
		p.held++
	}
	p.mu.Unlock()
	if gate != nil {
		<-gate
	}
	return true, false
}

// sent returns the number of requests so far.
func (p *proxy) sent() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.requests
}

// pump passes on what inspect lets pass, until it says that the answer is to be lost.
func (p *proxy) pump(to, from net.Conn, inspect func(from net.Conn, b []byte) (pass, lose bool)) {
	defer to.Close()   //nolint:errcheck // the other side learns of it
	defer from.Close() //nolint:errcheck // the other side learns of it
	b := make([]byte, 64<<10)
	for {
		n, err := from.Read(b)
		if err != nil {
			return
		}
		pass, lose := inspect(from, b[:n])
		if lose {
			_ = from.Close()
		}
		if pass {
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
		}
		if lose {
			_, _ = to.Read(b) // the server has done it
			return
		}
	}
}

func (p *proxy) meddle(from net.Conn, b []byte) (pass, lose bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests++
	for i, r := range p.rules {
		if !bytes.HasPrefix(b, []byte(r.begin)) || !bytes.Contains(b, []byte(r.has)) {
			continue
		}
		if r.answer == "" {
			p.rules = append(p.rules[:i:i], p.rules[i+1:]...)
			return true, true
		}
		_, _ = from.Write([]byte(r.answer))
		return false, false
	}
	return true, false
}
