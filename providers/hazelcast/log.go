package hazelcast

import (
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"

	hz "github.com/hazelcast/hazelcast-go-client"
	hzlogger "github.com/hazelcast/hazelcast-go-client/logger"
)

// A clientLog hands the client's log lines on, and listens for what the client tells
// nobody in another way.
type clientLog struct {
	log        *slog.Logger
	lostEvents func()
	down       func() bool               // whether there is no connection, of which one line is enough
	client     atomic.Pointer[hz.Client] // once it has started; until then, lines are reasons for not starting

	mu      sync.Mutex
	reason  string // why the last attempt to connect failed
	refused bool   // a member has refused this client
}

// The lines of the client, version 1.5.0, that matter. TestLostEventsAreNoticed,
// TestGapAfterAReconnect and TestWrongClusterName fail if their text changes.
const (
	lineQueueFull = "event could not be processed, corresponding queue is full"
	lineListening = "source: handleConnectionOpened" // listeners are about to be added to a new connection
	lineFailed    = "cannot connect to "
	lineRefused   = "invalid credentials"
)

// Log implements the client's logger.Logger. The client's own troubles are warnings
// here: a call that fails because of them has its own error. What it says at its finer
// levels may name keys, so it is not handed on.
func (l *clientLog) Log(weight hzlogger.Weight, line func() string) {
	if weight > hzlogger.WeightDebug {
		return
	}
	text := line()
	if strings.Contains(text, lineQueueFull) || strings.Contains(text, lineListening) {
		l.lostEvents()
	}
	switch {
	case l.client.Load() == nil:
		l.note(text)
	case weight <= hzlogger.WeightWarn && !l.down():
		l.log.Warn("hazelcast client: " + trim(text))
	case weight <= hzlogger.WeightInfo: // what tells of a lost connection is a line of the manager's
		l.log.Debug("hazelcast client: " + trim(text))
	}
}

// note keeps the reason for which the client does not start.
func (l *clientLog) note(text string) {
	failed, ok := strings.CutPrefix(text, lineFailed)
	if !ok {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if strings.Contains(failed, lineRefused) {
		l.refused = true
	}
	if _, reason, ok := strings.Cut(failed, ": "); ok && !strings.Contains(reason, "context ") {
		l.reason = trim(reason)
	}
}

func (l *clientLog) reasons() (reason string, refused bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.reason, l.refused
}
