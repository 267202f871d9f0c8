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
	down       func() bool               // whether there is no connection, of which one line is enough
	client     atomic.Pointer[hz.Client] // once it has started
}

// The lines of the client, version 1.5.0, that matter. TestLostEventsAreNoticed and
// TestGapAfterAReconnect fail if their text changes.
const (
	lineQueueFull = "event could not be processed, corresponding queue is full"
	lineListening = "source: handleConnectionOpened" // listeners are about to be added to a new connection
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
	case l.client.Load() == nil: // it starts, or its failure is an error
	case weight <= hzlogger.WeightWarn && !l.down():
		l.log.Warn("hazelcast client: " + trim(text))
	case weight <= hzlogger.WeightInfo: // what tells of a lost connection is a line of the manager's
		l.log.Debug("hazelcast client: " + trim(text))
	}
}
