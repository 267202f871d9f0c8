package memcached

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"time"

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
	lines  *bufio.Reader // of meta; nil until it is used
	broken bool          // the connection must not be used again
	used   time.Time     // since when it is not in use

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
	if err = meaning(err); errors.Is(err, driver.ErrFull) || errors.Is(err, driver.ErrTooLarge) {
		l.server.answered()
		return fmt.Errorf("%w: memcached %s", err, l.server.addr)
	}
	l.broken = true
	if errors.Is(err, errRefused) {
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
