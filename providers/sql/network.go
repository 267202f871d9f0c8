package sql

import (
	"context"
	"net"
	"sync"
	"time"
)

// A network makes connections and can end all of them: clients go on for seconds with what was
// given up.
type network struct {
	timeout time.Duration

	mu     sync.Mutex
	open   map[*connection]bool
	closed bool
}

type connection struct {
	net.Conn
	network *network
}

func (n *network) dial(ctx context.Context, kind, addr string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: n.timeout}
	raw, err := dialer.DialContext(ctx, kind, addr)
	if err != nil {
		return nil, err
	}
	c := &connection{raw, n}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		_ = raw.Close()
		return nil, net.ErrClosed
	}
	if n.open == nil {
		n.open = make(map[*connection]bool)
	}
	n.open[c] = true
	return c, nil
}

// Close implements net.Conn.
func (c *connection) Close() error {
	c.network.mu.Lock()
	delete(c.network.open, c)
	c.network.mu.Unlock()
	return c.Conn.Close()
}

// close ends every connection, and lets none be made any more.
func (n *network) close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = true
	for c := range n.open {
		_ = c.Conn.Close()
	}
}
