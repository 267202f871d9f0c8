package wire

import (
	"net"
	"testing"
)

// A pipe takes what is written, and calls a function each time.
type pipe struct {
	net.Conn
	write func()
}

func (p pipe) Write(b []byte) (int, error) {
	p.write()
	return len(b), nil
}

// open returns a connection whose other side takes everything.
func open(t *testing.T, write func()) *conn {
	t.Helper()
	here, there := net.Pipe()
	t.Cleanup(func() { _, _ = here.Close(), there.Close() })
	c := newConn(1 << 20)
	c.nc = pipe{here, write}
	return c
}

// A call writes its frame itself only if it cannot come to wait for the peer.
func TestCallsThatAreAlone(t *testing.T) {
	for name, test := range map[string]struct {
		change func(c *conn)
		alone  bool
	}{
		"nothing else":            {func(*conn) {}, true},
		"not connected":           {func(c *conn) { c.nc = nil }, false},
		"other frames":            {func(c *conn) { _, _ = c.add(nil, 1, 0, 0, nil) }, false},
		"another call":            {func(c *conn) { c.calls[77] = &call{} }, false},
		"somebody writes":         {func(c *conn) { c.writing = true }, false},
		"bulk":                    {func(c *conn) { c.rate = 1 }, false},
		"much that is not read":   {func(c *conn) { c.taken = maxAhead }, false},
		"much that has been read": {func(c *conn) { c.taken, c.heard = maxAhead, maxAhead }, true},
	} {
		t.Run(name, func(t *testing.T) {
			c, k := open(t, func() {}), &call{}
			test.change(c)
			if _, err := c.add(k, 1, 0, 0, nil); err != nil || k.alone != test.alone {
				t.Errorf("alone is %v, %v", k.alone, err)
			}
		})
	}
}

// Frames that come while somebody writes who does not come back are left to the goroutine
// that writes.
func TestNothingIsLeftBehind(t *testing.T) {
	var c *conn
	c = open(t, func() { _, _ = c.add(nil, 1, 0, 0, [][]byte{[]byte("second")}) })
	c.hold() // the first wakes nobody
	_, _ = c.add(nil, 1, 0, 0, [][]byte{[]byte("first")})
	c.flushHere()
	select {
	case <-c.wake:
	default:
		t.Error("nobody writes the second frame")
	}
}

// The side that dialled only reads: if it waited to write answers, and the other side, too,
// both would wait for ever.
func TestWhoReadsAnswersDoesNotWrite(t *testing.T) {
	for _, dialled := range []bool{true, false} {
		here, there := net.Pipe()
		c, held := newConn(1<<20), make(chan bool, 1)
		end := make(chan struct{})
		go func() {
			defer close(end)
			_ = c.run(here, dialled, func(frame) {
				c.mu.Lock()
				defer c.mu.Unlock()
				held <- c.held
			})
		}()
		if _, err := there.Write(appendFrame(nil, 1, 0, 0)); err != nil {
			t.Fatal(err)
		}
		if got := <-held; got == dialled {
			t.Errorf("dialled is %v, and whoever reads holds answers back: %v", dialled, got)
		}
		c.stop(ErrClosed)
		<-end
		_ = there.Close() // it served its purpose
	}
}

// Answers to requests that came together leave together, but not more than a load of them.
func TestLoadsLeaveAtOnce(t *testing.T) {
	for size, want := range map[int]int{10: 1, load / 2: 4} {
		here, there := net.Pipe()
		c, writes, end := newConn(1<<20), 0, make(chan struct{})
		all := make(chan struct{})
		var requests []byte
		for id := range 8 {
			requests = appendFrame(requests, 1, 0, uint64(id+1))
		}
		go func() {
			defer close(end)
			_ = c.run(pipe{here, func() { writes++ }}, false, func(f frame) {
				if f.id == 9 {
					close(all)
					return
				}
				_, _ = c.add(nil, 1, flagAnswer, f.id, [][]byte{make([]byte, size)})
			})
		}()
		for _, b := range [][]byte{requests, appendFrame(nil, 1, 0, 9)} { // the second is read when the first is done with
			if _, err := there.Write(b); err != nil {
				t.Fatal(err)
			}
		}
		<-all
		c.stop(ErrClosed)
		<-end
		_ = there.Close() // it served its purpose
		if writes != want {
			t.Errorf("answers of %d bytes were written %d times, want %d", size, writes, want)
		}
	}
}

// Only what goes in bulk is paced.
func TestBulkIsPaced(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e, err := Start(Options{Self: Hello{Cluster: "shop", ID: 1, Protocol: 1, Oldest: 1}, Security: Security{Plaintext: true}, Listener: l})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close() //nolint:errcheck // nothing was sent
	p := e.Peer(2, "127.0.0.1:1")
	for class, want := range map[Class]int{Control: 0, Data: 0, Bulk: bulkRate} {
		c, err := p.conn(class)
		if err != nil || c.rate != want {
			t.Errorf("class %d: %v bytes a second, %v", class, c.rate, err)
		}
	}
}
