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
	typeConfig
	typeForget
	typeFound
)

func (m *membership) handle() {
	m.wire.Handle(typeView, m.takeView)
	m.wire.Handle(typePart, m.takePart)
	m.wire.Handle(typeOperation, m.takeOperation)
	m.wire.Handle(typeBatch, m.takeBatch)
	m.wire.Handle(typeScan, m.takeScan)
	m.wire.Handle(typeSubscribe, m.takeSubscribe)
	m.wire.Handle(typeConfig, m.takePoll)
	m.wire.Handle(typeForget, m.takeForget)
	m.wire.Handle(typeFound, m.takeFound)
}

// peer returns how a member is reached. A process that is not a member is reached at the address by
// which it was met. If it was forgotten since, and addr is not known, there is none: nil.
func (l *life) peer(id topology.ID, addr string) *wire.Peer {
	if peers := l.peers.Load(); peers != nil {
		if p := (*peers)[id]; p != nil {
			return p
		}
	}
	if addr == "" {
		return l.wire.Known(id)
	}
	return l.wire.Peer(id, addr)
}

func (m *membership) sendView(env view.Envelope) {
	// What does not arrive is sent again: the view counts on nothing else.
	if p := m.peer(env.To, env.Addr); p != nil {
		_ = p.Post(wire.Control, typeView, view.Append(nil, env.Msg))
	}
}

// sendPart sends a message of a partition, and returns the buffer that it used.
func (m *membership) sendPart(buffer []byte, env part.Envelope) []byte {
	class := wire.Data
	switch env.Msg.(type) {
	case *part.SnapshotBegin, *part.SnapshotChunk, *part.Offer:
		class = wire.Bulk
	}
	buffer = part.Append(buffer[:0], env.Msg)
	if p := m.peer(env.To, ""); p != nil {
		_ = p.Post(class, typePart, buffer) // as above
	}
	if cap(buffer) > 64<<10 {
		return nil
	}
	return buffer
}

func (m *membership) takeView(from *wire.Hello, body []byte, _ wire.Responder) {
	msg, err := view.Parse(body)
	if err != nil {
		m.n.opts.Logger.Warn("peer: a message cannot be read", "from", from.Addr, "err", err)
		return
	}
	m.wire.Peer(from.ID, from.Addr)
	m.step(func(now int64) { m.view.Step(now, from.ID, msg, &m.fx) })
}

func (m *membership) takePart(from *wire.Hello, body []byte, _ wire.Responder) {
	msg, err := part.Parse(body)
	if err == nil && (msg.Of() < 0 || msg.Of() >= len(m.slots)) {
		err = errNoPartition
	}
	if err != nil {
		m.n.opts.Logger.Warn("peer: a message cannot be read", "from", from.Addr, "err", err)
		return
	}
	m.wire.Peer(from.ID, from.Addr)
	m.slots[msg.Of()].step(from.ID, msg, body)
}
