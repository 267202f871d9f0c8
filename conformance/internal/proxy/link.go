package proxy

import (
	"net"
	"time"
)

// A link is a connection of a client and the one to the server that belongs to it.
type link struct {
	proxy  *Proxy
	client *net.TCPConn
	server *net.TCPConn  // once ready is closed; nil if there is none
	ready  chan struct{} // closed when server is known

	// Guarded by proxy.mu:
	hungUp bool    // the client has closed the connection
	broken bool    // both connections are closed
	strike *strike // what meets the next answer, and those after it
	met    bool    // it has met one
}

const (
	bufferSize = 64 << 10
	// lingering is how long a server may answer somebody who has hung up.
	lingering = time.Second
	// slowness is how long each piece of an answer takes under Delay.
	slowness = 3 * time.Millisecond
)

// serve passes everything on in both directions until one side ends.
func (l *link) serve() {
	p := l.proxy
	p.running.Go(l.up) // it takes what is sent while new connections stall
	if p.passage() {
		if c, err := net.DialTimeout("tcp", p.server, 5*time.Second); err == nil {
			p.mu.Lock()
			l.server = c.(*net.TCPConn)
			if l.broken {
				_ = c.Close()
			}
			p.mu.Unlock()
		}
	}
	close(l.ready)
	if l.server != nil {
		l.down()
	}
	p.mu.Lock()
	l.cut()
	delete(p.links, l)
	p.mu.Unlock()
}

// cut closes both connections; proxy.mu is held.
func (l *link) cut() {
	l.broken = true
	_ = l.client.Close()
	if l.server != nil {
		_ = l.server.Close()
	}
}

// up passes requests.
func (l *link) up() {
	p := l.proxy
	buffer := make([]byte, bufferSize)
	for {
		n, err := l.client.Read(buffer)
		if n > 0 && !l.pass(buffer[:n]) {
			p.mu.Lock()
			l.cut()
			p.mu.Unlock()
			err = net.ErrClosed
		}
		if err != nil {
			break
		}
	}
	p.mu.Lock()
	l.hungUp = true
	p.mu.Unlock()
	<-l.ready
	if l.server != nil { // it gets what is under way
		_ = l.server.CloseWrite()
		_ = l.server.SetReadDeadline(time.Now().Add(lingering))
	}
}

// pass passes a request on, or returns false if it is lost.
func (l *link) pass(request []byte) bool {
	p := l.proxy
	s := p.request()
	if s != nil && s.fault == LoseRequest {
		s.call()
		return false
	}
	if s != nil {
		p.mu.Lock()
		l.strike = s
		p.mu.Unlock()
	}
	<-l.ready
	if l.server == nil || !p.passage() {
		return false
	}
	_, err := l.server.Write(request)
	return err == nil
}

// down passes answers.
func (l *link) down() {
	p := l.proxy
	buffer := make([]byte, bufferSize)
	for {
		n, err := l.server.Read(buffer)
		if n > 0 && (!p.passage() || !l.answer(buffer[:n])) || err != nil {
			return
		}
	}
}

// answer passes an answer on, or what is left of it. It returns false at the end of the
// connection.
func (l *link) answer(answer []byte) bool {
	p := l.proxy
	p.mu.Lock()
	s, first := l.strike, !l.met
	l.met = l.met || s != nil
	p.mu.Unlock()
	if s == nil {
		return l.write(answer)
	}
	if first {
		s.call()
	}
	switch s.fault {
	case CutAnswer:
		_, _ = l.client.Write(answer[:len(answer)/2]) // it breaks anyway
		return false
	case HalfClose:
		_ = l.client.CloseWrite()
		return true
	case Mute:
		return true
	}
	return false
}

// write writes an answer, at once or slowly.
func (l *link) write(answer []byte) bool {
	if !l.proxy.slow() {
		_, err := l.client.Write(answer)
		return err == nil
	}
	for size := 1; len(answer) > 0; size *= 8 {
		piece := answer[:min(size, len(answer))]
		<-time.After(slowness)
		if _, err := l.client.Write(piece); err != nil {
			return false
		}
		answer = answer[len(piece):]
	}
	return true
}

// call tells whoever began the fault that it has struck.
func (s *strike) call() {
	if s.done != nil {
		s.done()
	}
}
