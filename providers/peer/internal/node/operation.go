package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/wire"
)

var (
	errNoPartition = errors.New("there is no such partition")
	errMalformed   = errors.New("malformed message")
	errNoMember    = errors.New("this process is not a member of a cluster at the moment")
	errNotServed   = errors.New("the partition is not served at the moment")
	errHeld        = errors.New("none of the members that have this partition answers; it is served again when one of them is back")
	errClosed      = errors.New("this process has left the grid")
)

// A waiter gets the answer to a request: a goroutine of this process, or a peer.
type waiter struct {
	local  chan part.Result
	remote wire.Responder
	batch  *batch
	index  int // in batch
}

func (w waiter) answer(r *part.Result) {
	switch {
	case w.local != nil:
		w.local <- *r // it has room for one
	case w.batch != nil:
		w.batch.add(w.index, r)
	default:
		reply(w.remote, r)
	}
}

// Do executes a request on the primary of its partition, wherever that is, once. The
// request's TTL is set from its Until. It tries until that succeeds or ctx ends. The errors
// match driver.ErrUnavailable if nothing was applied, driver.ErrIndeterminate if that is not
// known, and driver.ErrFull.
func (n *Node) Do(ctx context.Context, partition int, req *part.Request) (part.Result, error) {
	ctx, cancel := n.limit(ctx)
	defer cancel()
	unsure := req.Op != part.OpID{} // an attempt may have been applied
	n.prepare(req)
	reads := req.Kind == part.Get
	count := &n.counters[partition]
	var last error
	var before part.Result // of an attempt that may have been applied
	for {
		if err := n.over(ctx); err != nil {
			count.end(err)
			return part.Result{}, ended(unsure && !reads, err, last)
		}
		if last != nil {
			count.repeated.Add(1)
		}
		l, changed := n.now()
		err := errNoMember
		if l != nil {
			setTTL(req)
			var res part.Result
			res, err = l.ask(ctx, partition, req)
			switch {
			case err == nil && final(&res):
				res = res.Complete(before)
				err = failure(&res)
				count.end(err)
				return res, err
			case err == nil:
				if res.Status == part.Unknown {
					unsure = true
					if res.Version != 0 {
						before = res
					}
				}
				err = errNotServed
			case !errors.Is(err, wire.ErrNotSent):
				unsure = true
			}
		}
		last = err
		await(ctx, changed)
	}
}

// prepare makes sure that a request can be sent more than once.
func (n *Node) prepare(req *part.Request) {
	if req.Kind != part.Get && req.Op == (part.OpID{}) {
		req.Op = part.OpID{Client: n.client, Seq: n.ops.Add(1)}
	}
	setTTL(req)
}

func setTTL(req *part.Request) {
	if req.Until != 0 {
		req.TTL = part.TTL(req.Until, time.Now())
	}
}

func (n *Node) partitionOf(req *part.Request) int {
	return topology.PartitionOf(req.Key, n.opts.Partitions)
}

// final reports whether a request with this result needs no other attempt.
func final(r *part.Result) bool {
	switch r.Status {
	case part.OK, part.NotSwapped, part.NoSpace, part.NoProcessor:
		return true
	}
	return false
}

// failure returns the error of a final result, if it is one.
func failure(r *part.Result) error {
	switch r.Status {
	case part.NoSpace:
		return fmt.Errorf("%w: raise maxBytes, or let the cache evict", driver.ErrFull)
	case part.NoProcessor:
		return fmt.Errorf("%w: the primary does not know the processor", errors.ErrUnsupported)
	}
	return nil
}

// Get reads a key: here if that is possible, which costs next to nothing, and else like
// Do.
func (n *Node) Get(ctx context.Context, partition int, cache, key string) (part.Found, error) {
	if l, _ := n.now(); l != nil {
		if found, ok := l.get(partition, cache, key); ok {
			n.counters[partition].local.Add(1)
			return found, nil
		}
	}
	res, err := n.Do(ctx, partition, &part.Request{Kind: part.Get, Cache: cache, Key: key})
	return res.Present, err
}

// get reads a key in this process, if it is a member and may.
func (l *life) get(partition int, cache, key string) (part.Found, bool) {
	if l.member == nil {
		return part.Found{}, false
	}
	return l.member.slots[partition].get(0, cache, key, l.n.opts.LocalReads)
}

func (s *slot) get(lineage uint64, cache, key string, local bool) (part.Found, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if !s.replica.Shares(lineage) {
		return part.Found{}, false
	}
	now := part.Now{Mono: s.m.mono(), Lease: s.lease.Load()} // a read needs no time of day
	found, status := s.replica.Get(now, cache, key)
	if status == part.NotPrimary && local {
		found, status = s.replica.Peek(now, cache, key)
	}
	return found, status == part.OK
}

