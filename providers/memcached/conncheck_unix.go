//go:build unix

package memcached

import "syscall"

// idle reports whether a connection that awaits no answer is usable: open and
// without anything to read. A server that was restarted has closed it, and
// whatever would be written to it is lost. On TLS connections whatever the server
// said unasked is a farewell too.
func (c *conn) idle() bool {
	sc, ok := c.raw.(syscall.Conn)
	if !ok {
		return true
	}
	rc, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	usable := false
	// Unlike rc.Read, Control does not mind that the deadline of the last
	// request has passed. The descriptor does not block.
	err = rc.Control(func(fd uintptr) {
		var b [1]byte
		_, err := syscall.Read(int(fd), b[:])
		usable = err == syscall.EAGAIN || err == syscall.EWOULDBLOCK
	})
	return err == nil && usable
}
