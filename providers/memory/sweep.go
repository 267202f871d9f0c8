package memory

import (
	"container/heap"
	"sync/atomic"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// A sweeper sleeps until an entry may have died that nobody asks for any more.
type sweeper struct {
	stop chan struct{}
	wake chan struct{} // holds one element when next has come closer
	next earliest
}

// earliest is the time of what comes first, in microseconds since 1970; 0: there is
// nothing to wait for.
type earliest struct{ atomic.Int64 }

// lower takes in another time, and reports whether it comes first.
func (e *earliest) lower(to int64) bool {
	for {
		at := e.Load()
		if at != 0 && at <= to {
			return false
		}
		if e.CompareAndSwap(at, to) {
			return true
		}
	}
}

// sweepPause is the shortest time between two sweeps.
const sweepPause = time.Second

func newSweeper() *sweeper {
	return &sweeper{stop: make(chan struct{}), wake: make(chan struct{}, 1)}
}

// expect makes sure that there is a sweep soon after a deadline.
func (s *sweeper) expect(deadline int64) {
	if s.next.lower(deadline) {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// expect makes sure that an entry with that deadline is swept.
func (c *cache) expect(deadline int64) {
	if c.next.lower(deadline) {
		c.provider.sweeper.expect(deadline)
	}
}

// sweep drops dead entries until the provider is closed.
func (p *Provider) sweep() {
	s := p.sweeper
	timer := time.NewTimer(0)
	defer timer.Stop()
	var last time.Time
	for {
		select {
		case <-s.stop:
			return
		case <-s.wake:
			if next := s.next.Load(); next != 0 {
				timer.Reset(max(time.Until(time.UnixMicro(next)), time.Until(last.Add(sweepPause))))
			}
		case last = <-timer.C:
			s.next.Store(0)
			for _, c := range p.open() {
				c.sweep(last.UnixMicro())
			}
		}
	}
}

// open returns the caches.
func (p *Provider) open() []*cache {
	p.mu.Lock()
	defer p.mu.Unlock()
	caches := make([]*cache, 0, len(p.caches))
	for _, c := range p.caches {
		caches = append(caches, c)
	}
	return caches
}

// sweep drops the entries whose deadline has passed, and returns how many.
func (c *cache) sweep(now int64) (dropped int) {
	c.next.Store(0) // before the shards are looked at, since deadlines that come in meanwhile lower it
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		for len(s.queue) > 0 && s.queue[0].queued <= now {
			e := heap.Pop(&s.queue).(*entry)
			switch {
			case e.deadline == 0:
			case e.deadline <= now:
				c.drop(s, e, driver.EventExpired)
				dropped++
			default:
				e.queued = e.deadline
				heap.Push(&s.queue, e)
			}
		}
		if len(s.queue) > 0 {
			c.expect(s.queue[0].queued)
		}
		s.mu.Unlock()
	}
	return dropped
}

// deadlines is a heap of entries by queued, the earliest first.
type deadlines []*entry

func (d deadlines) Len() int           { return len(d) }
func (d deadlines) Less(i, j int) bool { return d[i].queued < d[j].queued }

func (d deadlines) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].place, d[j].place = i, j
}

func (d *deadlines) Push(x any) {
	e := x.(*entry)
	e.place = len(*d)
	*d = append(*d, e)
}

func (d *deadlines) Pop() any {
	last := len(*d) - 1
	e := (*d)[last]
	(*d)[last] = nil
	*d = (*d)[:last]
	e.queued = 0
	return e
}
