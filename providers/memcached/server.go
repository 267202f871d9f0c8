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
	gauge
	*pool
	calls sync.WaitGroup
}

func newServer(a address, index int, opts Options, suspect func()) *server {
	return &server{addr: a, picked: a, index: index, opts: opts, liveness: liveness{suspect: suspect},
		pool: newPool(opts.MaxConnections, opts.MaxIdleConnections)}
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
	if err := s.enter(ctx); err != nil {
		return nil, s.busy(err)
	}
	for {
		l, err := s.pop(&s.calls)
		if err != nil {
			s.leave()
			return nil, err
		}
		if l == nil {
			if l, err = s.connect(ctx); err == nil {
				return l, nil
			}
			s.calls.Done()
			if !errors.Is(err, errNoFurther) {
				s.leave()
				return nil, err
			}
			if s.withdraw() {
				if err := s.enter(ctx); err != nil {
					return nil, s.busy(err)
				}
			}
			continue
		}
		if l.conn.idle() {
			return l, nil
		}
		s.hangUp(l)
		s.calls.Done()
	}
}

// busy is the error of a call that has waited in vain for a connection.
func (s *server) busy(err error) error {
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("memcached %s: %w", s.addr, err)
	}
	why := "all connections are in use; raise maxConnections, or the server's -c"
	if o := s.outage.Load(); o != nil {
		why = o.why
	}
	return fmt.Errorf("%w: memcached %s: %s: %w", driver.ErrUnavailable, s.addr, why, err)
}

// giveBack keeps a connection for the next call if it is in order. open is false if
// it was closed because the call's context ended. A connection that broke otherwise
// takes the unused ones with it, since most likely they are broken too.
func (s *server) giveBack(l *lane, open bool) {
	broken := open && l.broken
	if !open || broken || !s.push(l) {
		s.hangUp(l)
	}
	if broken {
		s.hangUpUnused()
	}
	s.leave()
}

// Between two attempts to connect to a server that breaks connections off.
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

// errNoFurther: the server takes no further connection of this process, which has some.
var errNoFurther = errors.New("no further connection")

// connect opens a connection. A server that has as many as it takes accepts another one and
// breaks it off, or lets it wait. A call of a process that has others had better wait for one of
// those; one of a process that has none tries again, since that passes.
func (s *server) connect(ctx context.Context) (*lane, error) {
	timeout, others := s.opts.ConnectTimeout, s.connected()
	if others {
		timeout /= 4
	}
	bounded, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	c, err := dial(bounded, s.addr, s.opts)
	full := func() bool { return errors.Is(err, errCrowded) || s.limit.Load() > 0 && brokenOff(err) }
	if others && ended(ctx) == nil && (full() || ended(bounded) != nil) {
		return nil, errNoFurther
	}
	for pause := firstPause; full(); pause = min(2*pause, lastPause) {
		if pause == lastPause && !errors.Is(err, errCrowded) || !wait(bounded, pause) {
			break
		}
		c, err = dial(bounded, s.addr, s.opts)
	}
	if err != nil {
		if s.limit.Load() == 0 && ctx.Err() == nil && !errors.Is(err, errUnusable) && !errors.Is(err, errCrowded) {
			looking, cancel := context.WithTimeout(ctx, s.opts.ConnectTimeout)
			defer cancel()
			if why := misunderstood(looking, s.addr, s.opts.TLS != nil); why != nil {
				return nil, s.unavailable(ctx, why)
			}
		}
		if ctx.Err() == nil && bounded.Err() != nil && !errors.Is(err, errCrowded) {
			err = fmt.Errorf("no connection within %s", driver.FormatDuration(s.opts.ConnectTimeout))
		}
		s.failed(ctx, err)
		return nil, s.unavailable(ctx, err)
	}
	s.limit.Store(int64(c.limit))
	s.opened()
	s.observe(s.opts.Logger, s.addr, c.load)
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
