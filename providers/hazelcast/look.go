package hazelcast

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// A look is what can be seen of those who listen at the addresses of the cluster. What is seen of
// several is the greatest.
type look uint8

const (
	unknownHost look = iota
	nobody
	silent      // it accepts a connection and says nothing, as members do that hang
	speaksOther // it answers what a member would not
	speaksPlain // it has no TLS, which is configured
	speaksTLS   // it has TLS, which is not configured
	distrusts   // its certificate is not good for this client, or the other way round
	refuses     // it does not let this client in
	welcomes
)

// passes reports whether what is seen may be otherwise in a moment.
func (l look) passes() bool { return l == nobody || l == silent }

const (
	// lookTimeout is what it may take to look closer at who does not answer as a member.
	lookTimeout = 300 * time.Millisecond
	// A member is given firstGreeting to answer, and each time twice as much, up to
	// lastGreeting: one that is overloaded is slow.
	firstGreeting, lastGreeting = 500 * time.Millisecond, 8 * time.Second
)

// addresses are the members' addresses with their ports.
func (p *Provider) addresses() []string {
	var addrs []string
	for _, addr := range p.plan.client.Cluster.Network.Addresses {
		if _, _, err := net.SplitHostPort(addr); err == nil {
			addrs = append(addrs, addr)
			continue
		}
		for _, port := range defaultPorts {
			addrs = append(addrs, net.JoinHostPort(strings.Trim(addr, "[]"), port))
		}
	}
	return addrs
}

// reach returns when a member would let a client in. It goes on trying until the context ends,
// unless somebody has made a mistake that will not mend itself.
func (p *Provider) reach(ctx context.Context) error {
	retry := &p.plan.client.Cluster.ConnectionStrategy.Retry
	pause := time.Duration(retry.InitialBackoff)
	for timeout := firstGreeting; ; timeout = min(2*timeout, lastGreeting) {
		seen, reason := p.lookAround(ctx, timeout)
		if seen == welcomes {
			return nil
		}
		if errors.Is(ctx.Err(), context.Canceled) {
			return ctx.Err()
		}
		if !seen.passes() {
			return p.notReached(seen, reason, nil)
		}
		jitter := 1 + retry.Jitter*(2*rand.Float64()-1)
		select {
		case <-ctx.Done():
			return p.notReached(seen, reason, ctx.Err())
		case <-time.After(time.Duration(float64(pause) * jitter)):
			pause = min(time.Duration(float64(pause)*retry.Multiplier), time.Duration(retry.MaxBackoff))
		}
	}
}

// lookAround looks at all addresses at once, and says why nobody is there who welcomes a client.
func (p *Provider) lookAround(ctx context.Context, timeout time.Duration) (most look, reason error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, addr := range p.addresses() {
		wg.Go(func() {
			err := p.greet(ctx, addr)
			if errors.Is(ctx.Err(), context.Canceled) && err != nil {
				return // somebody else welcomes the client
			}
			seen := p.saw(addr, err)
			mu.Lock()
			defer mu.Unlock()
			if seen > most || reason == nil {
				most, reason = max(most, seen), err
			}
			if seen == welcomes {
				cancel() // one is enough
			}
		})
	}
	wg.Wait()
	return most, reason
}

// saw tells what the error of a greeting means.
func (p *Provider) saw(addr string, err error) look {
	overTLS := p.plan.client.Cluster.Network.SSL.Enabled
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case err == nil:
		return welcomes
	case errors.Is(err, errRefuses):
		return refuses
	case errors.As(err, &dns) && dns.IsNotFound:
		return unknownHost
	case errors.As(err, &op) && op.Op == "dial":
		return nobody
	case overTLS && untrusted(err):
		return distrusts
	}
	ctx, cancel := context.WithTimeout(p.life, lookTimeout)
	defer cancel()
	return identify(ctx, addr, overTLS)
}

// untrusted reports whether a TLS connection failed for its certificates: not for the network, and
// not because the other side has no TLS.
func untrusted(err error) bool {
	var timeout net.Error
	return !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, errNoMember) &&
		!errors.As(err, new(tls.RecordHeaderError)) &&
		!errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) && (!errors.As(err, &timeout) || !timeout.Timeout())
}

// notReached says why nobody could be connected to, as far as that can be known: the
// members refuse a wrong cluster name and a wrong password with the same answer.
func (p *Provider) notReached(seen look, reason, ended error) error {
	if errors.Is(ended, context.Canceled) {
		return ended
	}
	servers, because := strings.Join(p.plan.servers, ", "), ""
	if reason != nil && !errors.Is(reason, context.DeadlineExceeded) && (seen == unknownHost || seen == nobody || seen == distrusts) {
		because = " (" + trim(reason.Error()) + ")"
	}
	wrong := func(what string) error {
		return fmt.Errorf("%w: no member of the cluster %q answers at %s: %s%s", driver.ErrMisconfigured, p.plan.clusterName, servers, what, because)
	}
	switch seen {
	case refuses:
		return fmt.Errorf("%w: the members at %s refuse this client: their cluster is not named %q, or the user and password are wrong",
			driver.ErrMisconfigured, servers, p.plan.clusterName)
	case unknownHost:
		return wrong("there is no such host")
	case distrusts:
		return wrong("TLS fails, as who is listening there and this client do not trust each other's certificate")
	case speaksTLS:
		return wrong("who is listening there expects TLS, which is not configured")
	case speaksPlain:
		return wrong("who is listening there does not speak TLS, which is configured")
	case speaksOther:
		return wrong("who is listening there speaks another protocol")
	}
	found := "nobody is listening there"
	if seen == silent {
		found = "who is listening there does not answer; it may be no member, or stuck"
	}
	return fmt.Errorf("%w: no member of the cluster %q answers at %s: %s%s; or the cluster has another name or address: %w",
		driver.ErrUnavailable, p.plan.clusterName, servers, found, because, ended)
}

// identify looks closer at who does not answer as a member would.
func identify(ctx context.Context, addr string, overTLS bool) look {
	shaken := handshake(ctx, addr)
	var alert tls.AlertError
	hasTLS := shaken == nil || errors.As(shaken, &alert)
	switch {
	case hasTLS && !overTLS:
		return speaksTLS
	case hasTLS:
		return silent
	}
	if overTLS && (errors.As(shaken, new(tls.RecordHeaderError)) || errors.Is(shaken, io.EOF)) {
		return speaksPlain
	}
	// A member waits for more after the three letters that a client begins with.
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nobody
	}
	defer conn.Close() //nolint:errcheck // it was opened to look only
	deadline, _ := ctx.Deadline()
	if conn.SetDeadline(deadline) != nil {
		return silent
	}
	if _, err := io.WriteString(conn, "CP2\r\n\r\n"); err != nil {
		return silent
	}
	if n, _ := conn.Read(make([]byte, 1)); n > 0 {
		return speaksOther
	}
	return silent
}

// handshake begins TLS and tells how that ends. It takes a third of the time of a look.
func handshake(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout/3)
	defer cancel()
	d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // nothing is sent
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err == nil {
		_ = conn.Close() // nothing was written
	}
	return err
}
