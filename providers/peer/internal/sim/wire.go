package sim

import (
	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/view"
)

// carry encodes and decodes a message between machines, as a real connection does.
func (w *world) carry(msg any) any {
	switch msg := msg.(type) {
	case view.Message:
		back, err := view.Parse(view.Append(nil, msg))
		if err != nil {
			w.watch.fail("%T does not survive its encoding", msg)
			return msg
		}
		return back
	case part.Message:
		back, err := part.Parse(part.Append(nil, msg))
		if err != nil {
			w.watch.fail("%T does not survive its encoding", msg)
			return msg
		}
		return back
	}
	return msg
}
