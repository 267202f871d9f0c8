package node

import (
	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/view"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/wire"
)

// The types of messages between nodes. New ones get new numbers.
const (
	typeView wire.Type = iota + 1
	typePart
	typeOperation
	typeBatch
	typeScan
	typeSubscribe
	typeEvents
)

func (l *life) handle() {
	l.wire.Handle(typeView, l.takeView)
	l.wire.Handle(typePart, l.takePart)
	l.wire.Handle(typeOperation, l.takeOperation)
	l.wire.Handle(typeBatch, l.takeBatch)
	l.wire.Handle(typeScan, l.takeScan)
	l.wire.Handle(typeSubscribe, l.takeSubscribe)
	l.wire.Handle(typeEvents, l.takeEvents)
}

// peer returns how a member is reached. Who is not a member is reached at the address by
// which he was met.
func (l *life) peer(id topology.ID, addr string) *wire.Peer {
	if peers := l.peers.Load(); peers != nil {
		if p := (*peers)[id]; p != nil {
			return p
		}
	}
	return l.wire.Peer(id, addr)
}

func (l *life) sendView(env view.Envelope) {
	// What does not arrive is sent again: the view counts on nothing else.
	_ = l.peer(env.To, env.Addr).Post(wire.Control, typeView, view.Append(nil, env.Msg))
}

// sendPart sends a message of a partition, and returns the buffer that it used.
func (l *life) sendPart(buffer []byte, env part.Envelope) []byte {
	class := wire.Data
	switch env.Msg.(type) {
	case *part.SnapshotBegin, *part.SnapshotChunk, *part.Offer:
		class = wire.Bulk
	}
	buffer = part.Append(buffer[:0], env.Msg)
	_ = l.peer(env.To, "").Post(class, typePart, buffer) // as above
	if cap(buffer) > 64<<10 {
		return nil
	}
	return buffer
}

func (l *life) takeView(from *wire.Hello, body []byte, _ wire.Responder) {
	msg, err := view.Parse(body)
	if err != nil {
		l.n.opts.Logger.Warn("peer: a message cannot be read", "from", from.Addr, "err", err)
		return
	}
	l.wire.Peer(from.ID, from.Addr)
	l.step(func(now int64) { l.view.Step(now, from.ID, msg, &l.fx) })
}

func (l *life) takePart(from *wire.Hello, body []byte, _ wire.Responder) {
	msg, err := part.Parse(body)
	if err == nil && (msg.Of() < 0 || msg.Of() >= len(l.slots)) {
		err = errNoPartition
	}
	if err != nil {
		l.n.opts.Logger.Warn("peer: a message cannot be read", "from", from.Addr, "err", err)
		return
	}
	l.wire.Peer(from.ID, from.Addr)
	l.slots[msg.Of()].step(from.ID, msg, body)
}
