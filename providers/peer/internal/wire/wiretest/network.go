// Package wiretest has a network in memory, for tests in synctest bubbles. It can be
// slow, cut in one direction or both, and lose hosts.
package wiretest

import (
	"context"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// window is how many bytes a connection holds that were not read yet.
const window = 64 << 10

// A Network connects hosts, which are named by the address at which they listen.
type Network struct {
	mu        sync.Mutex
	changed   chan struct{} // closed and replaced when anything changes
	listeners map[string]*listener
	cuts      map[[2]string]time.Time // from, to, since
	delay     time.Duration
	slow      map[[2]string]time.Duration // from, to: instead of delay
	ends      map[*end]struct{}
	dead      map[string]bool
}

// New returns a network without hosts.
func New() *Network {
	return &Network{
		changed: make(chan struct{}), listeners: make(map[string]*listener),
		cuts: make(map[[2]string]time.Time), slow: make(map[[2]string]time.Duration), ends: make(map[*end]struct{}),
		dead: make(map[string]bool),
	}
}

// SetDelay sets how long bytes travel.
func (n *Network) SetDelay(d time.Duration) {
	n.change(func() { n.delay = d })
}

// Slow sets how long bytes travel from one host to another, whatever the others' need.
func (n *Network) Slow(from, to string, d time.Duration) {
	n.change(func() { n.slow[[2]string{from, to}] = d })
}

// Cut stops what one host sends to another. After it was healed that arrives, as late as TCP
// has it, which waits twice as long before each repetition: until as much time has passed
// again as the cut lasted. It does not if its connection was closed meanwhile.
func (n *Network) Cut(from, to string) {
	n.change(func() { n.cut(from, to) })
}

func (n *Network) cut(from, to string) {
	if link := [2]string{from, to}; n.cuts[link].IsZero() {
		n.cuts[link] = time.Now()
	}
}

func (n *Network) isCut(from, to string) bool { return !n.cuts[[2]string{from, to}].IsZero() }

// Isolate stops what a host sends and what is sent to it, as far as all that listen now
// are concerned: so it is for the others if its process stands still.
func (n *Network) Isolate(host string) {
	n.change(func() {
		for other := range n.listeners {
			n.cut(host, other)
			n.cut(other, host)
		}
	})
}

// Rejoin ends all cuts around a host.
func (n *Network) Rejoin(host string) {
	n.change(func() {
		for link := range n.cuts {
			if link[0] == host || link[1] == host {
				n.heal(link[0], link[1])
			}
		}
	})
}

// Heal ends a cut.
func (n *Network) Heal(from, to string) {
	n.change(func() { n.heal(from, to) })
}

func (n *Network) heal(from, to string) {
	since := n.cuts[[2]string{from, to}]
	delete(n.cuts, [2]string{from, to})
	for e := range n.ends {
		if e.peer == from && e.host == to && len(e.in) > 0 && !e.in[0].at.Before(since) {
			e.in[0].at = time.Now().Add(time.Since(since))
		}
	}
}

// Kill ends a host as the death of its process does: its listener refuses, its
// connections are reset, and it makes no others until it listens again.
func (n *Network) Kill(host string) {
	n.change(func() {
		delete(n.listeners, host)
		n.dead[host] = true
		for e := range n.ends {
			if e.host == host {
				e.closed = true
			}
		}
	})
}

// Break resets the connections between two hosts, which can make others.
func (n *Network) Break(a, b string) {
	n.change(func() {
		for e := range n.ends {
			if e.host == a && e.peer == b || e.host == b && e.peer == a {
				e.closed = true
			}
		}
	})
}

// Listen makes a host.
func (n *Network) Listen(host string) net.Listener {
	l := &listener{n: n, host: host}
	n.change(func() {
		n.listeners[host] = l
		delete(n.dead, host)
	})
	return l
}

// Dialer returns the function with which a host dials others.
func (n *Network) Dialer(host string) func(context.Context, string) (net.Conn, error) {
	return func(ctx context.Context, to string) (net.Conn, error) {
		near := &end{n: n, host: host, peer: to}
		far := &end{n: n, host: to, peer: host, other: near}
		near.other = far
		var err error
		failed := n.wait(ctx.Done(), func() (time.Time, bool) {
			if n.isCut(host, to) || n.isCut(to, host) {
				return time.Time{}, false
			}
			l := n.listeners[to]
			if l == nil || n.dead[host] {
				err = &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
				return time.Time{}, true
			}
			l.backlog = append(l.backlog, far)
			n.ends[near], n.ends[far] = struct{}{}, struct{}{}
			return time.Time{}, true
		})
		if failed {
			return nil, ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		return near, nil
	}
}

// change does something and wakes who waits.
func (n *Network) change(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f()
	n.wake()
}

func (n *Network) wake() {
	close(n.changed)
	n.changed = make(chan struct{})
}

// wait calls ready, under the lock, until it is: after each change, and at the time
// that it returns, if any. It reports whether done came first.
func (n *Network) wait(done <-chan struct{}, ready func() (again time.Time, ok bool)) bool {
	for {
		n.mu.Lock()
		again, ok := ready()
		if ok {
			n.wake()
		}
		changed := n.changed
		n.mu.Unlock()
		if ok {
			return false
		}
		var timer *time.Timer
		var due <-chan time.Time
		if !again.IsZero() {
			timer = time.NewTimer(time.Until(again))
			due = timer.C
		}
		select {
		case <-changed:
		case <-due:
		case <-done:
			return true
		}
		if timer != nil {
			timer.Stop()
		}
	}
}

type listener struct {
	n       *Network
	host    string
	backlog []*end
}

func (l *listener) Accept() (c net.Conn, err error) {
	l.n.wait(nil, func() (time.Time, bool) {
		switch {
		case l.n.listeners[l.host] != l:
			err = net.ErrClosed
		case len(l.backlog) > 0:
			c, l.backlog = l.backlog[0], l.backlog[1:]
		default:
			return time.Time{}, false
		}
		return time.Time{}, true
	})
	return c, err
}

func (l *listener) Close() error {
	l.n.change(func() {
		if l.n.listeners[l.host] == l {
			delete(l.n.listeners, l.host)
		}
		for _, e := range l.backlog {
			e.closed = true
		}
	})
	return nil
}

func (l *listener) Addr() net.Addr { return addr(l.host) }

type addr string

func (addr) Network() string  { return "tcp" }
func (a addr) String() string { return string(a) }
