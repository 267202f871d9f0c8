package hazelcast

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

// A look is what can be seen of those who listen at the addresses of the cluster. The client
// reports all of it as a connection that failed. What is seen of several is the greatest.
type look uint8

const (
	nobody      look = iota
	silent           // it accepts a connection and says nothing, as members do
	speaksOther      // it answers what a member would not
	speaksPlain      // it has no TLS, which is configured
	speaksTLS        // it has TLS, which is not configured
)

// lookTimeout is what a look may take. It is for a client that has failed already.
const lookTimeout = 300 * time.Millisecond

// addresses are the members' addresses with their ports.
func (p *Provider) addresses() []string {
	var addrs []string
	for _, addr := range p.plan.client.Cluster.Network.Addresses {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			addr = net.JoinHostPort(strings.Trim(addr, "[]"), "5701")
		}
		addrs = append(addrs, addr)
	}
	return addrs
}

// lookAt looks at all addresses at once.
func (p *Provider) lookAt() (most look) {
	ctx, cancel := context.WithTimeout(p.life, lookTimeout)
	defer cancel()
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, addr := range p.addresses() {
		wg.Go(func() {
			seen := lookAt(ctx, addr, p.plan.client.Cluster.Network.SSL.Enabled)
			mu.Lock()
			defer mu.Unlock()
			most = max(most, seen)
		})
	}
	wg.Wait()
	return most
}

func lookAt(ctx context.Context, addr string, overTLS bool) look {
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
