package member_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/member"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/wire"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/wire/wiretest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A process is an endpoint with an agent.
type process struct {
	id    topology.ID
	wire  *wire.Endpoint
	agent *member.Agent

	mu     sync.Mutex
	events []member.Event
	log    bytes.Buffer
}

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(b)
}

func (p *process) logged() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

func (p *process) notify(ev member.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.events = append(p.events, ev)
}

// saw reports whether there was an event since the last reset.
func (p *process) saw(kind member.EventKind, id topology.ID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.ContainsFunc(p.events, func(ev member.Event) bool { return ev.Kind == kind && ev.ID == id })
}

func (p *process) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.events = nil
}

// knows returns whom the process takes for alive.
func (p *process) knows() string {
	var ids []topology.ID
	for id := range p.agent.Alive() {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return fmt.Sprint(ids)
}

func (p *process) stop(t *testing.T) {
	t.Helper()
	if err := errors.Join(p.agent.Close(), p.wire.Close()); err != nil {
		t.Error(err)
	}
}

// crash ends the process without a word.
func (p *process) crash(t *testing.T) {
	t.Helper()
	if err := errors.Join(p.wire.Close(), p.agent.Close()); err != nil {
		t.Error(err)
	}
}

// start runs a process that gossips.
func start(t *testing.T, id topology.ID, w wire.Options, m member.Options) *process {
	t.Helper()
	p := &process{id: id}
	logger := slog.New(slog.NewTextHandler(p, &slog.HandlerOptions{Level: slog.LevelDebug}))
	w.Self = wire.Hello{Cluster: "shop", Protocol: 1, Oldest: 1, ID: id, Zone: "east", Mode: "both", Partitions: 271}
	w.Logger, m.Logger, m.Notify = logger, logger, p.notify
	var err error
	if p.wire, err = wire.Start(w); err != nil {
		t.Fatal(err)
	}
	m.Wire = p.wire
	if p.agent, err = member.Start(m); err != nil {
		t.Fatal(err)
	}
	return p
}

// host returns the address of a process in a network in memory.
func host(id topology.ID) string { return fmt.Sprintf("127.0.0.%d:1", id) }

// fake starts a process in a network in memory.
func fake(t *testing.T, n *wiretest.Network, id topology.ID, m member.Options) *process {
	t.Helper()
	return start(t, id, wire.Options{
		Security: wire.Security{Plaintext: true}, Listener: n.Listen(host(id)), Dial: n.Dialer(host(id)),
	}, m)
}

// real starts a process on the loopback interface.
func real(t *testing.T, id topology.ID, secret string, seeds ...string) *process {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return start(t, id, wire.Options{Security: wire.Security{Secret: secret}, Listener: l}, member.Options{Seeds: seeds})
}

func poll(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for over := time.Now().Add(15 * time.Second); !ok(); {
		if time.Now().After(over) {
			t.Fatalf("not within 15 s: %s", what)
		}
		<-time.After(5 * time.Millisecond)
	}
}

func TestThreeFindEachOtherThroughOneSeed(t *testing.T) {
	const secret = "a secret of the tests"
	a := real(t, 1, secret)
	b := real(t, 2, secret, a.wire.Self().Addr)
	c := real(t, 3, secret, a.wire.Self().Addr, "127.0.0.1:1")
	defer a.stop(t)
	defer b.stop(t)
	poll(t, "all know all", func() bool { return a.knows() == "[2 3]" && b.knows() == "[1 3]" && c.knows() == "[1 2]" })
	if m := b.agent.Alive()[3]; m.Addr != c.wire.Self().Addr || m.Zone != "east" || m.Mode != "both" || m.Protocol != 1 {
		t.Errorf("the second knows of the third %+v", m)
	}
	began := time.Now()
	c.crash(t)
	poll(t, "the crash is suspected", func() bool { return a.saw(member.Suspected, 3) && b.saw(member.Suspected, 3) })
	t.Log("suspected after", time.Since(began))
	poll(t, "the crash is known", func() bool { return a.saw(member.Gone, 3) && b.saw(member.Gone, 3) })
	t.Log("gone after", time.Since(began))
}

func TestWrongSecretNeverJoins(t *testing.T) {
	a := real(t, 1, "a secret of the tests")
	defer a.stop(t)
	b := real(t, 2, "another secret of the tests", a.wire.Self().Addr)
	defer b.stop(t)
	poll(t, "it is told", func() bool { return b.saw(member.Rejected, 0) })
	for _, p := range []*process{a, b} {
		poll(t, "it is logged", func() bool { return strings.Contains(p.logged(), "do not trust each other") })
		if p.knows() != "[]" {
			t.Errorf("%d knows %s", p.id, p.knows())
		}
		if strings.Contains(p.logged(), "of the tests") {
			t.Error("a secret is in the log")
		}
	}
}

// bubble runs a test with a network in memory, and lets what memberlist has under way
// end.
func bubble(t *testing.T, f func(*testing.T, *wiretest.Network)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f(t, wiretest.New())
		time.Sleep(time.Minute)
	})
}

