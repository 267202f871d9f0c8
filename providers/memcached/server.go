package memcached

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// A server is one memcached and the connections to it.
type server struct {
	addr   address
	picked net.Addr // addr, for gomemcache
	index  int      // in the provider's list
	opts   Options
	proven atomic.Bool  // it has passed the probe
	limit  atomic.Int64 // its item_size_max; 0: never connected

	liveness

	mu     sync.Mutex
	unused []*lane // the one used last comes last
	closed bool
	calls  sync.WaitGroup
}

var errClosed = errors.New("the provider is closed")

// call lets use make requests on one connection of its own. If ctx ends first, they
// fail at once.
func (s *server) call(ctx context.Context, use func(*lane) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l, err := s.take(ctx)
	if err != nil {
		return err
	}
	defer s.calls.Done()
	// The deadline bounds every read and write; only who may be cancelled is waited for.
	l.conn.until, _ = ctx.Deadline()
	stop := func() (open bool) { return true }
	if cancellation := driver.Cancellation(ctx); cancellation != nil {
		stop = context.AfterFunc(cancellation, l.cut)
	}
	if err = s.prove(ctx, l); err == nil {
		err = use(l)
	}
	open := stop()
	if !open {
		<-l.wasCut
	}
	s.giveBack(l, open && ended(ctx) == nil)
	return err
}

// ended returns the error of a context that has ended. Its timer may be a little late.
func ended(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if at, ok := ctx.Deadline(); ok && !time.Now().Before(at) {
		return context.DeadlineExceeded
	}
	return nil
}

// PickServer implements memcache.ServerSelector: a client talks to one server only.
func (s *server) PickServer(string) (net.Addr, error) { return s.picked, nil }

// Each implements memcache.ServerSelector.
func (s *server) Each(do func(net.Addr) error) error { return do(s.picked) }

// prove probes the server unless it has passed the probe before.
func (s *server) prove(ctx context.Context, l *lane) error {
	if s.proven.Load() {
		return nil
	}
	if err := probe(ctx, l, s.opts.Prefix); errors.Is(err, errUnusable) {
		s.failed(ctx, err)
		return s.unavailable(ctx, err)
	} else if err != nil {
		return err
	}
	s.proven.Store(true)
	return nil
}

// take returns an unused connection that is alive, or a new one. After a nil error
// the call counts as running.
func (s *server) take(ctx context.Context) (*lane, error) {
	for {
		l, err := s.pop()
		if err != nil {
			return nil, err
		}
		if l == nil {
			if l, err = s.connect(ctx); err != nil {
				s.calls.Done()
			}
			return l, err
		}
		if l.conn.idle() {
			return l, nil
		}
		l.conn.hangUp()
		s.calls.Done()
	}
}

func (s *server) pop() (*lane, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, fmt.Errorf("%w: %w", driver.ErrUnavailable, errClosed)
	}
	s.calls.Add(1)
	n := len(s.unused)
	if n == 0 {
		return nil, nil
	}
	l := s.unused[n-1]
	s.unused[n-1] = nil
	s.unused = s.unused[:n-1]
	return l, nil
}

// giveBack keeps a connection for the next call if it is in order. open is false if
// it was closed because the call's context ended. A connection that broke otherwise
// takes the unused ones with it, since most likely they are broken too.
func (s *server) giveBack(l *lane, open bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if open && !l.broken && !s.closed && len(s.unused) < s.opts.MaxIdleConnections {
		s.unused = append(s.unused, l)
		return
	}
	l.conn.hangUp()
	if open && l.broken {
		s.hangUpUnused()
	}
}

// hangUpUnused closes the connections that are not in use; s.mu is held.
func (s *server) hangUpUnused() {
	for _, l := range s.unused {
		l.conn.hangUp()
	}
	clear(s.unused)
	s.unused = s.unused[:0]
}

// Between two attempts to connect to a server that breaks connections off. In all it is
// given less than a tenth of a second.
const (
	firstPause = time.Millisecond
	lastPause  = 32 * time.Millisecond
)

// brokenOff reports whether a server has accepted a connection and ended it at once.
func brokenOff(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
}

// wait reports false if ctx ends first.
func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// connect opens a connection.
func (s *server) connect(ctx context.Context) (*lane, error) {
	bounded, cancel := context.WithTimeout(ctx, s.opts.ConnectTimeout)
	defer cancel()
	c, err := dial(bounded, s.addr, s.opts)
	// A server that has as many connections as it takes accepts another one and breaks
	// it off. That passes.
	for pause := firstPause; s.limit.Load() > 0 && brokenOff(err) && pause <= lastPause && wait(bounded, pause); pause *= 2 {
		c, err = dial(bounded, s.addr, s.opts)
	}
	if err != nil {
		if s.limit.Load() == 0 && ctx.Err() == nil && !errors.Is(err, errUnusable) {
			looking, cancel := context.WithTimeout(ctx, s.opts.ConnectTimeout)
			defer cancel()
			if why := misunderstood(looking, s.addr, s.opts.TLS != nil); why != nil {
				return nil, s.unavailable(ctx, why)
			}
		}
		if ctx.Err() == nil && bounded.Err() != nil {
			err = fmt.Errorf("no connection within %s", driver.FormatDuration(s.opts.ConnectTimeout))
		}
		s.failed(ctx, err)
		return nil, s.unavailable(ctx, err)
	}
	s.limit.Store(int64(c.limit))
	return newLane(s, c), nil
}

// unavailable is the error of a call that changed nothing. That the caller gave up is
// no fault of the server's, and what is wrong with the server may not pass.
func (s *server) unavailable(ctx context.Context, err error) error {
	if cause := ended(ctx); cause != nil {
		err = cause
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, errUnusable) {
		return fmt.Errorf("memcached %s: %w", s.addr, err)
	}
	return fmt.Errorf("%w: memcached %s: %w", driver.ErrUnavailable, s.addr, err)
}

// close hangs up, and lets no further call begin.
func (s *server) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.hangUpUnused()
}
