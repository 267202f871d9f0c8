package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// clientOptions is how the client is made. It sends everything on one connection, which all callers
// share, and repeats nothing by itself.
func (p *Provider) clientOptions() rueidis.ClientOption {
	dialer := net.Dialer{Timeout: p.opts.ConnectTimeout, KeepAlive: silence}
	options := rueidis.ClientOption{
		InitAddress:       p.opts.Servers,
		Username:          p.opts.User,
		Password:          p.opts.Password,
		SelectDB:          p.opts.Database,
		TLSConfig:         p.opts.TLS,
		ClientName:        "keepsake",
		ClientSetInfo:     rueidis.DisableClientSetInfo,
		DialCtxFn:         p.dial,
		Dialer:            dialer,
		ConnWriteTimeout:  p.opts.RequestTimeout,
		DisableRetry:      true,
		DisableCache:      true,
		AlwaysPipelining:  true, // so that a connection that was closed is noticed before it is used
		PipelineMultiplex: -1,   // so that none is made later, while callers wait
		BlockingPoolSize:  durableWidth,
	}
	if p.opts.MasterName != "" {
		options.Sentinel = rueidis.SentinelOption{
			MasterSet: p.opts.MasterName, Username: p.opts.SentinelUser, Password: p.opts.SentinelPassword,
			TLSConfig: p.opts.TLS, Dialer: dialer,
			TopologyRefreshInterval: sentinelsEvery,
		}
	}
	return options
}

// sentinelsEvery is how often the Sentinels are asked who the primary is, should what they tell of a
// change be lost.
const sentinelsEvery = time.Second

// silence is after what time without an answer the client asks on a connection whether the server is there.
const silence = time.Second

// A link knows when its connections were in trouble last. While one is being made, or is so full
// of requests without an answer that it takes no more, the client makes callers wait without
// regard to their contexts.
type link struct {
	start    time.Time
	within   time.Duration // how long that can last
	troubled atomic.Int64  // since start, when a connection was begun, has ended, or did not answer last
}

func (l *link) stir() { l.troubled.Store(int64(time.Since(l.start))) }

// calm notes that a call was answered which began after the trouble.
func (l *link) calm(begun time.Time) {
	if last := l.troubled.Load(); last < int64(begun.Sub(l.start)) {
		l.troubled.CompareAndSwap(last, -int64(l.within))
	}
}

// settled reports whether callers need not fear that they wait.
func (l *link) settled(now time.Time) bool {
	return now.Sub(l.start)-time.Duration(l.troubled.Load()) > l.within
}

// A conn tells its provider when it ends.
type conn struct {
	net.Conn
	provider *Provider
	closed   atomic.Bool
}

func (c *conn) Close() error {
	c.provider.link.stir()
	if c.closed.CompareAndSwap(false, true) {
		c.provider.counters.connections.Add(-1)
	}
	return c.Conn.Close()
}

// A dialError is one of connecting: nothing was sent.
type dialError struct{ err error }

func (e *dialError) Error() string { return "no connection: " + e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }

// dial connects to an address.
func (p *Provider) dial(ctx context.Context, addr string, d *net.Dialer, config *tls.Config) (net.Conn, error) {
	p.link.stir()
	ctx, cancel := context.WithTimeout(ctx, p.opts.ConnectTimeout)
	defer cancel()
	network, address := network(addr)
	c, err := d.DialContext(ctx, network, address)
	if err == nil && config != nil {
		c, err = secure(ctx, c, address, config)
	}
	if err != nil {
		p.counters.failed.Add(1)
		return nil, &dialError{err}
	}
	p.counters.opened.Add(1)
	p.counters.connections.Add(1)
	return &conn{Conn: c, provider: p}, nil
}

// secure makes a TLS connection of one.
func secure(ctx context.Context, c net.Conn, address string, config *tls.Config) (net.Conn, error) {
	if config.ServerName == "" {
		config = config.Clone()
		config.ServerName, _, _ = net.SplitHostPort(address) // of a socket there is none
	}
	t := tls.Client(c, config)
	if err := t.HandshakeContext(ctx); err != nil {
		_ = c.Close() // err says what is wrong
		return nil, err
	}
	return t, nil
}

// errSilent: a connection was given up by its own clock.
var errSilent = errors.New("no answer in time")

// failure maps the error of a call without an answer. sent says that a write may have been sent.
func failure(ctx context.Context, err error, sent bool) error {
	sent = sent && !isDialling(err) && !errors.Is(err, rueidis.ErrNoSlot)
	condition := driver.ErrUnavailable
	if sent {
		condition = driver.ErrIndeterminate
	}
	if ended := ended(ctx); ended != nil {
		if !sent && errors.Is(ended, context.Canceled) {
			return ended // that the caller gave up is no fault of the server's
		}
		return fmt.Errorf("%w: %w", condition, ended)
	}
	var unknown *tls.CertificateVerificationError
	switch {
	case errors.As(err, &unknown):
		return fmt.Errorf("%w: the server's certificate: %w", driver.ErrMisconfigured, unknown.Err)
	case strings.HasPrefix(err.Error(), "received unknown message type"):
		return errOther
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return fmt.Errorf("%w: %w", condition, errSilent) // it was another caller's context, or a connection's
	}
	return fmt.Errorf("%w: %w", condition, err)
}

// errOther: what the client library cannot read, it has no error of its own for.
var errOther = fmt.Errorf("%w: the server does not speak Redis's protocol", driver.ErrMisconfigured)

// ended returns the error of a context that has ended, even if it does not know yet that its
// deadline has passed.
func ended(ctx context.Context) error { return endedAt(ctx, time.Now()) }

func endedAt(ctx context.Context, now time.Time) error {
	deadline, ok := ctx.Deadline()
	if b, bounded := ctx.(driver.Bounded); bounded { // it would ask for the time, too
		ctx = b.Unbounded()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if ok && !now.Before(deadline) {
		return context.DeadlineExceeded
	}
	return nil
}
