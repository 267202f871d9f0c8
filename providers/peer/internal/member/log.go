package member

import (
	"bytes"
	"log/slog"
)

// A logger takes what memberlist says. None of it matters to an operator: who came, who
// went and why is told by the configurations, and who cannot be reached by the search. For
// those who debug the gossip it is one structured line each.
type logger struct{ to *slog.Logger }

// Write implements io.Writer.
func (l *logger) Write(line []byte) (int, error) {
	level, text, found := bytes.Cut(bytes.TrimSpace(line), []byte("] "))
	if !found {
		level, text = nil, level
	}
	l.to.Debug("peer: the gossip says something", "level", string(bytes.TrimLeft(level, "[")), "text", string(text))
	return len(line), nil
}
