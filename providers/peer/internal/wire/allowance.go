package wire

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// The memory for frames that are larger than what a connection keeps for itself, in bytes: of
// all connections, and of those with one peer.
const (
	maxFrames     = 256 << 20
	maxPeerFrames = 64 << 20
)

// frameTime is how long a large frame may take to arrive, and as long may it wait for memory.
const frameTime = 30 * time.Second

var (
	errNoMemory = errors.New("there was no memory for a large message in time")
	errSlow     = errors.New("a large message did not arrive in time")
)

// An allowance is the memory for large frames.
type allowance struct {
	all *semaphore.Weighted

	mu    sync.Mutex
	peers map[topology.ID]*share
}

// A share is what of it one peer may use.
type share struct {
	of     *allowance
	id     topology.ID
	own    *semaphore.Weighted
	unread atomic.Int64 // bytes that wait for the peer to read them
	users  int          // connections
}

func newAllowance() *allowance {
	return &allowance{all: semaphore.NewWeighted(maxFrames), peers: make(map[topology.ID]*share)}
}

// share returns the share of a peer. A connection that uses it leaves it in the end.
func (a *allowance) share(id topology.ID) *share {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.peers[id]
	if s == nil {
		s = &share{of: a, id: id, own: semaphore.NewWeighted(maxPeerFrames)}
		a.peers[id] = s
	}
	s.users++
	return s
}

func (s *share) leave() {
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	if s.users--; s.users == 0 {
		delete(s.of.peers, s.id)
	}
}

// claim waits until there are so many bytes, or quit is closed.
func (s *share) claim(quit <-chan struct{}, bytes int64) error {
	ctx, cancel := context.WithTimeout(context.Background(), frameTime)
	defer cancel()
	go func() {
		select {
		case <-quit:
			cancel()
		case <-ctx.Done():
		}
	}()
	if s.own.Acquire(ctx, bytes) != nil {
		return errNoMemory
	}
	if s.of.all.Acquire(ctx, bytes) != nil {
		s.own.Release(bytes)
		return errNoMemory
	}
	return nil
}

// add counts bytes that wait for the peer to read them, and reports whether that is not too much.
// A nil share counts nothing.
func (s *share) add(bytes int) bool {
	if s == nil || s.unread.Add(int64(bytes)) <= maxAnswers {
		return true
	}
	s.unread.Add(-int64(bytes))
	return false
}

// taken is told of bytes that were added and wait no longer.
func (s *share) taken(bytes int) {
	if s != nil {
		s.unread.Add(-int64(bytes))
	}
}

func (s *share) release(bytes int64) {
	s.of.all.Release(bytes)
	s.own.Release(bytes)
}

// maxGreetings is how many strangers may introduce themselves at once. Who has not come to an
// end for longest makes room for the next one.
const maxGreetings = 128

// greetings are the connections of which nobody knows yet whose they are, the oldest first.
type greetings struct {
	mu   sync.Mutex
	list []net.Conn
}

func (g *greetings) begin(nc net.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.list) == maxGreetings {
		_ = g.list[0].Close() // it dials again
		g.list = slices.Delete(g.list, 0, 1)
	}
	g.list = append(g.list, nc)
}

func (g *greetings) end(nc net.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := slices.Index(g.list, nc); i >= 0 {
		g.list = slices.Delete(g.list, i, i+1)
	}
}
