// Package wire carries the messages of the grid: multiplexed frames over connections
// that are authenticated in both directions, in several classes. What the messages
// say is not its concern.
//
// Each connection begins with a hello from both sides; processes that do not fit
// together say in a sentence what differs.
package wire

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// Options configures an endpoint.
type Options struct {
	// Self is what this process says of itself. Its ID is not zero. Its Addr may be
	// empty if the listener has one address: then it is that; or if there is no
	// listener. Its Class is ignored.
	Self Hello
	// Security says whom to trust.
	Security Security
	// Listener accepts the connections of peers. The endpoint closes it. Nil: none;
	// what peers say comes on the connections that are dialled here.
	Listener net.Listener
	// Dial makes a connection. Nil: TCP.
	Dial func(ctx context.Context, addr string) (net.Conn, error)
	// QueueBytes bounds the messages that wait for each connection. A message that
	// is larger goes when no other waits. Zero: 4 MiB.
	QueueBytes int
	// MaxConns bounds the connections that peers dial. Zero: 4096.
	MaxConns int
	// Logger tells of peers that were turned away. Nil: slog.Default().
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	o.QueueBytes = cmp.Or(o.QueueBytes, 4<<20)
	o.MaxConns = cmp.Or(o.MaxConns, 4096)
	if o.Listener != nil {
		o.Self.Addr = cmp.Or(o.Self.Addr, o.Listener.Addr().String())
	}
	if o.Dial == nil {
		o.Dial = func(ctx context.Context, addr string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", addr)
		}
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}

// A Handler gets the messages of one type. It is called in the goroutine that reads
// the connection, so messages of one connection come in order, one after the other,
// and it must not block. The body is valid until it returns; from never changes.
type Handler func(from *Hello, body []byte, r Responder)

// An Endpoint is this process as the others reach it, and the others as it reaches
// them. All methods may be called concurrently.
type Endpoint struct {
	opts  Options
	guard *guard

	handlers [256]atomic.Pointer[Handler]
	streams  atomic.Pointer[func(net.Conn, *Hello)]

	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	watchers []func(Event)
	peers    map[topology.ID]*Peer
	conns    map[*conn]topology.ID // who dialled; zero: this side, or it is not known yet
	accepted int
	warned   time.Time // when a peer that was turned away was logged as a warning
	flows    map[*flow]struct{}
	past     Stats // of connections that are no more

	memory    *allowance
	greetings greetings
}

// Start begins to accept connections. Handlers may be set before and after peers
// connect; until then their types are unknown. On an error the listener is closed.
func Start(opts Options) (*Endpoint, error) {
	opts = opts.withDefaults()
	g, err := opts.Security.guard(opts.Self.Cluster)
	if err == nil && opts.Listener != nil {
		err = errors.Join(opts.Self.check(), g.allows(opts.Listener.Addr().String()))
	}
	if err != nil {
		return nil, errors.Join(err, opts.close())
	}
	e := &Endpoint{
		opts: opts, guard: g,
		peers: make(map[topology.ID]*Peer), conns: make(map[*conn]topology.ID), flows: make(map[*flow]struct{}),
		memory: newAllowance(),
	}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	if opts.Listener != nil {
		e.work.Go(e.accept)
	}
	return e, nil
}

// close closes the listener, if there is one.
func (o Options) close() error {
	if o.Listener == nil {
		return nil
	}
	return o.Listener.Close()
}

// Self returns what this process says of itself.
func (e *Endpoint) Self() Hello { return e.opts.Self }

// Handle sets the handler for a type of messages.
func (e *Endpoint) Handle(typ Type, h Handler) { e.handlers[typ].Store(&h) }

// HandleStreams sets the handler for streams that peers open. It owns the connection
// and must not block.
func (e *Endpoint) HandleStreams(h func(net.Conn, *Hello)) { e.streams.Store(&h) }

// Watch adds a function that gets the events of connections, from several goroutines
// at once. It must not block.
func (e *Endpoint) Watch(f func(Event)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.watchers = append(slices.Clip(e.watchers), f)
}

// Peer returns the peer with an ID, which is reached at addr. It makes no connection.
// There is one Peer for each ID, which is not zero, with the address that was given first. If another
// process is found at the address, messages fail with ErrNotSent and ErrReplaced.
func (e *Endpoint) Peer(id topology.ID, addr string) *Peer {
	e.mu.Lock()
	defer e.mu.Unlock()
	p := e.peers[id]
	if p == nil {
		p = &Peer{ID: id, Addr: addr, e: e, gone: e.closed}
		e.peers[id] = p
	}
	return p
}

// Known returns the peer with an ID, or nil if there is none: nobody has said where it is.
func (e *Endpoint) Known(id topology.ID) *Peer {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.peers[id]
}

// Forget breaks the connections to and from a peer that is gone for good. Should it be
// there nevertheless, it may connect again.
func (e *Endpoint) Forget(id topology.ID) {
	e.mu.Lock()
	p := e.peers[id]
	delete(e.peers, id)
	for c, from := range e.conns {
		if from == id {
			c.stop(ErrClosed)
		}
	}
	e.mu.Unlock()
	if p != nil {
		p.forget()
	}
}

// Stream opens a connection for the caller's bytes, of which the caller is the owner,
// to whoever is at an address. The errors are ErrSelf, ErrMismatch, ErrUntrusted, and
// those of the network.
func (e *Endpoint) Stream(ctx context.Context, addr string) (net.Conn, *Hello, error) {
	nc, peer, err := e.dial(ctx, addr, stream, 0)
	if err != nil {
		return nil, nil, err
	}
	f, err := e.flow(nc)
	if err != nil {
		return nil, nil, err
	}
	return f, peer, nil
}

// Greet connects to whatever process is at an address, and returns what it says of itself. The
// errors are those of Stream.
func (e *Endpoint) Greet(ctx context.Context, addr string) (*Hello, error) {
	nc, peer, err := e.dial(ctx, addr, Control, 0)
	if err != nil {
		return nil, err
	}
	return peer, nc.Close()
}

// Close breaks all connections and waits for every goroutine. Calls that are pending
// fail.
func (e *Endpoint) Close() error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		e.work.Wait()
		return nil
	}
	e.closed = true
	e.cancel()
	err := e.opts.close()
	for c := range e.conns {
		c.stop(ErrClosed)
	}
	flows := e.flows
	e.flows = nil
	e.mu.Unlock()
	for f := range flows {
		_ = f.Conn.Close() // its user sees the end of it
	}
	e.work.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// begin runs a connection's work unless the endpoint is closed.