// ask sends a request to the primary once. An error that matches wire.ErrNotSent means
// that it was certainly not executed.
func (l *life) ask(ctx context.Context, partition int, req *part.Request) (part.Result, error) {
	c := l.config.Load()
	if c == nil {
		return part.Result{}, fmt.Errorf("%w: %w", wire.ErrNotSent, errNoMember)
	}
	if len(c.Partitions[partition].Held) > 0 {
		return part.Result{}, fmt.Errorf("%w: %w", wire.ErrNotSent, errHeld)
	}
	req.Lineage = c.Lineage
	primary := c.Partitions[partition].Primary
	l.n.counters[partition].ask(primary == l.self.ID)
	if primary == l.self.ID {
		res, err := l.member.slots[partition].ask(ctx, req)
		return l.believe(res), err
	}
	deadline, _ := ctx.Deadline() // Do has made sure that there is one
	var space [usual]byte
	answer, err := l.call(ctx, primary, typeOperation, appendRequest(space[:0], partition, req, time.Until(deadline)))
	if err != nil {
		return part.Result{}, err
	}
	res, err := parseResult(answer)
	if res.Status == part.NotPrimary && (res.Lineage != 0 || c.Partitions[partition].Epoch.Less(res.Epoch)) {
		l.doubt(primary)
	}
	return l.believe(res), err
}

// believe returns what a result means to this process, under the configuration that it has now.
func (l *life) believe(res part.Result) part.Result { return res.Under(l.config.Load().Lineage) }

// call asks a member something.
func (l *life) call(ctx context.Context, id topology.ID, typ wire.Type, body []byte) ([]byte, error) {
	p := (*l.peers.Load())[id]
	if p == nil {
		return nil, fmt.Errorf("%w: %w", wire.ErrNotSent, errNotServed) // there is a newer configuration
	}
	answer, err := p.Call(ctx, wire.Data, typ, body)
	if err != nil && ctx.Err() == nil {
		l.doubt(0)
	}
	return answer, err
}

// ask executes a request in this process.
func (s *slot) ask(ctx context.Context, req *part.Request) (part.Result, error) {
	deadline, _ := ctx.Deadline()
	answer := make(chan part.Result, 1)
	copied := *req // an attempt that is given up may still be with the replica
	s.submit(&copied, s.m.since(deadline), waiter{local: answer})
	select {
	case res := <-answer:
		return res, nil
	case <-ctx.Done():
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		// The replica knows the deadline, too, and says what became of it.
		timer := time.NewTimer(2 * partTick)
		defer timer.Stop()
		select {
		case res := <-answer:
			return res, nil
		case <-timer.C:
		}
	}
	return part.Result{}, ctx.Err()
}

// submit gives the replica a request that waiter gets the answer to.
func (s *slot) submit(req *part.Request, expires int64, w waiter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tag++
	req.Tag, req.Expires = s.tag, expires
	s.waiting[s.tag] = w
	now := s.now()
	s.replica.Do(now, req, &s.fx)
	s.replica.Flush(now, &s.fx)
	s.finish()
}

func (m *membership) takeOperation(from *wire.Hello, body []byte, r wire.Responder) {
	partition, req, left, err := parseRequest(body)
	if err == nil && partition >= len(m.slots) {
		err = errNoPartition
	}
	if err != nil {
		m.n.opts.Logger.Warn("peer: a request cannot be read", "from", from.Addr, "err", err)
		reply(r, &part.Result{Status: part.NotPrimary})
		return
	}
	m.n.counters[partition].served.Add(1)
	s := &m.slots[partition]
	if req.Kind == part.Get {
		if found, ok := s.get(req.Lineage, req.Cache, req.Key, false); ok {
			reply(r, &part.Result{Present: found})
			return
		}
	}
	s.submit(own(&req), m.mono()+int64(left), waiter{remote: r})
}

// own returns a copy of a request that is no view of a message.
func own(view *part.Request) *part.Request {
	req := *view
	req.Cache, req.Key, req.Processor = strings.Clone(req.Cache), strings.Clone(req.Key), strings.Clone(req.Processor)
	req.Record, req.Args, req.Given = slices.Clip(bytes.Clone(req.Record)), bytes.Clone(req.Args), true
	return &req
}

// usual is the length of a buffer on the stack that most messages fit into.
const usual = 1280

func reply(r wire.Responder, res *part.Result) {
	// The record is longer than a message can be only if it was when it was put.
	var space [usual]byte
	_ = r.Reply(appendResult(space[:0], res))
}
