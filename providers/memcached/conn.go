package memcached

import (
	"net"
	"time"
)

// A conn is a connection that has been greeted. gomemcache reads and writes through
// it but does not decide when it ends: it would also close connections that an error
// has left in order.
type conn struct {
	net.Conn // TLS if that is on

	raw    net.Conn  // what is below it
	dialed time.Time // a moment after the connection was made
	limit  int       // the server's item_size_max

	sent bool // something was written since the lane last cleared it
}

// Write implements net.Conn.
func (c *conn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.sent = c.sent || n > 0
	return n, err
}

// Close implements net.Conn for gomemcache: it leaves the connection open.
func (c *conn) Close() error { return nil }

// hangUp ends the connection without ceremony. A request in progress fails at once.
func (c *conn) hangUp() {
	_ = c.raw.Close() // there is nothing to lose on it
}
