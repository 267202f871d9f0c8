package memcached

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// A liveness is what is known of a server from the calls that it answered, and from those
// that it did not.
type liveness struct {
	outage  atomic.Pointer[outage] // nil: it is up, as far as is known
	heard   atomic.Int64           // when it answered last, in nanoseconds of the time of day
	suspect func()                 // has the servers looked at soon; nil: they are not
}

// An outage is why a server is down, and since when.
type outage struct {
	since time.Time
	why   string
}

func (l *liveness) down() bool { return l.outage.Load() != nil }

// answered notes that the server has answered, whatever it said.
func (l *liveness) answered() {
	l.heard.Store(time.Now().UnixNano())
	if l.down() {
		l.outage.Store(nil)
	}
}

// failed notes that the server cannot be connected to, or did not answer. That a caller gave
// up says nothing of it.
func (l *liveness) failed(ctx context.Context, err error) {
	if ended(ctx) != nil {
		return
	}
	if l.outage.CompareAndSwap(nil, &outage{time.Now(), reason(err)}) && l.suspect != nil {
		l.suspect() // a connection that broke proves little
	}
}

// reason says in a few words why a server is down. The errors of networks name ports that
// differ each time.
func reason(err error) string {
	var network net.Error
	switch {
	case errors.Is(err, errUnusable):
		return err.Error()
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nobody listens there"
	case errors.As(err, &network) && network.Timeout():
		return "it does not answer"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "it has closed the connection"
	}
	return err.Error()
}

// watchEvery is how often a server is asked that is down or has had nothing to answer.
const watchEvery = time.Second

// A watcher asks the servers of which nothing is known from calls whether they are there.
type watcher struct {
	ctx    context.Context
	cancel context.CancelFunc
	soon   chan struct{}
	work   sync.WaitGroup
}

func newWatcher() *watcher {
	w := &watcher{soon: make(chan struct{}, 1)}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	return w
}

func (w *watcher) suspect() {
	select {
	case w.soon <- struct{}{}:
	default:
	}
}

// stop returns when nobody is asked any more.
func (w *watcher) stop() {
	w.cancel()
	w.work.Wait()
}

// watch asks until stop is called.
func (p *Provider) watch() {
	p.work.Go(func() {
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		weighed := time.Now()
		for {
			select {
			case <-tick.C:
				for _, s := range p.servers {
					s.adjust()
				}
				if time.Since(weighed) >= loadEvery {
					weighed = time.Now()
					p.all(func(s *server) error {
						if s.down() {
							return nil
						}
						return s.weigh(p.ctx)
					})
				}
			case <-p.soon:
			case <-p.ctx.Done():
				return
			}
			p.all(func(s *server) error {
				if s.down() || time.Since(time.Unix(0, s.heard.Load())) >= watchEvery {
					_ = s.ping(p.ctx) // it has noted what it found
				}
				return nil
			})
		}
	})
}

// ping asks for nothing.
func (s *server) ping(ctx context.Context) error {
	return s.call(ctx, func(l *lane) error { return l.read(ctx, (*memcache.Client).Ping) })
}

// Health implements driver.Reporter.
func (p *Provider) Health() (h driver.Health) {
	var why []string
	for _, s := range p.servers {
		one := driver.Server{Name: string(s.addr)}
		if l := s.now.Load(); l != nil {
			one.Memory, one.Used, one.Evictions, one.Ahead = l.memory, l.used, l.evictions, l.ahead
		}
		if o := s.outage.Load(); o != nil {
			one.Down, one.Since = o.why, o.since
			one.Affected = fmt.Sprintf("the keys on it, %.0f %% of all, are unavailable", 100*p.ring.share(s.index))
			why = append(why, fmt.Sprintf("%s: %s", s.addr, o.why))
		}
		h.Servers = append(h.Servers, one)
	}
	if len(why) == len(p.servers) {
		h.Unready = append(h.Unready, "no memcached server can be used: "+strings.Join(why, "; "))
	}
	return h
}
