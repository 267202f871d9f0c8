package node

import (
	"context"
	"log/slog"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/wire"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/wire/wiretest"
)

// Who has left answers what it still owes while it is there: callers need not wait until its
// connections break.
func TestWhoLeavesOwesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const host = "127.0.0.1:1"
		network := wiretest.New()
		n, err := Start(t.Context(), Options{
			Listen: []string{host}, Cluster: "shop", Partitions: 1, Copies: 1, Security: wire.Security{Plaintext: true},
			Network: Network{Listen: func(_ context.Context, addr string) (net.Listener, error) { return network.Listen(addr), nil }, Dial: network.Dialer(host)}, Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer n.Close()
		l, _ := n.now()
		s, answer := &l.member.slots[0], make(chan part.Result, 1)
		s.mu.Lock()
		s.waiting[1<<32] = waiter{local: answer}
		s.mu.Unlock()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := n.Leave(ctx); err != nil {
			t.Fatal(err)
		}
		select {
		case res := <-answer:
			if res.Status != part.Unknown {
				t.Errorf("the answer is %d", res.Status)
			}
		default:
			t.Error("it left, and somebody waits for its answer")
		}
	})
}
