package wire_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/wire"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/wire/wiretest"
)

const (
	echo    wire.Type = 1
	collect wire.Type = 2
	hold    wire.Type = 3 // is never answered
	strange wire.Type = 4
)

// hello is what a process of the tests says of itself.
func hello(id topology.ID) wire.Hello {
	return wire.Hello{Cluster: "shop", Protocol: 1, Oldest: 1, ID: id, Zone: "east", Mode: "both", Partitions: 271}
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// A host is an endpoint that answers echoes and collects messages and events.
type host struct {
	*wire.Endpoint
	addr string

	mu     sync.Mutex
	got    []string
	events []wire.Event
}

// start runs a host on a network. A modification of its options may be given.
func start(t *testing.T, n *wiretest.Network, id topology.ID, change ...func(*wire.Options)) *host {
	t.Helper()
	h := &host{addr: fmt.Sprintf("127.0.0.%d:1", id)}
	opts := wire.Options{
		Self: hello(id), Security: wire.Security{Plaintext: true},
		Listener: n.Listen(h.addr), Dial: n.Dialer(h.addr), Logger: discard(),
	}
	for _, f := range change {
		f(&opts)
	}
	e, err := wire.Start(opts)
	if err != nil {
		t.Fatal(err)
	}
	h.Endpoint = e
	t.Cleanup(func() { _ = e.Close() })
	e.Watch(func(ev wire.Event) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.events = append(h.events, ev)
	})
	e.Handle(echo, func(_ *wire.Hello, body []byte, r wire.Responder) { _ = r.Reply(body) })
	e.Handle(hold, func(*wire.Hello, []byte, wire.Responder) {})
	e.Handle(collect, func(from *wire.Hello, body []byte, _ wire.Responder) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.got = append(h.got, fmt.Sprintf("%d:%s", from.ID, body))
	})
	return h
}

// saw reports whether there was an event of a kind about a peer, and forgets it.
func (h *host) saw(kind wire.EventKind, id topology.ID) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := len(h.events)
	h.events = slices.DeleteFunc(h.events, func(ev wire.Event) bool { return ev.Kind == kind && ev.ID == id })
	return len(h.events) < n
}

// bubble runs a test with a network of its own in a synctest bubble.
func bubble(t *testing.T, f func(*testing.T, *wiretest.Network)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, wiretest.New()) })
}

func TestCallReturnsTheAnswer(t *testing.T) {
	bubble(t, func(t *testing.T, n *wiretest.Network) {
		a, b := start(t, n, 1), start(t, n, 2)
		p := a.Peer(2, b.addr)
		got, err := p.Call(t.Context(), wire.Data, echo, []byte("one, "), []byte("two"))
		if err != nil || string(got) != "one, two" {
			t.Errorf("got %q, %v", got, err)
		}
		large := bytes.Repeat([]byte("x"), wire.MaxBody)
		if got, err := p.Call(t.Context(), wire.Bulk, echo, large); err != nil || !bytes.Equal(got, large) {
			t.Errorf("the largest message came back with %d bytes, %v", len(got), err)
		}
		if _, err := p.Call(t.Context(), wire.Data, echo, large, []byte("x")); !errors.Is(err, wire.ErrTooLarge) || !errors.Is(err, wire.ErrNotSent) {
			t.Errorf("a larger one: %v", err)
		}
		if _, err := p.Call(t.Context(), wire.Data, strange); !errors.Is(err, wire.ErrUnknownType) {
			t.Errorf("an unknown type: %v", err)
		}
		if h := p.Hello(); h == nil || h.Zone != "east" || h.Addr != b.addr {
			t.Errorf("the peer said %+v", h)
		}
	})
}

