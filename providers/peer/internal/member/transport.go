package member

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/wire"
)

// A transport is how memberlist reaches the others: packets are messages of the
// control class, streams are connections of their own. memberlist knows IP addresses
// only; here the name of a process says where it is, which may be a host name.
type transport struct {
	ctx     context.Context // of streams
	wire    *wire.Endpoint
	packets chan *memberlist.Packet
	streams chan net.Conn
	done    chan struct{}
	once    sync.Once

	mu       sync.Mutex
	addrs    map[topology.ID]string
	tried    map[string]attempt // by address
	resolved map[string]answer  // by a seed that is a host name
}

// An answer is what became of looking a host name up.
type answer struct {
	addrs []string
	err   error
}

// An attempt is how it went to call at an address.
type attempt struct {
	id  topology.ID // who answered
	err error       // why nobody did
}

// backlog is how many packets and streams wait for memberlist; further ones are lost,
// as in any network.
const backlog = 256

func newTransport(ctx context.Context, w *wire.Endpoint) *transport {
	t := &transport{
		ctx: ctx, wire: w, packets: make(chan *memberlist.Packet, backlog), streams: make(chan net.Conn, backlog),
		done: make(chan struct{}), addrs: make(map[topology.ID]string),
		tried: make(map[string]attempt), resolved: make(map[string]answer),
	}
	w.Handle(wire.Gossip, func(from *wire.Hello, body []byte, _ wire.Responder) {
		t.learn(from.ID, from.Addr)
		select {
		case t.packets <- &memberlist.Packet{Buf: slices.Clone(body), From: addr(from.Addr), Timestamp: time.Now()}:
		default:
		}
	})
	w.HandleStreams(func(c net.Conn, from *wire.Hello) {
		t.learn(from.ID, from.Addr)
		select {
		case <-t.done:
			_ = c.Close() // nobody would read it
			return
		default:
		}
		select {
		case t.streams <- c:
		default:
			_ = c.Close() // the other side tries again
		}
	})
	return t
}

// learn notes where a process is.
func (t *transport) learn(id topology.ID, addr string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.addrs[id] = addr
}

// forget forgets where a process is, which was gone, until it speaks.
func (t *transport) forget(id topology.ID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.addrs, id)
}

// where returns the process and the address that memberlist means.
func (t *transport) where(a memberlist.Address) (topology.ID, string) {
	id, err := parseName(a.Name)
	if err != nil {
		return 0, a.Addr
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return id, t.addrs[id]
}

// FinalAdvertiseAddr implements memberlist.Transport. The address is never used.
func (t *transport) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	return net.IPv4(127, 0, 0, 1), 1, nil
}

// WriteToAddress implements memberlist.NodeAwareTransport. A packet that cannot be
// sent is lost without an error: after one memberlist would not suspect the receiver.
func (t *transport) WriteToAddress(b []byte, to memberlist.Address) (time.Time, error) {
	if id, addr := t.where(to); id != 0 && addr != "" {
		_ = t.wire.Peer(id, addr).Post(wire.Control, wire.Gossip, b)
	}
	return time.Now(), nil
}

// DialAddressTimeout implements memberlist.NodeAwareTransport.
func (t *transport) DialAddressTimeout(to memberlist.Address, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(t.ctx, timeout)
	defer cancel()
	id, addr := t.where(to)
	if addr == "" {
		return nil, fmt.Errorf("gossip: nobody knows where %s is", to.Name)
	}
	c, peer, err := t.wire.Stream(ctx, addr)
	if id == 0 {
		t.note(addr, peer, err)
	}
	return c, err
}

func (t *transport) note(addr string, peer *wire.Hello, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		t.tried[addr] = attempt{err: err}
		return
	}
	t.tried[addr] = attempt{id: peer.ID}
	t.addrs[peer.ID] = peer.Addr
}

// attempt returns how the last one at an address went; zero if there was none.
func (t *transport) attempt(addr string) attempt {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.tried[addr]
}

// resolve notes what became of looking a name up.
func (t *transport) resolve(seed string, addrs []string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.resolved[seed] = answer{addrs, err}
}

// keep forgets the attempts at all other addresses.
func (t *transport) keep(addrs map[string]bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	maps.DeleteFunc(t.tried, func(addr string, _ attempt) bool { return !addrs[addr] })
}

// Shutdown implements memberlist.Transport.
func (t *transport) Shutdown() error {
	t.once.Do(func() {
		close(t.done)
		for {
			select {
			case c := <-t.streams:
				_ = c.Close() // nobody reads it any more
			default:
				return
			}
		}
	})
	return nil
}

// PacketCh implements memberlist.Transport.
func (t *transport) PacketCh() <-chan *memberlist.Packet { return t.packets }

// StreamCh implements memberlist.Transport.
func (t *transport) StreamCh() <-chan net.Conn { return t.streams }

// WriteTo implements memberlist.Transport.
func (t *transport) WriteTo(b []byte, to string) (time.Time, error) {
	return t.WriteToAddress(b, memberlist.Address{Addr: to})
}

// DialTimeout implements memberlist.Transport.
func (t *transport) DialTimeout(to string, timeout time.Duration) (net.Conn, error) {
	return t.DialAddressTimeout(memberlist.Address{Addr: to}, timeout)
}

type addr string

func (addr) Network() string  { return "tcp" }
func (a addr) String() string { return string(a) }
