package wire

import (
	"context"
	"crypto/tls"
	"net"
	"runtime"
	"sync"
	"time"
)

const (
	// silence is how long a peer may say nothing, or take nothing, before the
	// connection counts as broken. TCP would wait for minutes, and for as long again
	// after a cut is healed.
	silence = 10 * time.Second
	// pingEvery is how often the side that dialled asks for a sign of life. If there was none for
	// so many in a row, a fresh connection is tried.
	pingEvery = time.Second
	maxPings  = 2
	// pingID is the correlation of pings; no call comes so far.
	pingID = 1<<64 - 1
	// maxAnswers bounds what waits for a peer that asks and does not read, on all of its
	// connections.
	maxAnswers = 64 << 20
	// maxAhead is how many bytes the system takes at any time though the peer has not
	// read them: a write of no more does not block.
	maxAhead = 16 << 10
	// crowd is how many calls under way are worth a moment's wait for others that can go
	// with the next one. In a process without a processor to spare, the moment may be many
	// milliseconds; what calls nothing, as heartbeats, never waits.
	crowd = 4
	// load is how many bytes of answers are worth a system call though more of them are to
	// come: while they are made, the peer reads these.
	load = 8 << 10
)

// A conn is a connection, from before it is dialled until it is broken. It gathers
// frames while those before them are being written, so that many go out in one system
// call; two buffers take turns. A goroutine writes, but not if that is known to be a
// detour: a call that is alone writes its frame itself, and the goroutine that reads requests writes
// the answers that it has at the end of what it has read.
type conn struct {
	limit  int       // of the bytes in frames
	rate   int       // of the bytes that are written in a second; zero: none
	spare  sync.Pool // of calls
	share  *share    // of the memory for large frames; nil: there is no bound
	unread *share    // counts what waits for the peer to read it; nil: this side dialled

	mu sync.Mutex
	nc net.Conn // nil until it is made
	// dialled: this side asks, the other one answers.
	dialled bool
	frames  []byte
	other   []byte // the buffer whose turn it is not
	// taken counts the bytes that were taken to be written. A frame that begins there
	// or later in the stream has not left this process. The peer has read what is
	// before heard.
	taken, heard uint64
	writing      bool          // somebody writes what was taken
	held         bool          // who reads is going to write
	deadlineSet  time.Time     // when the deadline of writes was set
	room         chan struct{} // closed when there is room again; nil: nobody waits
	calls        map[uint64]*call
	last         uint64 // correlation
	err          error  // why there is an end; nil: there is none

	pings int    // since the last answer
	renew func() // makes a fresh connection; nil: nobody does

	wake chan struct{} // there are frames
	end  chan struct{} // closed with err
}

func newConn(limit int) *conn {
	return &conn{limit: limit, calls: make(map[uint64]*call), wake: make(chan struct{}, 1), end: make(chan struct{})}
}

// add appends a frame, which has a correlation of its own if there is a call. If there
// is no room it returns a channel that is closed when there is.
func (c *conn) add(k *call, typ Type, flags uint8, id uint64, body [][]byte) (full <-chan struct{}, err error) {
	size := length(body)
	if size > MaxBody {
		return nil, ErrTooLarge
	}
	limit := c.limit
	if flags&flagAnswer != 0 {
		limit = maxAnswers
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.err != nil:
		return nil, notSent(c.err)
	case len(c.frames) > 0 && len(c.frames)+headerBytes+size > limit, !c.unread.add(headerBytes + size):
		if c.room == nil {
			c.room = make(chan struct{})
		}
		return c.room, nil
	}
	first := len(c.frames) == 0 && !c.writing && !c.held
	if k != nil {
		c.last++
		id = c.last
		k.id, k.start = id, c.taken+uint64(len(c.frames))
		c.calls[id] = k
		k.alone = first && c.nc != nil && c.rate == 0 && len(c.calls) == 1 && c.taken-c.heard+uint64(headerBytes+size) <= maxAhead
		first = first && !k.alone
	}
	c.frames = appendFrame(c.frames, typ, flags, id, body...)
	if first {
		c.rouse()
	}
	return nil, nil
}

// rouse has the goroutine that writes look for frames.
func (c *conn) rouse() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// put is add that waits for room until ctx ends.
func (c *conn) put(ctx context.Context, k *call, typ Type, body [][]byte) error {
	for {
		full, err := c.add(k, typ, 0, 0, body)
		if full == nil {
			return err
		}
		select {
		case <-full:
		case <-c.end:
		case <-ctx.Done():
			return overloaded(ctx)
		}
	}
}

