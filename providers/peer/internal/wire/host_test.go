package wire_test

import (
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

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
