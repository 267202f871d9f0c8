package node

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/wire"
)

var errRefused = errors.New("it forgets nobody")

// maxForgotten bounds the addresses of a message.
const maxForgotten = 1024

// Forget tells all members in reach that the processes at some addresses, or all that are
// absent if none is given, have ended for good, on the word of an operator, and waits until
// they are waited for no longer. It returns the addresses.
func (n *Node) Forget(ctx context.Context, addrs ...string) ([]string, error) {
	l, _ := n.now()
	if l == nil || l.config.Load() == nil {
		return nil, errNoAnswer
	}
	before := l.config.Load()
	var gone []string
	var failed error
	took := 0
	for _, one := range before.Members {
		theirs, err := l.askToForget(ctx, &one, addrs)
		switch {
		case err != nil && slices.Contains(addrs, one.Addr) && !errors.Is(err, errRefused):
			continue // it is the one, and does not answer
		case err != nil:
			failed = errors.Join(failed, fmt.Errorf("%s: %w", one.Addr, err))
			continue
		}
		took++
		gone = append(gone, theirs...)
	}
	if took == 0 {
		return nil, failed
	}
	slices.Sort(gone)
	gone = slices.Compact(gone)
	for !n.forgot(before, gone) {
		if !pauseFor(ctx, 50*time.Millisecond) {
			return gone, fmt.Errorf("%d members know, and are not done yet: %w", took, context.Cause(ctx))
		}
	}
	return gone, nil
}

// forgot reports whether the grid counts on nobody any more who was at these addresses before.
func (n *Node) forgot(before *topology.Config, addrs []string) bool {
	c := n.Config()
	return c != nil && !slices.ContainsFunc(addrs, func(addr string) bool {
		at := func(one topology.Member) bool { return one.Addr == addr }
		if i := slices.IndexFunc(before.Absent, at); i >= 0 {
			return c.Waits(before.Absent[i].ID)
		}
		i := slices.IndexFunc(before.Members, at)
		return i >= 0 && (c.Has(before.Members[i].ID) || c.Waits(before.Members[i].ID))
	})
}

// askToForget tells one member, which may be this process.
func (l *life) askToForget(ctx context.Context, to *topology.Member, addrs []string) ([]string, error) {
	if to.ID == l.self.ID && l.member != nil {
		gone, err := l.member.forget(addrs)
		if err != nil {
			err = fmt.Errorf("%w: %w", errRefused, err)
		}
		return gone, err
	}
	ctx, cancel := context.WithTimeout(ctx, answerWait)
	defer cancel()
	answer, err := l.peer(to.ID, to.Addr).Call(ctx, wire.Control, typeForget, appendTexts(nil, addrs))
	if err != nil {
		return nil, err
	}
	p := parser{b: answer}
	refused, list := p.byte() != 0, p.texts()
	switch {
	case p.bad || refused && len(list) != 1:
		return nil, errMalformed
	case refused:
		return nil, fmt.Errorf("%w: %s", errRefused, list[0])
	}
	return list, nil
}

func (m *membership) forget(addrs []string) (gone []string, err error) {
	m.step(func(now int64) { gone, err = m.view.Forget(now, addrs, &m.fx) })
	return gone, err
}

// takeForget takes an operator's word.
func (m *membership) takeForget(_ *wire.Hello, body []byte, r wire.Responder) {
	p := parser{b: body}
	addrs := p.texts()
	gone, err := []string(nil), errMalformed
	if !p.bad {
		gone, err = m.forget(addrs)
	}
	answer := appendBool(nil, err != nil)
	if err != nil {
		gone = []string{err.Error()}
	}
	_ = r.Reply(appendTexts(answer, gone)) // it is short enough
}

func appendTexts(b []byte, list []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, s := range list {
		b = appendText(b, s)
	}
	return b
}

func (p *parser) texts() (list []string) {
	for range p.uint(maxForgotten) {
		if list = append(list, p.text()); p.bad {
			return nil
		}
	}
	return list
}