// flush writes the frames that are there, unless somebody else is at it, who comes back for
// them. It reports whether there are others now.
func (c *conn) flush() (more bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held = false
	if c.writing || len(c.frames) == 0 || c.err != nil {
		return false, nil
	}
	frames, nc := c.frames, c.nc
	c.frames, c.other = c.other[:0], nil
	c.taken += uint64(len(frames))
	if c.room != nil {
		close(c.room)
		c.room = nil
	}
	// The deadline need not be exact, and costs more than the clock.
	if now := time.Now(); now.Sub(c.deadlineSet) > time.Second {
		if err := nc.SetWriteDeadline(now.Add(silence)); err != nil {
			c.unread.taken(len(frames))
			return false, err
		}
		c.deadlineSet = now
	}
	c.writing = true
	c.mu.Unlock()
	if c.rate == 0 {
		_, err = nc.Write(frames)
	} else {
		err = paced(nc, frames, c.rate, c.end)
	}
	c.mu.Lock()
	c.writing = false
	c.unread.taken(len(frames))
	if cap(frames) <= keepBytes {
		c.other = frames[:0]
	}
	return len(c.frames) > 0, err
}

// flushHere is flush by somebody who has other things to do.
func (c *conn) flushHere() {
	more, err := c.flush()
	switch {
	case err != nil:
		c.stop(err)
	case more:
		c.rouse()
	}
}

// crowded reports whether so many calls are under way that more are likely to come at once.
func (c *conn) crowded() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.calls) >= crowd
}

// laden reports whether so much waits that it is better to let the peer begin with it.
func (c *conn) laden() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.frames) >= load
}

// hold lets frames wait for the next flush.
func (c *conn) hold() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held = true
}

// run writes and reads until the connection breaks, and returns why. It gives each
// frame that is not an answer to handle, in order. The side that dialled pings.
func (c *conn) run(nc net.Conn, dialled bool, handle func(frame)) error {
	c.mu.Lock()
	c.nc, c.dialled = nc, dialled
	ended := c.err != nil
	c.mu.Unlock()
	if ended {
		_ = nc.Close() // nobody used it yet
		return c.err
	}
	var writing sync.WaitGroup
	writing.Go(func() { c.stop(c.write(nc, dialled)) })
	c.stop(c.read(nc, handle))
	writing.Wait()
	return c.err
}

func (c *conn) write(nc net.Conn, pings bool) error {
	var ping <-chan time.Time
	if pings {
		ticker := time.NewTicker(pingEvery)
		defer ticker.Stop()
		ping = ticker.C
	}
	for {
		select {
		case <-c.wake:
			if c.crowded() {
				runtime.Gosched() // other callers are about to add frames
			}
		case <-ping:
			if c.silent() && c.renew != nil {
				c.renew()
			}
			// The answer is that the type is not known. If there is no room, others
			// ask.
			_, _ = c.add(nil, typePing, 0, pingID, nil)
		case <-c.end:
			return c.err
		}
		for more := true; more; {
			var err error
			if more, err = c.flush(); err != nil {
				return err
			}
		}
	}
}

// silent counts a ping, and reports whether none of the last ones was answered.
func (c *conn) silent() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pings++
	return c.pings > maxPings
}

// read takes frames. The answers to requests that came together leave together. The side
// that dialled reads answers whatever happens, and so never waits in order to write.
func (c *conn) read(nc net.Conn, handle func(frame)) error {
	r := newReader(&listening{nc: nc}, MaxBody, readBytes)
	r.share, r.quit = c.share, c.end
	defer r.release()
	held := false
	for {
		if held && (!r.ready() || c.laden()) {
			c.flushHere()
			held = false
		}
		f, err := r.next()
		switch {
		case err != nil:
			return err
		case f.flags&flagAnswer != 0:
			c.answered(f)
		default:
			if !held && !c.dialled {
				c.hold()
				held = true
			}
			handle(f)
		}
	}
}

// listening reads as long as something comes.
type listening struct {
	nc   net.Conn
	last time.Time // when the deadline was set
}

// Read implements io.Reader.
func (l *listening) Read(b []byte) (int, error) {
	// The deadline need not be exact, and costs more than the clock.
	if now := time.Now(); now.Sub(l.last) > time.Second {
		if err := l.nc.SetReadDeadline(now.Add(silence)); err != nil {
			return 0, err
		}
		l.last = now
	}
	return l.nc.Read(b)
}

// stop ends the connection and its calls, for the first reason that is given.
func (c *conn) stop(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.err = err
	close(c.end)
	for id, k := range c.calls {
		k.err = broken(err)
		if k.start >= c.taken {
			k.err = notSent(err)
		}
		delete(c.calls, id)
		k.done <- struct{}{}
	}
	c.unread.taken(len(c.frames))
	c.frames = nil
	if c.nc != nil {
		nc := bare(c.nc)
		if tcp, ok := nc.(*net.TCPConn); ok && c.dialled {
			// A request that was given up goes elsewhere now. If the system went on
			// sending it, it could arrive after a cut and be executed a second time.
			_ = tcp.SetLinger(0) // it fails only for what is closed
		}
		_ = nc.Close() // it is given up either way
	}
}

// bare returns the connection below TLS. To close that does not wait until a peer that
// takes nothing was told.
func bare(nc net.Conn) net.Conn {
	if t, ok := nc.(*tls.Conn); ok {
		return t.NetConn()
	}
	return nc
}

func (c *conn) stopped() bool {
	select {
	case <-c.end:
		return true
	default:
		return false
	}
}