func TestAnswersFindTheirCallers(t *testing.T) {
	a, _ := real(t, 1, wire.Security{Secret: secret})
	b, _ := real(t, 2, wire.Security{Secret: secret})
	b.Handle(echo, func(_ *wire.Hello, body []byte, r wire.Responder) {
		body = bytes.Clone(body)
		go func() { _ = r.Reply(body, []byte("!")) }()
	})
	p := a.Peer(2, b.Self().Addr)
	var callers sync.WaitGroup
	for i := range 32 {
		callers.Go(func() {
			for k := range 100 {
				want := fmt.Sprintf("%d of %d", k, i)
				got, err := p.Call(t.Context(), wire.Class(k%3), echo, []byte(want))
				if err != nil || string(got) != want+"!" {
					t.Errorf("%q was answered by %q, %v", want, got, err)
					return
				}
			}
		})
	}
	callers.Wait()
}

func TestTooLargeAnswerCanBeMadeShorter(t *testing.T) {
	bubble(t, func(t *testing.T, n *wiretest.Network) {
		a, b := start(t, n, 1), start(t, n, 2)
		b.Handle(strange, func(_ *wire.Hello, _ []byte, r wire.Responder) {
			if err := r.Reply(make([]byte, wire.MaxBody+1)); !errors.Is(err, wire.ErrTooLarge) {
				t.Errorf("got %v", err)
			}
			_ = r.Reply([]byte("much"))
		})
		if got, err := a.Peer(2, b.addr).Call(t.Context(), wire.Data, strange); err != nil || string(got) != "much" {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

func TestMessagesOfAClassKeepTheirOrder(t *testing.T) {
	bubble(t, func(t *testing.T, n *wiretest.Network) {
		n.SetDelay(time.Millisecond)
		a, b := start(t, n, 1, func(o *wire.Options) { o.QueueBytes = 200 }), start(t, n, 2)
		var want []string
		for i := range 500 {
			if err := a.Peer(2, b.addr).Send(t.Context(), wire.Data, collect, fmt.Append(nil, i)); err != nil {
				t.Fatal(err)
			}
			want = append(want, fmt.Sprintf("1:%d", i))
		}
		time.Sleep(time.Second)
		b.mu.Lock()
		defer b.mu.Unlock()
		if !slices.Equal(b.got, want) {
			t.Errorf("got %v", b.got)
		}
	})
}

func TestFullQueueIsOverload(t *testing.T) {
	bubble(t, func(t *testing.T, n *wiretest.Network) {
		a, b := start(t, n, 1, func(o *wire.Options) { o.QueueBytes = 1000 }), start(t, n, 2)
		n.Cut(a.addr, b.addr) // nothing leaves the queue before the connection is there
		p := a.Peer(2, b.addr)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		body := make([]byte, 800)
		if err := p.Send(ctx, wire.Data, collect, body); err != nil {
			t.Fatal(err)
		}
		if err := p.Post(wire.Data, collect, body); !errors.Is(err, wire.ErrOverloaded) || !errors.Is(err, wire.ErrNotSent) {
			t.Errorf("Post: %v", err)
		}
		began := time.Now()
		err := p.Send(ctx, wire.Data, collect, body)
		if !errors.Is(err, wire.ErrOverloaded) || !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("Send: %v after %v", err, time.Since(began))
		}
		if _, err := p.Call(ctx, wire.Data, collect, body); !errors.Is(err, wire.ErrNotSent) {
			t.Errorf("Call: %v", err)
		}
	})
}

func TestErrorsTellWhatWasNotSent(t *testing.T) {
	bubble(t, func(t *testing.T, n *wiretest.Network) {
		a, b := start(t, n, 1), start(t, n, 2)
		p := a.Peer(2, b.addr)
		short := func() context.Context {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			t.Cleanup(cancel)
			return ctx
		}
		n.Cut(a.addr, b.addr)
		if _, err := p.Call(short(), wire.Data, collect, []byte("withdrawn")); !errors.Is(err, wire.ErrNotSent) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("before the connection was made: %v", err)
		}
		n.Heal(a.addr, b.addr)
		if _, err := p.Call(t.Context(), wire.Data, echo); err != nil {
			t.Error(err)
		}
		if len(b.got) > 0 {
			t.Errorf("what was not sent took effect: %q", b.got)
		}
		if _, err := p.Call(short(), wire.Data, hold); errors.Is(err, wire.ErrNotSent) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("while the peer has it: %v", err)
		}
		failed := make(chan error)
		go func() {
			_, err := p.Call(t.Context(), wire.Data, hold)
			failed <- err
		}()
		synctest.Wait()
		n.Kill(b.addr)
		if err := <-failed; errors.Is(err, wire.ErrNotSent) || !errors.Is(err, wire.ErrBroken) {
			t.Errorf("when the peer died with it: %v", err)
		}
		if _, err := p.Call(t.Context(), wire.Data, echo); !errors.Is(err, wire.ErrNotSent) {
			t.Errorf("when the peer was dead: %v", err)
		}
		if _, err := p.Call(t.Context(), wire.Data, echo); !errors.Is(err, wire.ErrNotSent) {
			t.Errorf("and later: %v", err)
		}
	})
}

func TestCallThatIsWithdrawnWhileTheSocketIsFull(t *testing.T) {
	bubble(t, func(t *testing.T, n *wiretest.Network) {
		a, b := start(t, n, 1), start(t, n, 2)
		p := a.Peer(2, b.addr)
		if _, err := p.Call(t.Context(), wire.Data, echo); err != nil {
			t.Fatal(err)
		}
		n.Cut(a.addr, b.addr)
		if err := p.Send(t.Context(), wire.Data, hold, make([]byte, 200<<10)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // the writer is stuck in the middle of it
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := p.Call(ctx, wire.Data, collect, []byte("withdrawn")); !errors.Is(err, wire.ErrNotSent) {
			t.Errorf("got %v", err)
		}
		n.Heal(a.addr, b.addr)
		if err := p.Send(t.Context(), wire.Data, collect, []byte("later")); err != nil {
			t.Error(err)
		}
		if _, err := p.Call(t.Context(), wire.Data, echo); err != nil {
			t.Error(err)
		}
		if want := []string{"1:later"}; !slices.Equal(b.got, want) {
			t.Errorf("got %q, want %q", b.got, want)
		}
	})
}

func TestDeathOfAPeerIsSeenAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, n *wiretest.Network) {
		a, b := start(t, n, 1), start(t, n, 2)
		if _, err := a.Peer(2, b.addr).Call(t.Context(), wire.Control, echo); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Peer(1, a.addr).Call(t.Context(), wire.Data, echo); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if !a.saw(wire.Connected, 2) || a.saw(wire.Broken, 2) {
			t.Error("no connection was reported")
		}
		n.Kill(b.addr)
		synctest.Wait()
		if !a.saw(wire.Broken, 2) || !a.saw(wire.Refused, 2) {
			t.Errorf("the death was not seen: %v", a.events)
		}
	})
}

