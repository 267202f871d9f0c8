package httpsession

import (
	"log/slog"
	"sync/atomic"
	"time"
)

// Statistics are numbers of a manager since it was opened.
type Statistics struct {
	// Abandoned is how often a visitor's session was given up because its server was
	// down, by Options.WhenLost.
	Abandoned uint64
	// Vanished is how often a session was gone before its time while a request with it
	// was running: its server had evicted it, was cleared or had restarted. Sessions that
	// vanish between two requests are not told from those that have expired.
	Vanished uint64
}

// Statistics returns numbers for an operator.
func (m *Manager) Statistics() Statistics {
	return Statistics{Abandoned: m.abandoned.count.Load(), Vanished: m.vanished.count.Load()}
}

// A counter counts what happens to sessions, and says so now and then.
type counter struct {
	count  atomic.Uint64
	warned atomic.Int64 // in seconds since 1970
}

// warnEvery is after what time another line about the same is worth it, in seconds.
const warnEvery = 60

func (t *counter) add(log *slog.Logger, what, session, name string) {
	n := t.count.Add(1)
	now, last := time.Now().Unix(), t.warned.Load()
	if now-last >= warnEvery && t.warned.CompareAndSwap(last, now) {
		log.Warn(what, "session", session, name, n)
	}
}

// abandon notes that a session is given up.
func (m *Manager) abandon(id string) {
	m.abandoned.add(m.opts.Load().Logger, "the server of a session is down; its visitor gets a new one", m.logID(id), "abandoned")
}

// vanish notes that a session is gone before its time.
func (m *Manager) vanish(id string) {
	m.vanished.add(m.opts.Load().Logger, "a session is gone before its time: its server has evicted it, was cleared or has restarted", m.logID(id), "vanished")
}
