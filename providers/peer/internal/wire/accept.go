package wire

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"time"
)

// accept takes the connections of peers until the endpoint is closed.
func (e *Endpoint) accept() {
	for pause := shortPause; ; {
		nc, err := e.opts.Listener.Accept()
		switch {
		case err == nil:
			pause = shortPause
			e.admit(nc)
		case e.ctx.Err() != nil:
			return
		default:
			// Out of file descriptors, or the like: it passes, or no peer can connect.
			e.opts.Logger.Error("peers cannot connect", "err", err)
			select {
			case <-time.After(pause):
			case <-e.ctx.Done():
				return
			}
			pause = min(2*pause, longPause)
		}
	}
}

// admit serves a connection in a goroutine of its own, unless there are too many.
func (e *Endpoint) admit(nc net.Conn) {
	e.mu.Lock()
	full := e.accepted >= e.opts.MaxConns
	if !full {
		e.accepted++
	}
	e.mu.Unlock()
	if full {
		_ = nc.Close() // it dials again later
		e.turnedAway(nc, errTooMany)
		return
	}
	c := newConn(e.opts.QueueBytes)
	err := e.begin(c, func() {
		e.serve(c, nc)
		e.mu.Lock()
		defer e.mu.Unlock()
		e.accepted--
	})
	if err != nil {
		_ = nc.Close() // the endpoint was closed meanwhile
	}
}

// serve answers the messages of a connection until it breaks.
func (e *Endpoint) serve(c *conn, raw net.Conn) {
	ctx, cancel := context.WithTimeout(e.ctx, introduceTimeout)
	e.greetings.begin(raw)
	nc, peer, err := introduce(ctx, raw, e.guard.server, e.opts.Self.welcome)
	e.greetings.end(raw)
	cancel()
	switch {
	case hungUp(err) || e.ctx.Err() != nil:
		// A health check, or the end.
	case err != nil:
		e.turnedAway(raw, err)
	case peer.ID == e.opts.Self.ID:
		_ = nc.Close() // this process found itself, and knows by the hello
	case peer.Class == stream:
		e.open(nc, peer)
	default:
		e.mu.Lock()
		e.conns[c] = peer.ID
		e.mu.Unlock()
		if peer.Addr == "" {
			peer.Addr = raw.RemoteAddr().String() // for logs; nobody listens there
		}
		c.share = e.memory.share(peer.ID)
		c.unread = c.share
		defer c.share.leave()
		err := c.run(nc, false, func(f frame) { e.dispatch(c, peer, f) })
		if !errors.Is(err, ErrClosed) {
			e.report(Event{Kind: Broken, ID: peer.ID, Addr: peer.Addr, Class: peer.Class, Err: err})
		}
	}
}

func (e *Endpoint) dispatch(c *conn, peer *Hello, f frame) {
	r := Responder{to: c, id: f.id}
	if h := e.handlers[f.typ].Load(); h != nil {
		(*h)(peer, f.body, r)
	} else if f.typ != typeVoid {
		_ = r.reply(flagAnswer|flagUnknown, nil) // cannot be too large
	}
}

// warnEvery is how often strangers, who come again and again, are worth a warning.
const warnEvery = 10 * time.Second

func (e *Endpoint) turnedAway(nc net.Conn, err error) {
	level := slog.LevelDebug
	e.mu.Lock()
	if time.Since(e.warned) > warnEvery {
		e.warned, level = time.Now(), slog.LevelWarn
	}
	e.mu.Unlock()
	e.opts.Logger.Log(e.ctx, level, "a peer was turned away", "remote", nc.RemoteAddr(), "err", err)
}