func TestHalvesFindEachOtherAfterALongCut(t *testing.T) {
	bubble(t, func(t *testing.T, n *wiretest.Network) {
		// Nothing but what they remember leads them to each other the second time.
		var begun atomic.Bool
		once := member.Options{Seeds: []string{"shop.example:1"}, Resolve: func(context.Context, string) ([]string, error) {
			if begun.Load() {
				return nil, nil
			}
			return []string{"127.0.0.1"}, nil
		}}
		a, b, c := fake(t, n, 1, once), fake(t, n, 2, once), fake(t, n, 3, once)
		defer a.stop(t)
		defer b.stop(t)
		defer c.stop(t)
		time.Sleep(10 * time.Second)
		if a.knows() != "[2 3]" || b.knows() != "[1 3]" || c.knows() != "[1 2]" {
			t.Fatal("they did not find each other", a.knows(), b.knows(), c.knows())
		}
		begun.Store(true)
		for _, other := range []topology.ID{1, 3} {
			n.Cut(host(2), host(other))
			n.Cut(host(other), host(2))
		}
		time.Sleep(6 * time.Second)
		if b.knows() != "[]" {
			t.Errorf("the cut was not noticed in six seconds: %s", b.knows())
		}
		time.Sleep(10 * time.Minute)
		if a.knows() != "[3]" || b.knows() != "[]" || c.knows() != "[1]" || !a.saw(member.Gone, 2) || !b.saw(member.Gone, 3) {
			t.Fatal("the cut was not noticed", a.knows(), b.knows(), c.knows())
		}
		a.reset()
		b.reset()
		for _, other := range []topology.ID{1, 3} {
			n.Heal(host(2), host(other))
			n.Heal(host(other), host(2))
		}
		began := time.Now()
		for b.knows() != "[1 3]" || a.knows() != "[2 3]" || c.knows() != "[1 2]" {
			if time.Since(began) > 15*time.Second {
				t.Fatal("they did not find each other again", a.knows(), b.knows(), c.knows())
			}
			time.Sleep(100 * time.Millisecond)
		}
		t.Log("healed after", time.Since(began))
		if !a.saw(member.Met, 2) || !b.saw(member.Met, 3) {
			t.Error("it was not told")
		}
	})
}

func TestSilentDeathIsNoticed(t *testing.T) {
	bubble(t, func(t *testing.T, n *wiretest.Network) {
		a := fake(t, n, 1, member.Options{})
		b := fake(t, n, 2, member.Options{Seeds: []string{host(1)}})
		defer a.stop(t)
		defer b.stop(t)
		time.Sleep(10 * time.Second)
		n.Cut(host(2), host(1)) // one way is enough
		began := time.Now()
		for !a.saw(member.Gone, 2) {
			if time.Since(began) > 5*time.Second {
				t.Fatal("not noticed")
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Log("gone after", time.Since(began))
	})
}

func TestLeavingIsToldAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, n *wiretest.Network) {
		a := fake(t, n, 1, member.Options{})
		b := fake(t, n, 2, member.Options{Seeds: []string{host(1)}})
		defer a.stop(t)
		time.Sleep(10 * time.Second)
		b.stop(t)
		time.Sleep(100 * time.Millisecond)
		if !a.saw(member.Gone, 2) {
			t.Error("nobody heard it")
		}
	})
}

