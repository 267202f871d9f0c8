package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/wire"
)

const (
	// pollFor is how long a member may keep a client waiting for a newer
	// configuration, and pollWait how long that waits for the answer.
	pollFor  = time.Second
	pollWait = pollFor + 500*time.Millisecond
	// askAgain is the pause between two rounds of questions that nobody answered.
	askAgain = 100 * time.Millisecond
	// doubtEvery is how often another member is asked because an operation failed.
	doubtEvery = int64(50 * time.Millisecond)
	// answerWait bounds a question to one process, or to all addresses at once.
	answerWait = 2 * time.Second
	// maxSeen bounds the addresses that are tried because a member was there.
	maxSeen = 256
	// unanswered is how long no member may have answered until the grid counts as
	// out of reach.
	unanswered = 3 * time.Second
)

var (
	errDoubt    = errors.New("somebody else may know more")
	errNoAnswer = errors.New("no member answers")
)

// A client follows the configurations of a grid without being a member: some member is
// always asked for the next one.
type client struct {
	l        *life
	answered atomic.Int64 // when a member answered last

	mu        sync.Mutex
	interrupt context.CancelCauseFunc // of the question that is under way
	doubted   int64                   // when there was a doubt
	knows     topology.ID             // who may know more
	turn      int                     // whose it is to be asked
	seen      []string                // addresses of members, the latest last

	learning sync.Mutex // one configuration after the other
	rests    bool       // the last search found rests only
}

// newClient starts a life as a client.
func newClient(n *Node) (*life, error) {
	l, err := newLife(n, nil)
	if err != nil {
		return nil, err
	}
	c := &client{l: l}
	l.client = c
	l.work.Go(func() { c.follow(l.ctx) })
	l.work.Go(func() { l.feeds.run(l.ctx) })
	return l, nil
}

// follow asks the members one after the other, and tries all addresses where members
// may be when none of them answers, for ever.
func (c *client) follow(ctx context.Context) {
	for ctx.Err() == nil {
		answered := slices.ContainsFunc(c.members(), func(p *wire.Peer) bool {
			answered, _ := c.ask(ctx, p, known)
			return answered
		})
		if !answered && !c.search(ctx) {
			pauseFor(ctx, askAgain)
		}
	}
}

// members returns the members in the order in which they are to be asked.
func (c *client) members() []*wire.Peer {
	config, peers := c.l.config.Load(), c.l.peers.Load()
	if config == nil {
		return nil
	}
	c.mu.Lock()
	first, knows := c.turn, c.knows
	c.turn, c.knows = c.turn+1, 0
	c.mu.Unlock()
	var list []*wire.Peer
	if p := (*peers)[knows]; p != nil {
		list = append(list, p)
	}
	for i := range config.Members {
		id := config.Members[(first+i)%len(config.Members)].ID
		if p := (*peers)[id]; p != nil && id != knows {
			list = append(list, p)
		}
	}
	return list
}

// doubt is told that the configuration may be an old one, and who may know more; zero:
// some other member.
func (c *client) doubt(knows topology.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.l.mono()
	if c.interrupt == nil || now-c.doubted < doubtEvery {
		return
	}
	c.doubted, c.knows = now, knows
	c.interrupt(errDoubt)
}

// ask asks a process for a newer configuration, waits for it for a while, and reports
// whether there was an answer of a cluster that the client follows. Other is the
// configuration of one that it does not.
func (c *client) ask(ctx context.Context, p *wire.Peer, as source) (answered bool, other *topology.Config) {
	ctx, interrupt := context.WithCancelCause(ctx)
	defer interrupt(nil)
	ctx, cancel := context.WithTimeout(ctx, pollWait)
	defer cancel()
	if as == known {
		c.mu.Lock()
		c.interrupt = interrupt
		c.mu.Unlock()
		defer func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.interrupt = nil
		}()
	}
	answer, err := p.Call(ctx, wire.Control, typeConfig, appendPoll(nil, c.l.config.Load()))
	if err != nil {
		return errors.Is(err, errDoubt), nil
	}
	status, config, err := parseNews(answer, c.l.n.opts.Partitions)
	switch {
	case err != nil:
		c.l.n.opts.Logger.Warn("peer: a configuration cannot be read", "from", p.Addr, "err", err)
		return false, nil
	case status == noMember:
		return false, nil
	case status == news && !c.learn(config, as):
		return false, config
	}
	c.answered.Store(c.l.mono())
	if h := p.Hello(); h != nil {
		c.l.n.compare(h)
	}
	return true, nil
}

