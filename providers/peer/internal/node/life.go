package node

import (
	"context"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/wire"
)

const protocol = 3

// A life is the time that a process spends under one ID: what it knows of the cluster, and
// how it asks the members.
type life struct {
	n    *Node
	self topology.Member
	wire *wire.Endpoint
	born time.Time

	over   chan struct{} // closed when another life must follow
	once   sync.Once
	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup

	// rejected is why somebody at one of the addresses does not fit to this process.
	rejected atomic.Pointer[error]

	config atomic.Pointer[topology.Config]
	peers  atomic.Pointer[map[topology.ID]*wire.Peer] // the other members

	feeds feeds

	// One of these is what the process is besides, and the other one nil.
	member *membership
	client *client
}

// newLife starts what every process has. The listener may be nil.
func newLife(n *Node, listener net.Listener) (*life, error) {
	o := n.opts
	l := &life{n: n, born: time.Now(), over: make(chan struct{})}
	l.self = topology.Member{ID: topology.ID(rand.Uint64() | 1), Addr: o.Advertise, Zone: o.Zone}
	var err error
	l.wire, err = wire.Start(wire.Options{
		Self: wire.Hello{Cluster: o.Cluster, Protocol: protocol, Oldest: protocol, ID: l.self.ID, Zone: o.Zone,
			Mode: o.Mode.String(), Addr: o.Advertise, Partitions: o.Partitions},
		Security: o.Security, Listener: listener, Dial: o.Network.Dial, Logger: o.Logger,
	})
	if err != nil {
		return nil, err
	}
	l.self.Addr = l.wire.Self().Addr
	l.feeds.init(l)
	l.wire.Handle(typeEvents, l.takeEvents)
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l, nil
}

// end stops everything and answers whoever waits.
func (l *life) end() {
	l.cancel()
	l.work.Wait()
	if l.member != nil {
		l.member.end()
	}
	_ = l.wire.Close() // its listener is of no use to anybody any more
	if l.member != nil {
		l.member.close()
	}
}

// mono returns a time of this life in nanoseconds, greater than zero.
func (l *life) mono() int64 { return int64(time.Since(l.born)) + 1 }

// since is mono for a time that was read already.
func (l *life) since(t time.Time) int64 { return int64(t.Sub(l.born)) + 1 }

// meet notes how the members of a configuration are reached.
func (l *life) meet(c *topology.Config) {
	peers := make(map[topology.ID]*wire.Peer, len(c.Members))
	for _, m := range c.Members {
		if m.ID != l.self.ID {
			peers[m.ID] = l.wire.Peer(m.ID, m.Addr)
		}
	}
	l.peers.Store(&peers)
}