func TestMetaTravels(t *testing.T) {
	bubble(t, func(t *testing.T, n *wiretest.Network) {
		a := fake(t, n, 1, member.Options{Meta: member.Meta{Mode: "client"}})
		b := fake(t, n, 2, member.Options{Seeds: []string{host(1)}})
		defer a.stop(t)
		defer b.stop(t)
		time.Sleep(10 * time.Second)
		want := member.Meta{Addr: host(1), Zone: "east", Mode: "client", Protocol: 1}
		if got := b.agent.Alive()[1]; got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		b.reset()
		if err := a.agent.UpdateMeta(member.Meta{Zone: "west"}); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		want = member.Meta{Addr: host(1), Zone: "west", Mode: "both", Protocol: 1}
		if got := b.agent.Alive()[1]; got != want || !b.saw(member.Met, 1) {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if err := a.agent.UpdateMeta(member.Meta{Zone: strings.Repeat("z", 600)}); err == nil {
			t.Error("more than fits was accepted")
		}
	})
}

func TestAllAddressesOfANameAreTried(t *testing.T) {
	bubble(t, func(t *testing.T, n *wiretest.Network) {
		everybody := member.Options{
			Seeds: []string{"shop.example:1", "nowhere.example:1", "no address"},
			Resolve: func(_ context.Context, host string) ([]string, error) {
				if host != "shop.example" {
					return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
				}
				return []string{"127.0.0.9", "127.0.0.1", "127.0.0.8"}, nil
			},
		}
		dials := 0
		var mu sync.Mutex
		a := start(t, 1, wire.Options{
			Security: wire.Security{Plaintext: true}, Listener: n.Listen(host(1)),
			Dial: func(ctx context.Context, addr string) (net.Conn, error) {
				mu.Lock()
				defer mu.Unlock()
				if addr == host(1) || addr == host(8) {
					dials++
				}
				if addr == host(8) {
					addr = host(2) // it has two addresses
				}
				return n.Dialer(host(1))(ctx, addr)
			},
		}, everybody)
		synctest.Wait()
		b := fake(t, n, 2, everybody)
		defer a.stop(t)
		defer b.stop(t)
		time.Sleep(10 * time.Minute)
		if a.knows() != "[2]" || b.knows() != "[1]" {
			t.Errorf("they know %s and %s", a.knows(), b.knows())
		}
		mu.Lock()
		defer mu.Unlock()
		// Itself once, the other until it is there.
		if dials > 5 {
			t.Errorf("known addresses were dialled %d times in ten minutes", dials)
		}
		if lines := strings.Count(a.logged(), "nobody is reached"); lines != 4 {
			t.Errorf("%d lines were logged about four addresses:\n%s", lines, a.logged())
		}
	})
}

func TestRestartedProcessIsAnother(t *testing.T) {
	bubble(t, func(t *testing.T, n *wiretest.Network) {
		a := fake(t, n, 1, member.Options{})
		b := fake(t, n, 2, member.Options{Seeds: []string{host(1)}})
		defer a.stop(t)
		time.Sleep(10 * time.Second)
		n.Kill(host(2))
		synctest.Wait()
		c := start(t, 3, wire.Options{
			Security: wire.Security{Plaintext: true}, Listener: n.Listen(host(2)), Dial: n.Dialer(host(2)),
		}, member.Options{Seeds: []string{host(1)}})
		defer c.stop(t)
		time.Sleep(5 * time.Second)
		if !a.saw(member.Suspected, 2) || a.knows() != "[3]" || a.agent.Alive()[3].Addr != host(2) {
			t.Errorf("it knows %v", a.agent.Alive())
		}
		b.crash(t)
	})
}

// TestWhoDoesNotAnswerIsThere: somebody who listens may have too much to do to answer. As
// long as that is so it is not certain that there is no cluster.
func TestWhoDoesNotAnswerIsThere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := real(t, 1, "secret of the tests", l.Addr().String())
	defer p.stop(t)
	silent, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if p.agent.Answered() || p.agent.Alone() {
		t.Error("who has not answered yet is taken for nobody")
	}
	_ = silent.Close()
	again, err := l.Accept() // a process that hung up is dialled again
	if err != nil {
		t.Fatal(err)
	}
	if p.agent.Answered() || p.agent.Alone() {
		t.Error("who hung up is taken for nobody")
	}
	_ = again.Close()
	_ = l.Close()
	poll(t, "nobody listens any more", func() bool { return p.agent.Answered() && p.agent.Alone() })
}
