package wire

import "net"

// A flow is a connection that carries its user's bytes. The endpoint closes it if the
// user did not.
type flow struct {
	net.Conn
	e *Endpoint
}

// flow lets the endpoint know of a connection. If it is closed, so is the connection.
func (e *Endpoint) flow(nc net.Conn) (*flow, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		_ = nc.Close() // nobody used it yet
		return nil, ErrClosed
	}
	f := &flow{Conn: nc, e: e}
	e.flows[f] = struct{}{}
	return f, nil
}

// Close implements net.Conn.
func (f *flow) Close() error {
	f.e.mu.Lock()
	delete(f.e.flows, f)
	f.e.mu.Unlock()
	return f.Conn.Close()
}

// open gives a stream that a peer opened to its handler.
func (e *Endpoint) open(nc net.Conn, peer *Hello) {
	h := e.streams.Load()
	if h == nil {
		_ = nc.Close() // nobody wants it
		return
	}
	if f, err := e.flow(nc); err == nil {
		(*h)(f, peer)
	}
}
