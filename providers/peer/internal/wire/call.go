package wire

import (
	"context"
	"errors"
	"slices"
)

// A call waits for its answer.
type call struct {
	id     uint64
	start  uint64 // of its frame in the stream
	alone  bool   // no other frame is on its way: the caller writes it
	answer []byte
	err    error
	done   chan struct{} // gets one value for each use
}

// call sends a request and returns the answer, which is the caller's.
func (c *conn) call(ctx context.Context, typ Type, body [][]byte) ([]byte, error) {
	k, _ := c.spare.Get().(*call)
	if k == nil {
		k = &call{done: make(chan struct{}, 1)}
	}
	if err := c.put(ctx, k, typ, body); err != nil {
		c.spare.Put(k)
		return nil, err
	}
	if k.alone {
		c.flushHere()
	}
	var err error
	select {
	case <-k.done:
	case <-ctx.Done():
		err = c.abandon(ctx, k)
	}
	if err == nil {
		err = k.err
	}
	answer := k.answer
	k.answer, k.err = nil, nil
	c.spare.Put(k)
	return answer, err
}

// abandon ends a call whose context ended. It returns nil if the answer was faster.
func (c *conn) abandon(ctx context.Context, k *call) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls[k.id] != k {
		<-k.done // was filled under the lock
		return nil
	}
	delete(c.calls, k.id)
	if k.start < c.taken {
		return context.Cause(ctx)
	}
	// The frame is still here: it travels as padding, and certainly takes no effect.
	c.frames[k.start-c.taken+typeOffset] = byte(typeVoid)
	return notSent(context.Cause(ctx))
}

// answered completes the call that the frame answers. One that nobody waits for any
// more is dropped.
func (c *conn) answered(f frame) {
	var err error
	if f.flags&flagUnknown != 0 {
		err = ErrUnknownType
	}
	answer := slices.Clone(f.body)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pings = 0
	k := c.calls[f.id]
	if k == nil {
		return
	}
	delete(c.calls, f.id)
	c.heard = max(c.heard, k.start)
	k.answer, k.err = answer, err
	k.done <- struct{}{}
}

// A Responder answers a request. It may be kept, copied and used from any goroutine,
// once.
type Responder struct {
	to *conn
	id uint64
}

// Wanted reports whether an answer is expected: the message came from a Call.
func (r Responder) Wanted() bool { return r.id != 0 }

// Reply sends the answer: the parts one after the other, which it copies. It does not
// block. It does nothing if no answer is wanted or the connection is gone, and cuts
// off a peer that does not read its answers. The only error is ErrTooLarge; a shorter
// answer may follow.
func (r Responder) Reply(body ...[]byte) error {
	return r.reply(flagAnswer, body)
}

// Backchannel returns the way back on the connection on which the message came.
func (r Responder) Backchannel() Backchannel { return Backchannel{r.to} }

// A Backchannel is a connection that a peer dialled, as one on which messages are sent
// to it, which needs no listener for that. They are in order with the answers. It is
// comparable: two are equal if they are the same connection.
type Backchannel struct{ to *conn }

// Post queues a message that wants no answer. It does not wait: the error is
// ErrOverloaded if there is no room, and ErrNotSent if the connection is gone. A message
// that is queued arrives, unless the connection breaks.
func (b Backchannel) Post(typ Type, body ...[]byte) error {
	full, err := b.to.add(nil, typ, 0, 0, body)
	if full != nil {
		return ErrOverloaded
	}
	return err
}

func (r Responder) reply(flags uint8, body [][]byte) error {
	if r.id == 0 {
		return nil
	}
	full, err := r.to.add(nil, typeVoid, flags, r.id, body)
	if full != nil {
		r.to.stop(errStalled)
	}
	if errors.Is(err, ErrTooLarge) {
		return err
	}
	return nil
}
