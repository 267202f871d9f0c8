package memcached

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/bradfitz/gomemcache/memcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// A lane is a gomemcache client with one connection, which one call uses at a time.
// gomemcache takes no context and does not tell whether a request was sent before it
// failed; with the connection in hand, both are known.
type lane struct {
	server *server
	conn   *conn
	client *memcache.Client
	broken bool // the connection must not be used again

	cut    func()        // ends the connection, once
	wasCut chan struct{} // closed when cut is done
}

func newLane(s *server, c *conn) *lane {
	l := &lane{server: s, conn: c, client: memcache.NewFromSelector(s), wasCut: make(chan struct{})}
	l.cut = func() {
		c.hangUp()
		close(l.wasCut)
	}
	l.client.Timeout = s.opts.RequestTimeout
	l.client.DialContext = func(context.Context, string, string) (net.Conn, error) { return c, nil }
	return l
}

// read makes a request that changes no record. The error is nil, an answer such as
// memcache.ErrCacheMiss, or one of package driver.
func (l *lane) read(ctx context.Context, request func(*memcache.Client) error) error {
	return l.exchange(ctx, false, request)
}

// write makes a request that changes a record.
func (l *lane) write(ctx context.Context, request func(*memcache.Client) error) error {
	return l.exchange(ctx, true, request)
}

func (l *lane) exchange(ctx context.Context, writes bool, request func(*memcache.Client) error) error {
	if err := ctx.Err(); err != nil {
		return l.server.unavailable(ctx, err)
	}
	l.conn.sent = false
	err := request(l.client)
	if err == nil || isAnswer(err) {
		l.server.answered()
		return err
	}
	if cause := noRoom(err); cause != nil {
		l.server.answered()
		return fmt.Errorf("%w: memcached %s", cause, l.server.addr)
	}
	l.broken = true
	if err = withoutContents(err); errors.Is(err, errRefused) {
		l.server.answered()
	} else {
		l.server.failed(ctx, err)
	}
	if !writes || !l.conn.sent || errors.Is(err, errRefused) {
		return l.server.unavailable(ctx, err)
	}
	if cause := ended(ctx); cause != nil {
		err = cause
	}
	return fmt.Errorf("%w: memcached %s did not acknowledge a write: %w", driver.ErrIndeterminate, l.server.addr, err)
}

// items are what a request found. The zero value is nothing.
type items struct {
	one  *memcache.Item // of a request for one key
	many map[string]*memcache.Item
}

// of returns the item of a key, or nil.
func (i items) of(key string) *memcache.Item {
	if i.one != nil && i.one.Key == key {
		return i.one
	}
	return i.many[key]
}

// get reads the items of those keys that have one, in one exchange.
func (l *lane) get(ctx context.Context, keys ...string) (found items, err error) {
	err = l.read(ctx, func(c *memcache.Client) (err error) {
		if len(keys) == 1 {
			found.one, err = c.Get(keys[0])
		} else {
			found.many, err = c.GetMulti(keys)
		}
		return err
	})
	if errors.Is(err, memcache.ErrCacheMiss) {
		err = nil
	}
	return found, err
}

func isAnswer(err error) bool {
	return errors.Is(err, memcache.ErrCacheMiss) || errors.Is(err, memcache.ErrNotStored) || errors.Is(err, memcache.ErrCASConflict)
}

// noRoom returns what it means that the server had no room for an item; nil for any
// other error. The connection is in order after it. gomemcache quotes the server's
// line.
func noRoom(err error) error {
	_, line, storing := strings.Cut(err.Error(), "unexpected response line from ")
	switch {
	case storing && strings.Contains(line, "SERVER_ERROR out of memory storing object"):
		return driver.ErrFull
	case storing && strings.Contains(line, "SERVER_ERROR object too large for cache"):
		return driver.ErrTooLarge
	}
	return nil
}

var (
	// errRefused: the server did not carry a request out, and said so.
	errRefused = errors.New("the server refuses the request")
	errNoSense = errors.New("the server's answer makes no sense")
)

// withoutContents passes on errors of the network. gomemcache's own quote the
// server's answer, which may hold a key or a value.
func withoutContents(err error) error {
	var network net.Error
	if errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	if text := err.Error(); strings.Contains(text, `"CLIENT_ERROR`) || strings.Contains(text, `"ERROR`) {
		return errRefused
	}
	return errNoSense
}
