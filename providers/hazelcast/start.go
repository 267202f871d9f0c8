package hazelcast

import (
	"context"
	"errors"
	"fmt"
	"time"

	hz "github.com/hazelcast/hazelcast-go-client"
	hzcluster "github.com/hazelcast/hazelcast-go-client/cluster"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// start starts a client before the context ends, which its log knows.
func (p *Provider) start(ctx context.Context) (*clientLog, error) {
	if err := p.reach(ctx); err != nil {
		return nil, err
	}
	lines := &clientLog{log: p.log, lostEvents: p.signalGap}
	lines.opened = func(addr string) {
		if client := lines.client.Load(); client != nil && client == p.client.Load() {
			p.opened(addr)
		}
	}
	cfg := p.plan.client
	cfg.Cluster.Network.SetAddresses(p.members.expelledLast(cfg.Cluster.Network.Addresses)...)
	cfg.Logger.CustomLogger = lines
	cfg.AddLifecycleListener(func(e hz.LifecycleStateChanged) {
		p.lifecycle(lines, e.State)
	})
	cfg.AddMembershipListener(func(e hzcluster.MembershipStateChanged) {
		if lines.left.Load() {
			return // it may see another cluster than the client that took its place
		}
		p.members.heard(e)
		if e.State == hzcluster.MembershipStateRemoved {
			p.signalGap() // events that it had not sent yet went with it
		}
	})
	type result struct {
		client *hz.Client
		err    error
	}
	started := make(chan result)
	go func() {
		client, err := hz.StartNewClientWithConfig(ctx, cfg)
		select {
		case started <- result{client, err}:
		case <-ctx.Done():
			// Dialling and the TLS handshake do not know the context, so
			// the client may come too late; nobody has it then.
			if client != nil {
				_ = client.Shutdown(context.Background())
			}
		}
	}()
	select {
	case r := <-started:
		if r.err != nil {
			return nil, notStarted(ctx, r.err)
		}
		lines.client.Store(r.client)
		return lines, nil
	case <-ctx.Done():
		return nil, notStarted(ctx, ctx.Err())
	}
}

// notStarted is the error of a client that a member would have let in a moment ago.
func notStarted(ctx context.Context, err error) error {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err()
	case ctx.Err() != nil:
		err = ctx.Err()
	default:
		err = trimmed(err)
	}
	return fmt.Errorf("%w: a member answers, but the client does not find its way into the cluster: %w", driver.ErrUnavailable, err)
}

// lifecycle hears of a client's connections as a whole. It must not block.
func (p *Provider) lifecycle(lines *clientLog, state hz.LifecycleState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch state {
	case hz.LifecycleStateConnected:
		lines.alone = false
	case hz.LifecycleStateDisconnected:
		lines.alone = true
	}
	switch {
	case p.closed.Load() || lines != p.lines:
	case state == hz.LifecycleStateConnected:
		p.restored()
	case state == hz.LifecycleStateDisconnected:
		p.members.clear()
		if p.link.down() {
			p.tasks.Go(p.awaitCluster)
		}
	}
}

// restored notes that there is a connection; p.mu is held.
func (p *Provider) restored() {
	if !p.link.up() {
		return
	}
	if p.plan.client.Cluster.Unisocket {
		p.deafen() // the client does not add listeners to another single connection
	}
	p.members.tell(p.log)
	p.members.unsettled()
	p.signalGap()
}

const (
	askInterval = 500 * time.Millisecond
	// A client that has not found back to the cluster after stuckAfter, although a
	// member would let it in, is replaced. Every attempt to start another one
	// that fails leaves a goroutine of the client behind, so the next attempts come
	// later and later.
	stuckAfter     = 5 * time.Second
	stuckAfterMost = 10 * time.Minute
)

// awaitCluster runs while the connection is lost. The client connects again by itself,
// as a rule. But it does not report every recovery, so it is asked; and it waits for
// ever for the answer to its first request on a new connection, if that connection
// breaks at once or belongs to a member that hangs.
func (p *Provider) awaitCluster() {
	tick := time.NewTicker(askInterval)
	defer tick.Stop()
	limit := stuckAfter
	var since time.Time // when a member began to let clients in
	for p.link.isDown() {
		select {
		case <-p.life.Done():
			return
		case <-tick.C:
		}
		if p.answered() {
			p.mu.Lock()
			p.restored()
			p.mu.Unlock()
			return
		}
		switch seen, _ := p.lookAround(p.life, firstGreeting); {
		case seen != welcomes:
			since = time.Time{}
		case since.IsZero():
			since = time.Now()
		case time.Since(since) >= limit:
			p.replace()
			since, limit = time.Now(), min(2*limit, stuckAfterMost)
		}
	}
}

func (p *Provider) answered() bool {
	ctx, cancel := context.WithTimeout(p.life, time.Second)
	defer cancel()
	return p.ask(ctx) == nil
}

// take has calls made with another client, and returns the one before; p.mu is held.
func (p *Provider) take(lines *clientLog) (before *hz.Client) {
	if p.lines != nil {
		p.lines.left.Store(true)
	}
	p.lines = lines
	return p.client.Swap(lines.client.Load())
}

// replace puts another client in the place of one that is stuck.
func (p *Provider) replace() {
	ctx, cancel := context.WithTimeout(p.life, p.plan.replaceTimeout())
	defer cancel()
	lines, err := p.start(ctx)
	if err != nil {
		p.log.Debug("hazelcast: another client does not reach the cluster either", "error", err)
		return
	}
	p.mu.Lock()
	stuck := p.take(lines)
	if !lines.alone { // it may have lost its connection meanwhile
		p.restored()
	}
	p.mu.Unlock()
	p.tasks.Go(func() {
		select { // what it was asked is answered meanwhile
		case <-p.life.Done():
		case <-time.After(p.plan.requestTimeout):
		}
		ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
		defer cancel()
		_ = stuck.Shutdown(ctx)
	})
}
