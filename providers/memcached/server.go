package memcached

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// A server is one memcached and the connections to it.
type server struct {
	addr   address
	index  int // in the provider's list
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
	stop := closeAfter(ctx, l.conn.raw)
	if err = s.prove(ctx, l); err == nil {
		err = use(l)
	}
	s.giveBack(l, stop())
	return err
}

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

// connect opens a connection.
func (s *server) connect(ctx context.Context) (*lane, error) {
	bounded, cancel := context.WithTimeout(ctx, s.opts.ConnectTimeout)
	defer cancel()
	c, err := dial(bounded, s.addr, s.opts)
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
	if cause := ctx.Err(); cause != nil {
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
