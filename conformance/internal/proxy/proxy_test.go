package proxy_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/conformance/internal/proxy"
)

// A server answers each line with itself, and counts them.
type server struct {
	addr string

	mu    sync.Mutex
	lines []string
}

func startServer(t *testing.T) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{addr: l.Addr().String()}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer c.Close() //nolint:errcheck // it is over
				for in := bufio.NewReader(c); ; {
					line, err := in.ReadString('\n')
					if err != nil {
						return
					}
					s.mu.Lock()
					s.lines = append(s.lines, line)
					s.mu.Unlock()
					if _, err := io.WriteString(c, line); err != nil {
						return
					}
				}
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); running.Wait() })
	return s
}

// got returns the number of lines that arrived.
func (s *server) got() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.lines)
}

func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !cond(); <-time.After(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(what)
		}
	}
}

// start puts a proxy before a server and connects.
func start(t *testing.T) (*server, *proxy.Proxy, net.Conn) {
	t.Helper()
	s := startServer(t)
	p, err := proxy.Start(s.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return s, p, dial(t, p)
}

func dial(t *testing.T, p *proxy.Proxy) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if got, err := ask(c, time.Second); got != request || err != nil {
		t.Fatalf("without a fault the answer is %q, %v", got, err)
	}
	return c
}

const request = "one line\n"

// ask sends a request and returns what comes back until then.
func ask(c net.Conn, patience time.Duration) (string, error) {
	if _, err := io.WriteString(c, request); err != nil {
		return "", err
	}
	_ = c.SetReadDeadline(time.Now().Add(patience))
	answer := make([]byte, len(request))
	n, err := io.ReadFull(c, answer)
	return string(answer[:n]), err
}

// Each fault that meets a request does what its name says, and to that request alone.
func TestFaultsOfARequest(t *testing.T) {
	for _, test := range []struct {
		fault   proxy.Fault
		arrives bool
		answer  int // how much of it comes back
		silent  bool
	}{
		{fault: proxy.LoseRequest},
		{fault: proxy.LoseAnswer, arrives: true},
		{fault: proxy.CutAnswer, arrives: true, answer: len(request) / 2},
		{fault: proxy.HalfClose, arrives: true},
		{fault: proxy.Mute, arrives: true, silent: true},
	} {
		t.Run(test.fault.String(), func(t *testing.T) {
			s, p, c := start(t)
			struck := make(chan int, 1)
			p.Begin(test.fault, 1, func() { struck <- s.got() })
			if got, err := ask(c, time.Second); got != request || err != nil || p.Struck() {
				t.Fatalf("the request before is answered by %q, %v", got, err)
			}
			got, err := ask(c, 300*time.Millisecond)
			if len(got) != test.answer || err == nil || !p.Struck() {
				t.Errorf("got %q, %v", got, err)
			}
			if silent := errors.Is(err, os.ErrDeadlineExceeded); silent != test.silent {
				t.Errorf("the connection keeps silent: %v: %v", silent, err)
			}
			want := 2
			if test.arrives {
				want = 3
			}
			if n := <-struck; n != want || s.got() != want {
				t.Errorf("when it had struck %d requests had arrived, and later %d; want %d", n, s.got(), want)
			}
			dial(t, p)
		})
	}
}

func TestRefuse(t *testing.T) {
	s, p, c := start(t)
	p.Begin(proxy.Refuse, 0, nil)
	if got, err := ask(c, time.Second); err == nil {
		t.Errorf("a broken connection answers %q", got)
	}
	if c, err := net.Dial("tcp", p.Addr()); err == nil {
		_ = c.Close()
		t.Error("a connection is not refused")
	}
	if err := p.Heal(); err != nil {
		t.Fatal(err)
	}
	dial(t, p)
	if s.got() != 2 {
		t.Errorf("%d requests arrived", s.got())
	}
}

// What was sent while nothing passed arrives later, from whomever.
func TestStall(t *testing.T) {
	for _, f := range []proxy.Fault{proxy.Stall, proxy.StallNew} {
		t.Run(f.String(), func(t *testing.T) {
			s, p, c := start(t)
			p.Begin(f, 0, nil)
			if f == proxy.StallNew {
				var err error
				if c, err = net.Dial("tcp", p.Addr()); err != nil {
					t.Fatal(err)
				}
			}
			if got, err := ask(c, 100*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) || s.got() != 1 {
				t.Errorf("got %q, %v, and %d requests arrived", got, err, s.got())
			}
			_ = c.Close()
			if err := p.Heal(); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the request of somebody who has hung up did not arrive", func() bool { return s.got() == 2 })
			eventually(t, "a connection that was closed counts as open", func() bool { return p.Open() == 0 })
		})
	}
}

func TestDelay(t *testing.T) {
	_, p, c := start(t)
	p.Begin(proxy.Delay, 0, nil)
	if got, err := ask(c, 10*time.Second); got != request || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if p.Taken() != 1 || p.Open() != 1 {
		t.Errorf("%d connections, %d of them open", p.Taken(), p.Open())
	}
}
