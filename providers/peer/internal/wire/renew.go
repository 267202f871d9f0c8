package wire

import (
	"errors"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// maxRenewals bounds the attempts to renew that are under way. In a cut each takes all of its
// time.
const maxRenewals = 8

// linger is how long what is on its way on an old control connection may still arrive: it may only
// be slow.
const linger = 2 * time.Second

var errRenewed = errors.New("there is a fresh connection")

// Renew makes a fresh connection to a peer, whatever connections there are, in the background.
// When it is open, the others are given up: what they carry may wait for TCP, which after a cut
// sends again as late as the cut was long. An event tells of it as of every connection.
func (e *Endpoint) Renew(id topology.ID) {
	e.mu.Lock()
	p := e.peers[id]
	e.mu.Unlock()
	if p != nil {
		p.Renew()
	}
}

// Renew is Endpoint.Renew of this peer.
func (p *Peer) Renew() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone || p.renewals >= maxRenewals {
		return
	}
	c := p.newConn()
	if p.e.begin(c, func() { p.renew(c) }) == nil {
		p.renewals++
	}
}

func (p *Peer) renew(c *conn) {
	began := time.Now()
	nc, err := p.dial(c, Control, 0)
	p.mu.Lock()
	p.renewals--
	if err == nil && (p.gone || !p.lines[Control].made.Before(began)) {
		_ = nc.Close() // it comes too late
		err = ErrClosed
	}
	if err != nil {
		p.mu.Unlock()
		c.stop(err)
		p.report(dialled(err), Control, err)
		return
	}
	old := p.lines
	p.lines = [classes]line{Control: {c: c, made: time.Now()}}
	p.mu.Unlock()
	for class, l := range old {
		switch {
		case l.c == nil:
		case Class(class) == Control:
			time.AfterFunc(linger, func() { l.c.stop(errRenewed) })
		default:
			l.c.stop(errRenewed)
		}
	}
	p.serve(c, Control, nc)
}
