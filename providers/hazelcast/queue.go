package hazelcast

import (
	"context"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
)

// All answers of a member come over one connection, one after the other, so who asks for large
// records holds up everybody. And who gives up does not take the request back: its answer still
// comes. So no more than answersAtOnce bytes of large records are asked for at once; who comes
// then waits here, where giving up costs nobody anything.
type queue struct {
	places *semaphore.Weighted
}

const (
	answersAtOnce = 512 << 10
	// largeRecord is the mean size from which records of a cache are large.
	largeRecord = 16 << 10
	// meanOf is of how many records, about, the mean is.
	meanOf = 16
)

func newQueue() queue { return queue{semaphore.NewWeighted(answersAtOnce)} }

// A meanSize is that of the records that were read lately.
type meanSize struct{ bytes atomic.Int64 }

func (m *meanSize) saw(record []byte) {
	old := m.bytes.Load()
	if n := int64(len(record)); old != n {
		// Of two at the same moment one may be overlooked.
		m.bytes.CompareAndSwap(old, old+(n-old)/meanOf)
	}
}

// expects returns how many bytes an answer of n records will have, or zero if they are not large.
func (m *meanSize) expects(n int) int64 {
	mean := m.bytes.Load()
	if mean < largeRecord {
		return 0
	}
	return min(mean*int64(n), answersAtOnce)
}

// queued makes a read whose answer will have so many bytes, and keeps its place in the queue until
// the answer is there, also when the caller does not wait for it any more.
func queued[T any](ctx context.Context, p *Provider, bytes int64, read func(context.Context) (T, error)) (answer T, err error) {
	if bytes == 0 {
		return read(ctx)
	}
	ctx, cancel := p.bound(ctx)
	defer cancel()
	if err := p.queue.places.Acquire(ctx, bytes); err != nil {
		return answer, notSent(err)
	}
	type result struct {
		answer T
		err    error
	}
	answered := make(chan result, 1)
	err = p.task(func() {
		defer p.queue.places.Release(bytes)
		until := time.Now().Add(p.plan.requestTimeout)
		if deadline, _ := ctx.Deadline(); deadline.After(until) {
			until = deadline
		}
		ctx, cancel := context.WithDeadline(p.life, until)
		defer cancel()
		answer, err := read(ctx)
		answered <- result{answer, err}
	})
	if err != nil {
		p.queue.places.Release(bytes)
		return answer, err
	}
	select {
	case r := <-answered:
		return r.answer, r.err
	case <-ctx.Done():
		return answer, notSent(ctx.Err())
	}
}

// task runs do in a goroutine that Close waits for.
func (p *Provider) task(do func()) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.checkOpen(); err != nil {
		return err
	}
	p.tasks.Go(do)
	return nil
}