func (e *Endpoint) begin(c *conn, work func()) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return ErrClosed
	}
	e.conns[c] = 0
	e.work.Go(func() {
		work()
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.conns, c)
		c.count(&e.past)
	})
	return nil
}

func (e *Endpoint) report(ev Event) {
	if e.ctx.Err() != nil {
		return
	}
	e.mu.Lock()
	watchers := e.watchers
	e.mu.Unlock()
	for _, f := range watchers {
		f(ev)
	}
}

// dial makes a connection and exchanges hellos.
func (e *Endpoint) dial(ctx context.Context, addr string, class Class, id topology.ID) (net.Conn, *Hello, error) {
	if err := e.guard.allows(addr); err != nil {
		return nil, nil, err
	}
	raw, err := e.opts.Dial(ctx, addr)
	if err != nil {
		return nil, nil, err
	}
	return introduce(ctx, raw, e.guard.client, func(nc net.Conn) (*Hello, error) {
		return e.opts.Self.greet(nc, class, id)
	})
}

// introduce secures a new connection and exchanges hellos while ctx lasts. On an error
// the connection is closed.
func introduce(ctx context.Context, raw net.Conn, secure func(net.Conn) (net.Conn, error), hello func(net.Conn) (*Hello, error)) (net.Conn, *Hello, error) {
	stop := context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Unix(1, 0)) })
	var peer *Hello
	nc, err := secure(raw)
	if err == nil {
		peer, err = hello(nc)
	}
	late := !stop()
	switch {
	case late:
		err = fmt.Errorf("%w: %w", ErrNoAnswer, context.Cause(ctx))
	case err != nil:
		err = explain(err)
	}
	if err != nil {
		_ = raw.Close() // nothing was sent that matters
		return nil, nil, err
	}
	return nc, peer, nil
}
