package node

import (
	"encoding/binary"
	"sync"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/view"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/wire"
)

// polls are the clients that wait for another configuration than they have.
type polls struct {
	mu   sync.Mutex
	list map[topology.ID]poll
}

type poll struct {
	to    wire.Responder
	until int64
}

// The answers to a client: the configuration follows, there is none that it does not have,
// or this process is no member at the moment.
const (
	news byte = iota + 1
	noNews
	noMember
)

func (m *membership) takePoll(from *wire.Hello, body []byte, r wire.Responder) {
	p := parser{b: body}
	lineage := p.uint(1<<64 - 1)
	stamp := topology.Stamp{Term: p.uint(1<<64 - 1), Version: p.uint(1<<64 - 1)}
	m.n.compare(from)
	m.polls.mu.Lock()
	defer m.polls.mu.Unlock()
	c := m.config.Load()
	switch {
	case c == nil || p.bad:
		_ = r.Reply([]byte{noMember}) // it is short enough
	case c.Lineage != lineage || stamp.Less(c.Stamp):
		_ = r.Reply(appendNews(nil, c)) // likewise
	default:
		if m.polls.list == nil {
			m.polls.list = make(map[topology.ID]poll)
		}
		m.polls.list[from.ID] = poll{r, m.mono() + int64(pollFor)} // an earlier one was given up
	}
}

// adopt answers everybody, with the next configuration.
func (p *polls) adopt(c *topology.Config) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.list) == 0 {
		return
	}
	answer := appendNews(nil, c)
	for _, one := range p.list {
		_ = one.to.Reply(answer) // likewise
	}
	clear(p.list)
}

// tick answers who has waited for long.
func (p *polls) tick(now int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, one := range p.list {
		if now > one.until {
			_ = one.to.Reply([]byte{noNews}) // likewise
			delete(p.list, id)
		}
	}
}

// appendPoll appends what a client asks: which configuration it has.
func appendPoll(b []byte, c *topology.Config) []byte {
	if c == nil {
		c = &topology.Config{}
	}
	b = binary.AppendUvarint(b, c.Lineage)
	b = binary.AppendUvarint(b, c.Stamp.Term)
	return binary.AppendUvarint(b, c.Stamp.Version)
}

func appendNews(b []byte, c *topology.Config) []byte {
	return view.Append(append(b, news), &view.Publish{Config: c})
}

// parseNews reads the answer to a client. A configuration has the given number of
// partitions.
func parseNews(b []byte, partitions int) (status byte, c *topology.Config, err error) {
	p := parser{b: b}
	switch status = p.byte(); status {
	case noNews, noMember:
		return status, nil, nil
	case news:
		msg, err := view.Parse(p.b)
		if publish, ok := msg.(*view.Publish); err == nil && ok && len(publish.Config.Partitions) == partitions {
			return status, publish.Config, nil
		}
	}
	return 0, nil, errMalformed
}
