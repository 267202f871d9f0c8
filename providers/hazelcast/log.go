package hazelcast

import (
	"log/slog"
	"strings"
	"sync/atomic"

	hz "github.com/hazelcast/hazelcast-go-client"
	hzlogger "github.com/hazelcast/hazelcast-go-client/logger"
)

// A clientLog hands the client's log lines on, and listens for what the client tells
// nobody in another way.
type clientLog struct {
	log        *slog.Logger
	lostEvents func()
	opened     func(addr string)
	client     atomic.Pointer[hz.Client] // once it has started
	left       atomic.Bool               // another one has taken its place
	alone      bool                      // it has no connection; guarded by Provider.mu
}

// The lines of the client, version 1.6.0, that matter. TestLostEventsAreNoticed and
// TestGapAfterAReconnect fail if their text changes.
const (
	lineQueueFull = "event could not be processed, corresponding queue is full"
	lineListening = "source: handleConnectionOpened" // listeners are about to be added to a new connection
	lineOpened    = "opened connection to: "         // and the member's address
)

// Log implements the client's logger.Logger. What the client has to say of connections that come
// and go is told in our words elsewhere, and a call that fails because of them has its own error.
// At its finer levels it may name keys, so those are not handed on.
func (l *clientLog) Log(weight hzlogger.Weight, line func() string) {
	if weight > hzlogger.WeightDebug {
		return
	}
	text := line()
	if strings.Contains(text, lineQueueFull) || strings.Contains(text, lineListening) {
		l.lostEvents()
	}
	if _, addr, opened := strings.Cut(text, lineOpened); opened {
		l.opened(strings.TrimSpace(addr))
	}
	if weight <= hzlogger.WeightInfo {
		l.log.Debug("hazelcast client: " + trim(text))
	}
}
