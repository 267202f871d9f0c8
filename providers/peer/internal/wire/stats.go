package wire

// Stats are numbers of an endpoint's connections, in both directions, without its streams.
type Stats struct {
	// Connections are open at the moment, and QueuedBytes wait to be written to them.
	Connections, QueuedBytes int
	// SentBytes were written since the endpoint was started, before encryption, and Calls were
	// sent: messages that want an answer.
	SentBytes, Calls uint64
}

// Stats looks at every connection for a moment.
func (e *Endpoint) Stats() Stats {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.past
	for c := range e.conns {
		c.count(&s)
	}
	return s
}

// count adds a connection's numbers.
func (c *conn) count(s *Stats) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.nc != nil && c.err == nil {
		s.Connections++
	}
	s.QueuedBytes += len(c.frames)
	s.SentBytes += c.taken
	s.Calls += c.last
}