// TestGivenUpRequestsNeverArrive: the system sends nothing more of what a connection to
// who was forgotten still had to send.
func TestGivenUpRequestsNeverArrive(t *testing.T) {
	real := func(o *wire.Options) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		o.Listener, o.Dial = l, nil
	}
	n := wiretest.New()
	a, b := start(t, n, 1, real), start(t, n, 2, real)
	for _, x := range []struct{ from, to *host }{{a, b}, {b, a}} {
		if _, err := x.from.Peer(x.to.Self().ID, x.to.Self().Addr).Call(t.Context(), wire.Data, echo, []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	a.Forget(2)
	poll(t, "the end of what was dialled there", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return slices.ContainsFunc(b.events, func(e wire.Event) bool { return errors.Is(e.Err, io.EOF) })
	})
	poll(t, "the reset", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return slices.ContainsFunc(b.events, func(e wire.Event) bool { return errors.Is(e.Err, syscall.ECONNRESET) })
	})
}

func TestAnotherProcessAtTheAddressIsNotThePeer(t *testing.T) {
	bubble(t, func(t *testing.T, n *wiretest.Network) {
		a, b := start(t, n, 1), start(t, n, 2)
		p := a.Peer(3, b.addr)
		if _, err := p.Call(t.Context(), wire.Data, echo); !errors.Is(err, wire.ErrNotSent) || !errors.Is(err, wire.ErrReplaced) {
			t.Errorf("got %v", err)
		}
		if !a.saw(wire.Refused, 3) {
			t.Errorf("nothing tells that the process is gone: %v", a.events)
		}
		if _, _, err := a.Stream(t.Context(), a.addr); !errors.Is(err, wire.ErrSelf) {
			t.Errorf("one's own address: %v", err)
		}
		if _, err := a.Peer(1, a.addr).Call(t.Context(), wire.Data, echo); !errors.Is(err, wire.ErrSelf) {
			t.Errorf("one's own ID: %v", err)
		}
		synctest.Wait()
		if a.saw(wire.Broken, 1) {
			t.Error("a process is told of itself")
		}
	})
}

