//go:build unix

package memcached

import "syscall"

// idle reports whether a connection that awaits no answer is usable: open and
// without anything to read. A server that was restarted has closed it, and
// whatever would be written to it is lost. On TLS connections whatever the server
// said unasked means that it closes the connection, too.
func (c *conn) idle() bool {
	if c.alive == nil {
		return true
	}
	// Unlike Read, Control does not mind that the deadline of the last request has
	// passed.
	return c.alive.Control(c.look) == nil && c.usable
}

// look is what idle does with the descriptor, which does not block.
func look(c *conn) func(fd uintptr) {
	return func(fd uintptr) {
		var b [1]byte
		_, err := syscall.Read(int(fd), b[:])
		c.usable = err == syscall.EAGAIN || err == syscall.EWOULDBLOCK
	}
}
