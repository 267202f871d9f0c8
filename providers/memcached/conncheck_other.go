//go:build !unix

package memcached

// idle cannot tell here; the first request on a connection that the server has
// closed fails, and takes the server's other unused connections with it.
func (c *conn) idle() bool { return true }

func look(*conn) func(fd uintptr) { return nil }
