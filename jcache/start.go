package jcache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/jcache/driver/setting"
	"github.com/keepsake-cache/keepsake/jcache/internal/engine"
)

const (
	// startSay is how often the log hears what a start waits for.
	startSay = 3 * time.Second
	// Between two attempts to reach the provider.
	firstStartPause, lastStartPause = 100 * time.Millisecond, time.Second
)

// reach opens a provider. What cannot be reached yet is waited for, as its setting startTimeout
// says, whichever provider it is: it may be that its servers are started at the same time. A
// mistake that will not mend itself is told at once.
func reach(ctx context.Context, d driver.Definition, cfg driver.Config) (driver.Provider, error) {
	if !slices.ContainsFunc(d.Settings, func(s setting.Setting) bool { return s.Name == setting.StartTimeoutName }) {
		return d.Open(ctx, cfg)
	}
	patience, attempts := cfg.Values.Duration(setting.StartTimeoutName), ctx
	if patience > 0 && cfg.Values.Given(setting.StartTimeoutName) { // otherwise each takes what the provider gives it
		var cancel context.CancelFunc
		attempts, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	w := beginWait(d.Name)
	defer w.end()
	for pause := firstStartPause; ; pause = min(2*pause, lastStartPause) {
		p, err := d.Open(attempts, cfg)
		if err == nil {
			return p, nil
		}
		cut := attempts.Err() != nil
		if err = permanent(err); errors.Is(err, ErrMisconfigured) || !cut && !errors.Is(err, ErrUnavailable) {
			return nil, err
		}
		if cut && w.why != nil {
			err = w.why // the last attempt can say no more than that it was cut short
		}
		if left := patience - time.Since(w.began); left > 0 && !cut {
			w.heard(err)
			if sleep(attempts, min(pause, left)) {
				continue
			}
		}
		if ctx.Err() != nil {
			return nil, engine.Told(ctx, err)
		}
		return nil, w.over(err)
	}
}

// permanent marks an error that waiting does not mend, although the provider takes it for one of
// the network: what has no address now is misspelt, as a rule.
func permanent(err error) error {
	var dns *net.DNSError
	if errors.As(err, &dns) && dns.IsNotFound && !errors.Is(err, ErrMisconfigured) {
		return fmt.Errorf("%w: a host of this name is not known: %w", ErrMisconfigured, err)
	}
	return err
}

// sleep waits, and reports whether ctx goes on.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// A wait tells the log now and then what a start waits for.
type wait struct {
	log   *slog.Logger
	began time.Time
	stop  chan struct{}
	ended sync.WaitGroup

	mu  sync.Mutex
	why error // of the last attempt; written by one goroutine only
}

func beginWait(provider string) *wait {
	w := &wait{log: slog.Default().With("provider", provider), began: time.Now(), stop: make(chan struct{})}
	w.ended.Go(func() {
		tick := time.NewTicker(startSay)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				w.say()
			case <-w.stop:
				return
			}
		}
	})
	return w
}

// heard notes why an attempt failed, and tells the first one at once.
func (w *wait) heard(why error) {
	first := w.why == nil
	w.mu.Lock()
	w.why = why
	w.mu.Unlock()
	if first {
		w.say()
	}
}

func (w *wait) say() {
	w.mu.Lock()
	defer w.mu.Unlock()
	why := "it has not answered yet"
	if w.why != nil {
		why = w.why.Error()
	}
	w.log.Warn("keepsake: the start waits for the provider", "why", why, "for", time.Since(w.began).Round(time.Second))
}

// end returns when nothing is logged any more.
func (w *wait) end() {
	close(w.stop)
	w.ended.Wait()
}

// over is the error of a provider that was waited for in vain.
func (w *wait) over(err error) error {
	if !errors.Is(err, ErrUnavailable) {
		err = fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return fmt.Errorf("%w; it was waited for %v: start it, correct where it is, or raise %s", err,
		time.Since(w.began).Round(100*time.Millisecond), setting.StartTimeoutName)
}
