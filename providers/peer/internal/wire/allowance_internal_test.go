package wire

import (
	"errors"
	"io"
	"net"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// unfinished is a large message that lacks its last byte.
func unfinished() []byte {
	b := appendFrame(nil, 1, 0, 0, make([]byte, MaxBody))
	return b[:len(b)-1]
}

// Messages that do not come to an end take no more memory than there is for all, and for each
// peer, and end after a while.
func TestUnfinishedFramesAreBounded(t *testing.T) {
	for name, ids := range map[string]func(i int) topology.ID{
		"of one peer":   func(int) topology.ID { return 1 },
		"of many peers": func(i int) topology.ID { return topology.ID(i + 1) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bound := int64(maxFrames)
				if ids(0) == ids(1) {
					bound = maxPeerFrames
				}
				a, large := newAllowance(), unfinished()
				var before, during runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				var group sync.WaitGroup
				failed := make(chan error, 200)
				for i := range 182 {
					c, s := newConn(1<<20), a.share(ids(i))
					defer s.leave()
					near, far := net.Pipe()
					c.share = s
					group.Go(func() { failed <- c.run(near, false, func(frame) { t.Error("a message came out of a part") }) })
					group.Go(func() {
						_, _ = far.Write(large)
						_, _ = io.Copy(io.Discard, far)
					})
				}
				synctest.Wait()
				runtime.GC()
				runtime.ReadMemStats(&during)
				if used := int64(during.HeapAlloc) - int64(before.HeapAlloc); used > bound+182*2*keepBytes {
					t.Errorf("%d MB are used, %d MB may be", used>>20, bound>>20)
				}
				group.Wait() // the connections end
				for range 182 {
					if err := <-failed; err == nil {
						t.Error("a connection ended without a reason")
					}
				}
				if !a.all.TryAcquire(maxFrames) {
					t.Error("memory was not given back")
				}
			})
		})
	}
}

// What waits for a peer that reads nothing is bounded in all, however many connections it dials.
func TestUnreadAnswersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const connections, answers = 24, 8
		a, body := newAllowance(), make([]byte, 1<<20)
		var before, during runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		var group sync.WaitGroup
		ends := make(chan error, connections)
		for range connections {
			c, s := newConn(1<<20), a.share(1)
			defer s.leave()
			c.unread = s
			near, far := net.Pipe()
			defer func() { _ = far.Close() }()
			group.Go(func() {
				ends <- c.run(near, false, func(f frame) { group.Go(func() { _ = Responder{c, f.id}.Reply(body) }) })
			})
			group.Go(func() {
				for id := range uint64(answers) {
					if _, err := far.Write(appendFrame(nil, 1, 0, id+1)); err != nil {
						return // it was cut off
					}
				}
			})
		}
		synctest.Wait()
		runtime.GC()
		runtime.ReadMemStats(&during)
		// A buffer that grows has room for more than what is in it.
		if used := int64(during.HeapAlloc) - int64(before.HeapAlloc); used > 2*maxAnswers {
			t.Errorf("%d MB are used, %d MB may wait", used>>20, maxAnswers>>20)
		}
		if waits := a.share(1).unread.Load(); waits == 0 || waits > maxAnswers {
			t.Errorf("%d bytes wait", waits)
		}
		if len(ends) == 0 {
			t.Error("no connection was cut off")
		}
		for len(ends) > 0 {
			if err := <-ends; !errors.Is(err, errStalled) {
				t.Errorf("a connection ended: %v", err)
			}
		}
		group.Wait() // the others end because nothing is taken from them
		if waits := a.share(1).unread.Load(); waits != 0 {
			t.Errorf("%d bytes were not given back", waits)
		}
	})
}

// Large messages of many connections come through, one after the other.
func TestLargeFramesWaitForMemory(t *testing.T) {
	a := newAllowance()
	var group sync.WaitGroup
	var mu sync.Mutex
	arrived := 0
	for range 6 {
		c, s := newConn(1<<20), a.share(1)
		defer s.leave()
		c.share = s
		near, far := net.Pipe()
		group.Go(func() {
			_ = c.run(near, false, func(frame) { mu.Lock(); defer mu.Unlock(); arrived++ })
		})
		group.Go(func() {
			if _, err := far.Write(appendFrame(nil, 1, 0, 0, make([]byte, MaxBody))); err != nil {
				t.Error(err)
			}
			_ = far.Close()
		})
	}
	group.Wait()
	if arrived != 6 {
		t.Errorf("%d of 6 messages arrived", arrived)
	}
}

// A stranger who does not come to an end makes room for others.
func TestGreetingsAreBounded(t *testing.T) {
	var g greetings
	var all []net.Conn
	for range maxGreetings + 10 {
		a, b := net.Pipe()
		defer func() { _ = b.Close() }()
		g.begin(a)
		all = append(all, a)
	}
	for i, nc := range all {
		err := nc.SetDeadline(time.Time{})
		if closed := errors.Is(err, io.ErrClosedPipe); closed != (i < 10) {
			t.Errorf("connection %d is closed: %v", i, closed)
		}
		g.end(nc)
	}
	if len(g.list) != 0 {
		t.Errorf("%d are left", len(g.list))
	}
}
