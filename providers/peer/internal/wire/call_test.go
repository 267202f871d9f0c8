package wire_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/wire"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/wire/wiretest"
)

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
