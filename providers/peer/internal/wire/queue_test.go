package wire_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/wire"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/wire/wiretest"
)

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