// A source is where a configuration comes from, and so what it may be.
type source uint8

const (
	known source = iota // of the cluster that is known: what comes from that
	found               // when no member answers: another cluster, too
	left                // and nobody has a better one: one with few of the members, too
)

// learn makes a configuration the present one, unless it is older, and reports whether it
// belongs to the cluster that the client follows. One that has lost most of the members may
// be of those who are cut off, and one that does not come from what is known may be the other
// side of a split: these take its place only if nobody of it answers any more.
func (c *client) learn(config *topology.Config, as source) bool {
	c.learning.Lock()
	defer c.learning.Unlock()
	l := c.l
	old := l.config.Load()
	switch {
	case old == nil:
	case config.Lineage == old.Lineage:
		if !config.Newer(old) {
			return true
		}
	case old.Follows(config), as < left && lostMost(old, config), as < found && !config.Follows(old):
		return false
	}
	l.meet(config)
	l.config.Store(config)
	l.feeds.adopt(old, config)
	c.remember(config)
	if old != nil {
		for i := range old.Members {
			if id := old.Members[i].ID; !config.Has(id) {
				l.wire.Forget(id) // so that calls go to its successors
			}
		}
	}
	l.n.announce()
	return true
}

func lostMost(old, config *topology.Config) bool {
	lost := 0
	for i := range old.Members {
		if !config.Has(old.Members[i].ID) {
			lost++
		}
	}
	return 2*lost > len(old.Members)
}

func (c *client) remember(config *topology.Config) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range config.Members {
		addr := config.Members[i].Addr
		c.seen = append(slices.DeleteFunc(c.seen, func(s string) bool { return s == addr }), addr)
	}
	c.seen = c.seen[max(0, len(c.seen)-maxSeen):]
}

// addresses returns where members may be.
func (c *client) addresses() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := slices.Concat(c.l.n.opts.Join, c.seen)
	slices.Sort(all)
	return slices.Compact(all)
}

// search tries all addresses at once, and reports whether a member was found. If twice in a
// row there are only rests of the cluster that is known, it takes the largest: others may have
// been about to answer the first time.
func (c *client) search(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, answerWait)
	defer cancel()
	var mu sync.Mutex
	var done bool
	var rest *topology.Config
	var work sync.WaitGroup
	for _, addr := range c.addresses() {
		work.Go(func() {
			answered, other := c.askAt(ctx, addr)
			mu.Lock()
			defer mu.Unlock()
			if done = done || answered; done {
				cancel()
			}
			if other != nil && (rest == nil || len(other.Members) > len(rest.Members)) {
				rest = other
			}
		})
	}
	work.Wait()
	again := c.rests
	c.rests = !done && rest != nil
	return done || again && rest != nil && c.learn(rest, left)
}

// askAt asks whatever process is at an address, as ask does.
func (c *client) askAt(ctx context.Context, addr string) (answered bool, other *topology.Config) {
	l := c.l
	hello, err := l.wire.Greet(ctx, addr)
	if errors.Is(err, wire.ErrMismatch) || errors.Is(err, wire.ErrUntrusted) {
		err = fmt.Errorf("%s: %w", addr, err)
		defer l.n.announce()
		if l.rejected.Swap(&err) == nil {
			l.n.opts.Logger.Warn("peer: a process does not belong to this cluster", "addr", addr, "err", err)
		}
		return false, nil
	}
	if err != nil {
		return false, nil
	}
	answered, other = c.ask(ctx, l.wire.Peer(hello.ID, hello.Addr), found)
	if config := l.config.Load(); config == nil || !config.Has(hello.ID) {
		l.wire.Forget(hello.ID)
	}
	return answered, other
}

// Ping returns an error if this process is between two memberships, or a client whom no
// member has answered for a while.
func (n *Node) Ping() error {
	l, _ := n.now()
	switch {
	case l == nil || l.config.Load() == nil:
		return errNoMember
	case l.client != nil && l.mono()-l.client.answered.Load() > int64(unanswered):
		return errNoAnswer
	}
	return nil
}

// doubt is told that a member did not serve what it should, according to the
// configuration. Members hear of the next one by themselves.
func (l *life) doubt(knows topology.ID) {
	if l.client != nil {
		l.client.doubt(knows)
	}
}
