package wire_test

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/wire"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/wire/wiretest"
)

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
