package wire_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"testing/synctest"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/wire"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/wire/wiretest"
)

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
