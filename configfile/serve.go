package configfile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
)

// Serve serves HTTP as a member of a fleet should, and closes the system at the end. It
// returns nil when the process was asked to end, and did so without a loss.
//
// It opens the port when another process of the fleet may be restarted, so that whoever
// restarts them in turn takes the next one as soon as this one answers: when operations are
// carried out as configured and all copies are made. A member that is alone opens it, too,
// if nobody listens where others were to be, or after half a minute. HealthHandler goes on
// saying that this is not safe. Nor is a provider waited for that the system has started without, as whenDown: start
// asks for; HealthHandler says that this is not ready.
//
// It ends when ctx does, or at the first SIGTERM or interrupt: it is not ready any more,
// serves on for Shutdown.Delay so that balancers notice, lets requests in progress end
// within Shutdown.DrainTimeout, hands its entries over within what the providers allow, and
// closes everything. A second signal ends it at once. All bounds are in the log line with
// which it begins.
//
// The server's Addr is listened on; TLS is served if its TLSConfig is set. Its BaseContext
// is called with the listener when the port is open.
func (s *System) Serve(ctx context.Context, server *http.Server) error {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	serving, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	ended := make(chan struct{})
	defer close(ended)
	atOnce, endNow := context.WithCancelCause(context.WithoutCancel(ctx))
	defer endNow(nil)
	go func() {
		for n := 0; ; n++ {
			select {
			case which := <-signals:
				if n == 0 {
					stop(fmt.Errorf("the signal %v", which))
				} else {
					endNow(fmt.Errorf("a second signal, %v", which))
				}
			case <-ended:
				return
			}
		}
	}()

	err := s.serve(serving, atOnce, server)
	return errors.Join(err, s.end(atOnce))
}

// serve serves until ctx ends, and then lets requests end, but not beyond atOnce.
func (s *System) serve(ctx, atOnce context.Context, server *http.Server) error {
	if err := s.awaitCopies(ctx, server.Addr); err != nil {
		if ctx.Err() != nil {
			return nil // it was asked to end before it had begun
		}
		return err
	}
	listener, err := listen(ctx, server)
	if err != nil {
		return err
	}
	slog.Info("keepsake: serving", "address", listener.Addr().String(), "safe", s.Health().Safe(), "delay", s.shutdown.Delay,
		"drainTimeout", s.shutdown.DrainTimeout, "leaveTimeout", s.leaveTimeout(), "endsWithin", s.timeToEnd())
	failed := make(chan error, 1)
	go func() {
		if server.TLSConfig != nil {
			failed <- server.ServeTLS(listener, "", "")
		} else {
			failed <- server.Serve(listener)
		}
	}()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	s.beginEnd(context.Cause(ctx))
	if err := s.drain(atOnce, server); err != nil {
		slog.Warn("keepsake: requests were cut off", "error", err)
	}
	<-failed // http.ErrServerClosed
	return nil
}

// awaitCopies waits until operations are carried out as configured and no copies are being
// made, and says now and then what it waits for.
func (s *System) awaitCopies(ctx context.Context, addr string) error {
	// An address that is taken is known before anything is waited for.
	probe, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	if err := probe.Close(); err != nil {
		return err
	}
	tick := time.NewTicker(waitPoll)
	defer tick.Stop()
	for next := time.Now().Add(waitSilent); ; {
		h := s.healthOf((*jcache.CacheManager).Reached)
		if h.Ready() && len(h.Pending) == 0 {
			return nil
		}
		if time.Now().After(next) {
			slog.Warn("keepsake: not serving yet", "address", addr, "why", strings.Join(h.Reasons(), "; "))
			next = time.Now().Add(waitSay)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

const (
	waitPoll = 10 * time.Millisecond
	// waitSilent is after what time it is worth a line that the port is not open, and
	// waitSay after what time another one.
	waitSilent = 3 * time.Second
	waitSay    = 10 * time.Second
)

func listen(ctx context.Context, server *http.Server) (net.Listener, error) {
	addr := server.Addr
	if addr == "" && server.TLSConfig != nil {
		addr = ":https"
	} else if addr == "" {
		addr = ":http"
	}
	return new(net.ListenConfig).Listen(ctx, "tcp", addr)
}

// beginEnd says that the system ends, once.
func (s *System) beginEnd(why error) {
	if s.stopping.Swap(true) {
		return
	}
	slog.Info("keepsake: ending", "why", why, "delay", s.shutdown.Delay, "drainTimeout", s.shutdown.DrainTimeout,
		"leaveTimeout", s.leaveTimeout(), "endsWithin", s.timeToEnd())
}

// drain serves on for a moment, and then until the requests in progress have ended.
func (s *System) drain(atOnce context.Context, server *http.Server) error {
	delay := time.NewTimer(s.shutdown.Delay)
	defer delay.Stop()
	select {
	case <-delay.C:
	case <-atOnce.Done():
	}
	draining, cancel := context.WithTimeout(atOnce, s.shutdown.DrainTimeout)
	defer cancel()
	err := server.Shutdown(draining)
	if err != nil {
		_ = server.Close() // who is left has had time enough
	}
	return err
}

// end closes the system, within what is left of its bounds.
func (s *System) end(atOnce context.Context) error {
	s.stopping.Store(true)
	began := time.Now()
	leave := s.leaveTimeout()
	bounded, cancel := context.WithTimeout(atOnce, leave+closeMargin)
	defer cancel()
	err := s.closeWithin(bounded)
	switch {
	case atOnce.Err() != nil:
		err = errors.Join(fmt.Errorf("configfile: ended by %w: what was not handed over is lost", context.Cause(atOnce)), err)
	case err == nil:
		slog.Info("keepsake: ended", "closedAfter", time.Since(began).Round(time.Millisecond))
	}
	return err
}

// closeWithin closes the system. What was still in use, by a request that was cut off for
// instance, is closed once more.
func (s *System) closeWithin(ctx context.Context) error {
	err := s.Close(ctx)
	if err != nil && ctx.Err() == nil {
		err = errors.Join(err, s.Close(ctx))
	}
	return err
}

// closeMargin is for what is to be closed besides.
const closeMargin = 2 * time.Second

// leaveTimeout is how long the providers may take to hand their entries over, one after
// the other.
func (s *System) leaveTimeout() (all time.Duration) {
	for _, one := range s.managers {
		all += one.manager.LeaveTimeout()
	}
	return all
}

// timeToEnd is how long the process may take to end.
func (s *System) timeToEnd() time.Duration {
	return s.shutdown.Delay + s.shutdown.DrainTimeout + s.leaveTimeout() + closeMargin
}