func TestPeerIsDialledAgainWithPauses(t *testing.T) {
	bubble(t, func(t *testing.T, n *wiretest.Network) {
		var dials atomic.Int64
		a := start(t, n, 1, func(o *wire.Options) {
			dial := o.Dial
			o.Dial = func(ctx context.Context, addr string) (net.Conn, error) {
				dials.Add(1)
				return dial(ctx, addr)
			}
		})
		p := a.Peer(2, "127.0.0.2:1")
		for range 600 { // a minute of heartbeats
			_ = p.Post(wire.Control, collect, []byte("beat"))
			time.Sleep(100 * time.Millisecond)
		}
		if d := dials.Load(); d < 40 || d > 90 {
			t.Errorf("%d dials in a minute", d)
		}
		start(t, n, 2)
		began := time.Now()
		if _, err := p.Call(t.Context(), wire.Control, echo); err != nil || time.Since(began) > 1500*time.Millisecond {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
	})
}

func TestPeerThatDoesNotReadIsCutOff(t *testing.T) {
	bubble(t, func(t *testing.T, n *wiretest.Network) {
		a, b := start(t, n, 1), start(t, n, 2)
		p := a.Peer(2, b.addr)
		if _, err := p.Call(t.Context(), wire.Data, echo); err != nil {
			t.Fatal(err)
		}
		n.Cut(a.addr, b.addr)
		began := time.Now()
		_, err := p.Call(t.Context(), wire.Data, echo, make([]byte, 1<<20))
		if !errors.Is(err, wire.ErrBroken) || time.Since(began) > 15*time.Second {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
	})
}

func TestSilentCutIsNoticedByBothSides(t *testing.T) {
	bubble(t, func(t *testing.T, n *wiretest.Network) {
		a, b := start(t, n, 1), start(t, n, 2)
		if err := a.Peer(2, b.addr).Send(t.Context(), wire.Data, collect); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if a.saw(wire.Broken, 2) || b.saw(wire.Broken, 1) {
			t.Fatal("an idle connection broke")
		}
		n.Cut(a.addr, b.addr)
		time.Sleep(15 * time.Second)
		if !a.saw(wire.Broken, 2) || !b.saw(wire.Broken, 1) {
			t.Errorf("not noticed: %v, %v", a.events, b.events)
		}
	})
}

func TestHelloSaysWhatDiffers(t *testing.T) {
	tests := []struct {
		name   string
		change func(*wire.Hello)
		want   string
	}{
		{"cluster", func(h *wire.Hello) { h.Cluster = "bank" }, `in cluster "`},
		{"partitions", func(h *wire.Hello) { h.Partitions = 7 }, "partitions, the other"},
		{"newer", func(h *wire.Hello) { h.Protocol, h.Oldest = 3, 2 }, "protocol"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, n *wiretest.Network) {
				var log bytes.Buffer
				a := start(t, n, 1)
				b := start(t, n, 2, func(o *wire.Options) {
					tt.change(&o.Self)
					o.Logger = slog.New(slog.NewTextHandler(&log, nil))
				})
				_, err := a.Peer(2, b.addr).Call(t.Context(), wire.Data, echo)
				if !errors.Is(err, wire.ErrMismatch) || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("who dialled sees: %v", err)
				}
				synctest.Wait()
				if text := strings.ReplaceAll(log.String(), `\`, ""); !strings.Contains(text, tt.want) {
					t.Errorf("who was dialled logs: %s", text)
				}
			})
		})
	}
	t.Run("a range of versions in common", func(t *testing.T) {
		bubble(t, func(t *testing.T, n *wiretest.Network) {
			a, b := start(t, n, 1), start(t, n, 2, func(o *wire.Options) { o.Self.Protocol = 2 })
			if _, err := a.Peer(2, b.addr).Call(t.Context(), wire.Data, echo); err != nil {
				t.Error(err)
			}
		})
	})
}

func TestSilentStrangerIsTurnedAway(t *testing.T) {
	bubble(t, func(t *testing.T, n *wiretest.Network) {
		var log bytes.Buffer
		b := start(t, n, 2, func(o *wire.Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		for _, says := range []string{"", "GET / HTTP/1.1\r\n\r\n", "\x00\x00\x00\x0e\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00SPAM"} {
			c, err := n.Dialer("stranger")(t.Context(), b.addr)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.WriteString(c, says)
			began := time.Now()
			if got, err := io.ReadAll(c); len(got) > 0 || err != nil || time.Since(began) > 3*time.Second {
				t.Errorf("%q: got %q, %v after %v", says, got, err, time.Since(began))
			}
			_ = c.Close()
		}
		synctest.Wait()
		if lines := strings.Count(log.String(), "turned away"); lines != 1 {
			t.Errorf("strangers filled the log with %d lines: %s", lines, log.String())
		}
	})
}

func TestConnectionsAreLimited(t *testing.T) {
	bubble(t, func(t *testing.T, n *wiretest.Network) {
		a, c := start(t, n, 1), start(t, n, 3)
		b := start(t, n, 2, func(o *wire.Options) { o.MaxConns = 1 })
		if _, err := a.Peer(2, b.addr).Call(t.Context(), wire.Data, echo); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Peer(2, b.addr).Call(t.Context(), wire.Data, echo); !errors.Is(err, wire.ErrNotSent) {
			t.Errorf("one connection too many: %v", err)
		}
		a.Forget(2)
		synctest.Wait()
		if _, err := c.Peer(2, b.addr).Call(t.Context(), wire.Data, echo); err != nil {
			t.Errorf("after the other one closed: %v", err)
		}
	})
}

func TestStreamCarriesBytes(t *testing.T) {
	bubble(t, func(t *testing.T, n *wiretest.Network) {
		a, b := start(t, n, 1), start(t, n, 2)
		b.HandleStreams(func(c net.Conn, from *wire.Hello) {
			go func() {
				_, _ = fmt.Fprintf(c, "hello %d", from.ID)
				_ = c.Close()
			}()
		})
		c, peer, err := a.Stream(t.Context(), b.addr)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(c); string(got) != "hello 1" || err != nil || peer.ID != 2 {
			t.Errorf("%d says %q, %v", peer.ID, got, err)
		}
		_ = c.Close()
	})
}

func TestCloseEndsCallsAndStreams(t *testing.T) {
	bubble(t, func(t *testing.T, n *wiretest.Network) {
		a, b := start(t, n, 1), start(t, n, 2)
		failed, ended := make(chan error), make(chan error)
		b.HandleStreams(func(c net.Conn, _ *wire.Hello) {})
		go func() {
			_, err := a.Peer(2, b.addr).Call(t.Context(), wire.Data, hold)
			failed <- err
		}()
		c, _, err := a.Stream(t.Context(), b.addr)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			_, err := c.Read(make([]byte, 1))
			ended <- err
		}()
		synctest.Wait()
		if err := a.Close(); err != nil {
			t.Error(err)
		}
		if err := <-failed; !errors.Is(err, wire.ErrBroken) || !errors.Is(err, wire.ErrClosed) {
			t.Errorf("the call: %v", err)
		}
		if err := <-ended; err == nil {
			t.Error("the stream goes on")
		}
		if _, err := a.Peer(2, b.addr).Call(t.Context(), wire.Data, echo); !errors.Is(err, wire.ErrNotSent) || !errors.Is(err, wire.ErrClosed) {
			t.Errorf("a call after Close: %v", err)
		}
		if err := a.Close(); err != nil {
			t.Errorf("closing again: %v", err)
		}
	})
}
