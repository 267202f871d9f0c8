package node

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/wire"
)

// maxBatch bounds the bytes of a message with several requests, if they are more than
// those of one.
const maxBatch = 1 << 20

// DoAll executes requests, those for one member in few messages, and returns their
// results and errors in the same order. Each is executed as by Do.
func (n *Node) DoAll(ctx context.Context, reqs []part.Request) ([]part.Result, []error) {
	ctx, cancel := n.limit(ctx)
	defer cancel()
	results, errs := make([]part.Result, len(reqs)), make([]error, len(reqs))
	done := make([]bool, len(reqs))
	for i := range reqs {
		n.prepare(&reqs[i])
	}
	if l, _ := n.now(); l != nil {
		l.askAll(ctx, reqs, results, done)
	}
	var work sync.WaitGroup
	for i := range reqs {
		if done[i] {
			errs[i] = failure(&results[i])
			n.counters[n.partitionOf(&reqs[i])].end(errs[i])
			continue
		}
		work.Go(func() { results[i], errs[i] = n.Do(ctx, n.partitionOf(&reqs[i]), &reqs[i]) })
	}
	work.Wait()
	return results, errs
}

// askAll sends each request to its primary once, and notes the results of those that
// were executed.
func (l *life) askAll(ctx context.Context, reqs []part.Request, results []part.Result, done []bool) {
	c := l.config.Load()
	if c == nil {
		return
	}
	groups := make(map[topology.ID][]int)
	for i := range reqs {
		p := &c.Partitions[l.n.partitionOf(&reqs[i])]
		if len(p.Held) > 0 {
			continue // each waits on its own
		}
		reqs[i].Lineage = c.Lineage
		primary := p.Primary
		groups[primary] = append(groups[primary], i)
	}
	var work sync.WaitGroup
	for primary, group := range groups {
		work.Go(func() {
			for len(group) > 0 {
				n := l.askSome(ctx, primary, reqs, group, results, done)
				group = group[n:]
			}
		})
	}
	work.Wait()
}

// askSome sends as many requests of a group as fit into a message, and returns how many.
func (l *life) askSome(ctx context.Context, primary topology.ID, reqs []part.Request, group []int, results []part.Result, done []bool) int {
	b := &batch{done: make(chan struct{})}
	deadline, _ := ctx.Deadline()
	var body []byte
	n := 0
	for _, i := range group {
		if size := len(reqs[i].Key) + len(reqs[i].Record); n > 0 && len(body)+size > maxBatch {
			break
		}
		partition := l.n.partitionOf(&reqs[i])
		l.n.counters[partition].ask(primary == l.self.ID)
		body = appendRecord(body, appendRequest(nil, partition, &reqs[i], time.Until(deadline)))
		n++
	}
	if primary == l.self.ID {
		l.member.submitAll(body, b)
		select {
		case <-b.done:
		case <-ctx.Done():
			return n
		}
		l.note(b.results, group[:n], results, done)
		return n
	}
	answer, err := l.call(ctx, primary, typeBatch, body)
	if err != nil {
		return n // each is tried again on its own
	}
	p := parser{b: answer}
	var list []part.Result
	for len(p.b) > 0 && !p.bad {
		res, err := parseResult(p.alias())
		if err != nil {
			return n
		}
		list = append(list, res)
	}
	l.note(list, group[:n], results, done)
	return n
}

// note takes over the results of requests that need no other attempt.
func (l *life) note(list []part.Result, group []int, results []part.Result, done []bool) {
	if len(list) != len(group) {
		return
	}
	for at, i := range group {
		if res := l.believe(list[at]); final(&res) {
			results[i], done[i] = res, true
		}
	}
}

// A batch collects the results of requests that came in one message.
type batch struct {
	missing atomic.Int64
	results []part.Result
	remote  wire.Responder
	done    chan struct{} // closed at the end, instead of an answer to remote
}

func (b *batch) add(index int, r *part.Result) {
	b.results[index] = *r
	b.end()
}

// end counts one result, and answers with all of them after the last.
func (b *batch) end() {
	if b.missing.Add(-1) > 0 {
		return
	}
	if b.done != nil {
		close(b.done)
		return
	}
	var body []byte
	for i := range b.results {
		body = appendRecord(body, appendResult(nil, &b.results[i]))
	}
	if b.remote.Reply(body) != nil {
		_ = b.remote.Reply(nil) // too large: they are asked for one by one
	}
}

// submitAll executes the requests of a message.
func (m *membership) submitAll(body []byte, b *batch) {
	type request struct {
		*part.Request
		partition int
		left      time.Duration
	}
	var list []request
	p := parser{b: body}
	for len(p.b) > 0 && !p.bad {
		partition, req, left, err := parseRequest(p.alias())
		if err != nil || partition >= len(m.slots) {
			p.bad = true
			break
		}
		list = append(list, request{own(&req), partition, left})
	}
	if p.bad {
		list = nil
	}
	b.results = make([]part.Result, len(list))
	b.missing.Store(int64(len(list)) + 1) // one for this loop
	for i, req := range list {
		if b.done == nil {
			m.n.counters[req.partition].served.Add(1)
		}
		s := &m.slots[req.partition]
		if req.Kind == part.Get {
			if found, ok := s.get(req.Lineage, req.Cache, req.Key, false); ok {
				b.add(i, &part.Result{Present: found})
				continue
			}
		}
		s.submit(req.Request, m.mono()+int64(req.left), waiter{batch: b, index: i})
	}
	b.end()
}

func (m *membership) takeBatch(_ *wire.Hello, body []byte, r wire.Responder) {
	m.submitAll(body, &batch{remote: r})
}
