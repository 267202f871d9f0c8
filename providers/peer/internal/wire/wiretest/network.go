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
	cuts      map[[2]string]bool // from, to
	delay     time.Duration
	ends      map[*end]struct{}
}

// New returns a network without hosts.
func New() *Network {
	return &Network{
		changed: make(chan struct{}), listeners: make(map[string]*listener),
		cuts: make(map[[2]string]bool), ends: make(map[*end]struct{}),
	}
}

// SetDelay sets how long bytes travel.
func (n *Network) SetDelay(d time.Duration) {
	n.change(func() { n.delay = d })
}

// Cut stops what one host sends to another. It arrives when the cut is healed, as TCP
// has it, unless its connection was closed meanwhile.
func (n *Network) Cut(from, to string) {
	n.change(func() { n.cuts[[2]string{from, to}] = true })
}

// Heal ends a cut.
func (n *Network) Heal(from, to string) {
	n.change(func() { delete(n.cuts, [2]string{from, to}) })
}

// Kill ends a host as the death of its process does: its listener refuses, and its
// connections are reset.
func (n *Network) Kill(host string) {
	n.change(func() {
		delete(n.listeners, host)
		for e := range n.ends {
			if e.host == host {
				e.closed = true
			}
		}
	})
}

// Listen makes a host.
func (n *Network) Listen(host string) net.Listener {
	l := &listener{n: n, host: host}
	n.change(func() { n.listeners[host] = l })
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
			if n.cuts[[2]string{host, to}] || n.cuts[[2]string{to, host}] {
				return time.Time{}, false
			}
			l := n.listeners[to]
			if l == nil {
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
