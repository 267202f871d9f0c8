package hazelcast

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	hz "github.com/hazelcast/hazelcast-go-client"
	hzcluster "github.com/hazelcast/hazelcast-go-client/cluster"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// start starts a client before the context ends.
func (p *Provider) start(ctx context.Context) (*hz.Client, error) {
	lines := &clientLog{log: p.log, lostEvents: p.signalGap, down: p.link.isDown}
	cfg := p.plan.client
	cfg.Logger.CustomLogger = lines
	cfg.AddLifecycleListener(func(e hz.LifecycleStateChanged) {
		if client := lines.client.Load(); client != nil {
			p.lifecycle(client, e.State)
		}
	})
	cfg.AddMembershipListener(func(e hzcluster.MembershipStateChanged) {
		if e.State == hzcluster.MembershipStateRemoved {
			p.members.remove(e.Member.UUID)
			p.signalGap() // events that it had not sent yet went with it
		} else {
			p.members.add(e.Member.UUID)
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
			return nil, p.notStarted(ctx, lines, r.err)
		}
		lines.client.Store(r.client)
		return r.client, nil
	case <-ctx.Done():
		return nil, p.notStarted(ctx, lines, ctx.Err())
	}
}

// notStarted says why nobody could be connected to, as far as that can be known: the
// members refuse a wrong cluster name and a wrong password with the same answer.
func (p *Provider) notStarted(ctx context.Context, lines *clientLog, err error) error {
	if err = trimmed(err); ctx.Err() != nil {
		err = ctx.Err()
	}
	servers := strings.Join(p.plan.servers, ", ")
	reason, refused := lines.reasons()
	if refused {
		return fmt.Errorf("%w: the members at %s refuse this client: their cluster is not named %q, or the user and password are wrong: %w",
			driver.ErrMisconfigured, servers, p.plan.clusterName, err)
	}
	if reason != "" {
		reason = " (" + reason + ")"
	}
	kind, found := driver.ErrUnavailable, "nobody is listening there"
	switch p.lookAt() {
	case speaksTLS:
		kind, found = driver.ErrMisconfigured, "who is listening there expects TLS, which is not configured"
	case speaksPlain:
		kind, found = driver.ErrMisconfigured, "who is listening there does not speak TLS, which is configured"
	case speaksOther:
		kind, found = driver.ErrMisconfigured, "who is listening there speaks another protocol"
	case silent:
		if strings.Contains(reason, "certificate") {
			kind, found = driver.ErrMisconfigured, "who is listening there and this client do not trust each other"
			break
		}
		found = "who is listening there does not answer; it may be no member, or stuck"
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("%w: no member of the cluster %q answers at %s: %s%s; or the cluster has another name or address: %w",
		kind, p.plan.clusterName, servers, found, reason, err)
}

// lifecycle hears of a client's connections as a whole. It must not block.
func (p *Provider) lifecycle(client *hz.Client, state hz.LifecycleState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed.Load() || client != p.client.Load():
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
	p.members.unsettled()
	p.signalGap()
}

const (
	askInterval = 500 * time.Millisecond
	// A client that has not found back to the cluster after stuckAfter, although
	// somebody is listening there, is replaced. Every attempt to start another one
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
	patience := stuckAfter
	var since time.Time // when somebody began to listen
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
		switch {
		case !p.somebodyListens():
			since = time.Time{}
		case since.IsZero():
			since = time.Now()
		case time.Since(since) >= patience:
			p.replace()
			since, patience = time.Now(), min(2*patience, stuckAfterMost)
		}
	}
}

func (p *Provider) answered() bool {
	ctx, cancel := context.WithTimeout(p.life, time.Second)
	defer cancel()
	return p.ask(ctx) == nil
}

func (p *Provider) somebodyListens() bool {
	for _, addr := range p.addresses() {
		d := net.Dialer{Timeout: time.Second}
		if conn, err := d.DialContext(p.life, "tcp", addr); err == nil {
			_ = conn.Close() // nothing was written
			return true
		}
	}
	return false
}

// replace puts another client in the place of one that is stuck.
func (p *Provider) replace() {
	ctx, cancel := context.WithTimeout(p.life, p.plan.replaceTimeout())
	defer cancel()
	client, err := p.start(ctx)
	if err != nil {
		p.log.Debug("hazelcast: another client does not reach the cluster either", "error", err)
		return
	}
	p.mu.Lock()
	stuck := p.client.Swap(client)
	p.restored()
	p.mu.Unlock()
	ctx, cancelShutdown := context.WithTimeout(p.life, shutdownTimeout)
	defer cancelShutdown()
	_ = stuck.Shutdown(ctx)
}
