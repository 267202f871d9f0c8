package jcache

import (
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// A monitor tells the log when a provider or one of its servers goes away and when it comes
// back, for all providers alike. It looks at their health.
type monitor struct {
	log    *slog.Logger // with the provider's name
	health func() Health

	mu      sync.Mutex
	timer   *time.Timer // of the next look
	stopped bool

	unready, unsafe trouble
	servers         map[string]*trouble
}

const (
	monitorEvery = time.Second
	// unsafeQuiet is for how long copies may be made before that is worth a line, and
	// repeatEvery after what time what lasts is told again.
	unsafeQuiet = 5 * time.Second
	repeatEvery = time.Minute
)

// startMonitor watches over a provider that knows its health, or has not been reached yet, until stop.
// Otherwise it returns nil.
func startMonitor(l *link, name string, log *slog.Logger) *monitor {
	conn := l.provider()
	if _, ok := conn.(driver.Reporter); !ok && conn != nil {
		return nil
	}
	if log == nil {
		log = slog.Default()
	}
	w := &monitor{log: log.With("provider", name), health: l.health, servers: make(map[string]*trouble)}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer = time.AfterFunc(0, w.turn)
	return w
}

// stop returns when nothing is logged any more.
func (w *monitor) stop() {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
	w.timer.Stop()
}

// turn looks once, and again later.
func (w *monitor) turn() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.stopped {
		w.look(time.Now())
		w.timer.Reset(monitorEvery)
	}
}

// look logs what has changed, and what lasts and is worth another line.
func (w *monitor) look(now time.Time) {
	h := w.health()
	for _, s := range h.Servers {
		t := w.servers[s.Name]
		if t == nil {
			t = &trouble{}
			w.servers[s.Name] = t
		}
		begins, lasted := t.is(now, s.Down != "", 0, 0)
		switch {
		case begins:
			w.log.Warn("keepsake: a server of the provider is down", "server", s.Name, "why", s.Down, "affected", s.Affected)
		case lasted > 0:
			w.log.Info("keepsake: a server of the provider is back", "server", s.Name, "after", lasted)
		}
	}
	begins, lasted := w.unready.is(now, !h.Ready(), 0, repeatEvery)
	switch {
	case begins:
		w.log.Warn("keepsake: operations fail, or wait until they do", "why", strings.Join(h.Reasons(), "; "))
	case lasted > 0:
		w.log.Info("keepsake: operations are carried out again", "after", lasted)
	}
	quiet := unsafeQuiet
	if len(h.Unsafe) > 0 {
		quiet = 0
	}
	begins, lasted = w.unsafe.is(now, h.Ready() && !h.Safe(), quiet, repeatEvery)
	switch {
	case begins:
		w.log.Warn("keepsake: no other process of the fleet may be restarted", "why", strings.Join(h.Reasons(), "; "))
	case lasted > 0 && h.Safe():
		w.log.Info("keepsake: other processes of the fleet may be restarted again", "after", lasted)
	}
}

// A trouble is something that is wrong for a while.
type trouble struct {
	since time.Time // zero: all is well
	told  time.Time // zero: nothing was said of it
}

// is takes in whether it is wrong now, and reports whether that is worth a line: when it
// has lasted for quiet, and again after each repeat, if that is not zero. When it is over
// and was told, lasted is how long it was wrong.
func (t *trouble) is(now time.Time, wrong bool, quiet, repeat time.Duration) (tell bool, lasted time.Duration) {
	switch {
	case !wrong:
		if !t.told.IsZero() {
			lasted = max(now.Sub(t.since).Round(time.Millisecond), time.Millisecond)
		}
		*t = trouble{}
		return false, lasted
	case t.since.IsZero():
		t.since = now
	}
	tell = now.Sub(t.since) >= quiet && (t.told.IsZero() || repeat > 0 && now.Sub(t.told) >= repeat)
	if tell {
		t.told = now
	}
	return tell, 0
}
