package member

import (
	"bytes"
	"log/slog"
)

// A logger passes on what memberlist says. Little of it matters to an operator: its
// warnings are the gossip's daily bread.
type logger struct{ to *slog.Logger }

// Write implements io.Writer.
func (l *logger) Write(line []byte) (int, error) {
	level, text, found := bytes.Cut(bytes.TrimSpace(line), []byte("] "))
	if !found {
		text = level
	}
	if bytes.HasPrefix(level, []byte("[ERR")) {
		l.to.Warn(string(text))
	} else {
		l.to.Debug(string(text))
	}
	return len(line), nil
}
