package memcached

import (
	"net"
	"syscall"
	"time"
)

// A conn is a connection that has been greeted. gomemcache reads and writes through
// it but does not decide when it ends: it would also close connections that an error
// has left in order.
type conn struct {
	net.Conn // TLS if that is on

	raw    net.Conn         // what is below it
	alive  syscall.RawConn  // of raw, for idle; nil if that cannot be done
	look   func(fd uintptr) // what idle does, and
	usable bool             // what it found
	traits

	until time.Time // when the call that uses the connection ends; zero: never
	sent  bool      // something was written since the lane last cleared it
}

func newConn(raw net.Conn) *conn {
	c := &conn{Conn: raw, raw: raw}
	if sc, ok := raw.(syscall.Conn); ok {
		c.alive, _ = sc.SyscallConn() // nil if that fails
	}
	c.look = look(c)
	return c
}

// SetDeadline implements net.Conn for gomemcache, which knows the time of a request but not
// that of a call.
func (c *conn) SetDeadline(t time.Time) error {
	if !c.until.IsZero() && c.until.Before(t) {
		t = c.until
	}
	return c.Conn.SetDeadline(t)
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
