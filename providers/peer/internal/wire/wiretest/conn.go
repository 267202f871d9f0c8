package wiretest

import (
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// An end is one side of a connection. The network's lock guards it.
type end struct {
	n           *Network
	host, peer  string
	other       *end
	closed      bool
	in          []chunk // what the other side wrote
	held        int     // bytes in it
	read, write time.Time
}

// A chunk is bytes on their way.
type chunk struct {
	b  []byte
	at time.Time // of arrival
}

// cut reports whether nothing arrives here.
func (e *end) cut() bool { return e.n.isCut(e.peer, e.host) }

// travel is how long bytes are under way from here.
func (e *end) travel() time.Duration {
	if d, slow := e.n.slow[[2]string{e.host, e.peer}]; slow {
		return d
	}
	return e.n.delay
}

func (e *end) Read(b []byte) (k int, err error) {
	e.n.wait(nil, func() (time.Time, bool) {
		again := e.read
		switch {
		case e.closed:
			err = net.ErrClosed
		case past(e.read):
			err = os.ErrDeadlineExceeded
		case e.cut():
			return again, false
		case len(e.in) > 0:
			if at := e.in[0].at; time.Now().Before(at) {
				if again.IsZero() || at.Before(again) {
					again = at
				}
				return again, false
			}
			k = copy(b, e.in[0].b)
			e.held -= k
			if e.in[0].b = e.in[0].b[k:]; len(e.in[0].b) == 0 {
				e.in = e.in[1:]
			}
		case e.other.closed:
			err = io.EOF
		default:
			return again, false
		}
		return again, true
	})
	return k, err
}

func (e *end) Write(b []byte) (written int, err error) {
	for written < len(b) && err == nil {
		e.n.wait(nil, func() (time.Time, bool) {
			switch room := window - e.other.held; {
			case e.closed:
				err = net.ErrClosed
			case past(e.write):
				err = os.ErrDeadlineExceeded
			case e.other.closed && !e.cut():
				err = &net.OpError{Op: "write", Net: "tcp", Err: syscall.ECONNRESET}
			case room > 0:
				k := min(room, len(b)-written)
				e.other.in = append(e.other.in, chunk{append([]byte(nil), b[written:written+k]...), time.Now().Add(e.travel())})
				e.other.held += k
				written += k
			default:
				return e.write, false
			}
			return time.Time{}, true
		})
	}
	return written, err
}

func past(t time.Time) bool { return !t.IsZero() && !time.Now().Before(t) }

func (e *end) Close() error {
	e.n.change(func() {
		e.closed = true
		delete(e.n.ends, e)
		if e.other.cut() {
			e.other.in, e.other.held = nil, 0 // nobody sends it again
		}
	})
	return nil
}

func (e *end) LocalAddr() net.Addr  { return addr(e.host) }
func (e *end) RemoteAddr() net.Addr { return addr(e.peer) }

func (e *end) SetDeadline(t time.Time) error {
	e.n.change(func() { e.read, e.write = t, t })
	return nil
}

func (e *end) SetReadDeadline(t time.Time) error {
	e.n.change(func() { e.read = t })
	return nil
}

func (e *end) SetWriteDeadline(t time.Time) error {
	e.n.change(func() { e.write = t })
	return nil
}
