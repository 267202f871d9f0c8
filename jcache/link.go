package jcache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/jcache/driver/setting"
	"github.com/keepsake-cache/keepsake/jcache/internal/engine"
)

// A link is what a manager has of its provider: the connection or, where a start goes on without it, why there
// is none yet, and what to open as soon as there is one.
type link struct {
	conn  atomic.Pointer[driver.Provider] // nil: it has not been reached yet
	log   *slog.Logger                    // with the provider's name
	end   context.CancelFunc              // of the goroutine that tries on; nil: there is none
	tries sync.WaitGroup                  // that goroutine

	mu      sync.Mutex
	why     error      // it has not been reached, or never will be
	over    bool       // it is not tried any more, since that does not help
	waiting []newcomer // caches that are opened when it is reached
	refused []newcomer // those that could not be
}

// A newcomer is a cache that was created before its provider was reached.
type newcomer struct {
	name  string
	store *engine.Store
	open  opener
	why   error // it is refused
}

// An opener opens the driver's part of a cache.
type opener func(context.Context, driver.Provider) (driver.Cache, driver.Features, error)

func newLink(conn driver.Provider) *link {
	l := &link{}
	l.conn.Store(&conn)
	return l
}

// provider returns the connection, or nil.
func (l *link) provider() driver.Provider {
	if conn := l.conn.Load(); conn != nil {
		return *conn
	}
	return nil
}

// tryOn is a link to a provider that could not be reached, for the reason why, and is tried on until close.
func tryOn(ctx context.Context, d driver.Definition, cfg driver.Config, why error) *link {
	ctx, end := context.WithCancel(context.WithoutCancel(ctx))
	l := &link{why: why, end: end, log: slog.Default().With("provider", d.Name)}
	l.tries.Go(func() { l.try(ctx, d, cfg) })
	return l
}

// startsWithout reports whether a start that has waited in vain goes on.
func startsWithout(cfg driver.Config, err error) bool {
	return cfg.Values.String(setting.WhenDownName) == setting.WhenDownStart && errors.Is(err, ErrUnavailable) && !lasts(err)
}

// lasts reports whether trying again does not help.
func lasts(err error) bool {
	return errors.Is(err, ErrMisconfigured) || errors.Is(err, ErrInvalid) || errors.Is(err, errors.ErrUnsupported)
}

// try opens the provider, as often as it takes.
func (l *link) try(ctx context.Context, d driver.Definition, cfg driver.Config) {
	for pause := firstStartPause; sleep(ctx, pause); pause = min(2*pause, lastStartPause) {
		conn, err := d.Open(ctx, cfg)
		if err == nil {
			l.arrive(ctx, conn)
			return
		}
		if ctx.Err() != nil {
			return
		}
		err = permanent(err)
		l.mu.Lock()
		l.why, l.over = err, lasts(err)
		over := l.over
		l.mu.Unlock()
		if over {
			l.log.Error("keepsake: the provider cannot be used and is not tried any more", "why", err)
			return
		}
	}
}

// arrive opens the caches that wait for the connection, and then lets everybody use it.
func (l *link) arrive(ctx context.Context, conn driver.Provider) {
	pause := firstStartPause
	for {
		l.mu.Lock()
		l.waiting = slices.DeleteFunc(l.waiting, func(n newcomer) bool { return n.store.Closed() })
		if len(l.waiting) == 0 {
			l.conn.Store(&conn)
			l.mu.Unlock()
			return
		}
		n := l.waiting[0]
		l.mu.Unlock()

		err := n.arrive(ctx, conn)
		if err != nil && !lasts(err) {
			l.mu.Lock()
			l.why = fmt.Errorf("cache %s: %w", n.name, err)
			l.mu.Unlock()
			if !sleep(ctx, pause) {
				_ = conn.Close(context.WithoutCancel(ctx)) // nobody has used it
				return
			}
			pause = min(2*pause, lastStartPause)
			continue
		}
		if n.why = err; err != nil {
			l.log.Error("keepsake: a cache cannot be used", "cache", n.name, "why", err)
			n.store.Refuse(err)
		}
		l.mu.Lock()
		l.waiting = slices.DeleteFunc(l.waiting, func(other newcomer) bool { return other.store == n.store })
		if err != nil {
			l.refused = append(l.refused, n)
		}
		l.mu.Unlock()
	}
}

func (n *newcomer) arrive(ctx context.Context, conn driver.Provider) error {
	cache, features, err := n.open(ctx, conn)
	if err == nil && !n.store.Arrive(cache, features) {
		err = cache.Close()
	}
	return err
}

// open opens a cache, or makes one that is opened as soon as that is possible.
func (l *link) open(ctx context.Context, name string, open opener) (*engine.Store, error) {
	conn := l.provider()
	if conn == nil {
		l.mu.Lock()
		if conn = l.provider(); conn == nil {
			defer l.mu.Unlock()
			if l.over {
				return nil, l.why
			}
			store := engine.NewAbsentStore(l.missing, nil)
			l.waiting = append(l.waiting, newcomer{name: name, store: store, open: open})
			return store, nil
		}
		l.mu.Unlock()
	}
	cache, features, err := open(ctx, conn)
	if err != nil {
		return nil, err
	}
	return engine.NewStore(cache, features, nil), nil
}

// missing is the error of an operation while there is no connection.
func (l *link) missing() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over || errors.Is(l.why, ErrUnavailable) {
		return l.why
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, l.why)
}

func (l *link) ping(ctx context.Context) error {
	conn := l.provider()
	if conn == nil {
		return l.missing()
	}
	return conn.Ping(ctx)
}

func (l *link) health() (h Health) {
	conn := l.provider()
	if conn == nil {
		return Health{Unready: []string{fmt.Sprintf("the provider has not been reached yet: %v", l.missing())}}
	}
	switch conn := conn.(type) {
	case driver.Reporter:
		h = conn.Health()
	case driver.Safety:
		if !conn.Safe() {
			h.Pending = []string{"entries lack copies"}
		}
	}
	if l.end == nil {
		return h
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refused = slices.DeleteFunc(l.refused, func(n newcomer) bool { return n.store.Closed() })
	for _, n := range l.refused {
		h.Unready = append(slices.Clip(h.Unready), fmt.Sprintf("the cache %s cannot be used: %v", n.name, n.why))
	}
	return h
}

// close ends the attempts, waits for them, and closes the connection. It can be repeated until it succeeds.
func (l *link) close(ctx context.Context) error {
	if l.end != nil {
		l.end()
		ended := make(chan struct{})
		go func() { l.tries.Wait(); close(ended) }()
		select {
		case <-ended:
		case <-ctx.Done():
			return fmt.Errorf("an attempt to reach the provider is still running: %w", ctx.Err())
		}
	}
	if conn := l.provider(); conn != nil {
		return conn.Close(ctx)
	}
	return nil
}
