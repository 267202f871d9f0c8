package httpsession

import "time"

// Statistics are numbers of a manager since it was opened.
type Statistics struct {
	// Abandoned is how often a visitor's session was given up because its server was
	// down, by Options.WhenLost.
	Abandoned uint64
}

// Statistics returns numbers for an operator.
func (m *Manager) Statistics() Statistics {
	return Statistics{Abandoned: m.abandoned.Load()}
}

// abandonSay is after what time another line about abandoned sessions is worth it, in
// seconds.
const abandonSay = 60

// abandon notes that a session is given up, and says so now and then.
func (m *Manager) abandon(id string) {
	n := m.abandoned.Add(1)
	now, last := time.Now().Unix(), m.abandonWarned.Load()
	if now-last >= abandonSay && m.abandonWarned.CompareAndSwap(last, now) {
		m.opts.Load().Logger.Warn("the server of a session is down; its visitor gets a new one", "session", m.logID(id), "abandoned", n)
	}
}
