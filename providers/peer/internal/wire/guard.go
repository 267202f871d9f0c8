package wire

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"syscall"
)

// A guard secures connections. The nil guard leaves them as they are.
type guard struct {
	// With a secret: own proves nothing, and proof does.
	own   tls.Certificate
	proof *proof
	// With certificates.
	trust func() *trust
	names []string
}

// allows returns an error if connections with an address must not be plaintext.
func (g *guard) allows(addr string) error {
	if g != nil {
		return nil
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	if ip, err := netip.ParseAddr(host); host == "localhost" || err == nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("%w, which %s is not", ErrInsecure, host)
}

func (g *guard) client(nc net.Conn) (net.Conn, error) {
	if g == nil {
		return nc, nil
	}
	c := tls.Client(nc, g.config(x509.ExtKeyUsageServerAuth))
	if err := c.Handshake(); err != nil || g.proof == nil {
		return c, err
	}
	return c, g.proof.dial(c)
}

func (g *guard) server(nc net.Conn) (net.Conn, error) {
	if g == nil {
		return nc, nil
	}
	c := tls.Server(nc, g.config(x509.ExtKeyUsageClientAuth))
	if err := c.Handshake(); err != nil || g.proof == nil {
		return c, err
	}
	return c, g.proof.answer(c)
}

// config returns the configuration of one connection. Peers are known by their
// addresses, which change, so their certificates are verified by who signed them and
// by the list of names.
func (g *guard) config(peerIs x509.ExtKeyUsage) *tls.Config {
	if g.proof != nil {
		return &tls.Config{
			MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{g.own}, NextProtos: []string{application},
			InsecureSkipVerify: true, SessionTicketsDisabled: true, // the proof is for this connection
		}
	}
	t := g.trust()
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		Certificates:           []tls.Certificate{t.own},
		ClientAuth:             tls.RequireAnyClientCert,
		InsecureSkipVerify:     true, // VerifyConnection verifies, for both sides alike
		SessionTicketsDisabled: true,
		VerifyConnection: func(state tls.ConnectionState) error {
			return g.verify(state.PeerCertificates, t.roots, peerIs)
		},
	}
}

func (g *guard) verify(chain []*x509.Certificate, roots *x509.CertPool, usage x509.ExtKeyUsage) error {
	if len(chain) == 0 {
		return fmt.Errorf("%w: the other side has no certificate", ErrUntrusted)
	}
	opts := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{usage}}
	for _, c := range chain[1:] {
		opts.Intermediates.AddCert(c)
	}
	if _, err := chain[0].Verify(opts); err != nil {
		return fmt.Errorf("%w: the other side has a secret, or a certificate of another CA: %w", ErrUntrusted, err)
	}
	if len(g.names) > 0 && !slices.ContainsFunc(g.names, func(name string) bool { return named(chain[0], name) }) {
		return fmt.Errorf("%w: the certificate of the other side has none of the expected names", ErrUntrusted)
	}
	return nil
}

func named(c *x509.Certificate, name string) bool {
	for _, u := range c.URIs {
		if u.String() == name {
			return true
		}
	}
	return c.VerifyHostname(name) == nil
}

// explain says what an error of the first words on a connection means.
func explain(err error) error {
	var remote *net.OpError
	var plain tls.RecordHeaderError
	switch {
	case errors.As(err, &remote) && remote.Op == "remote error":
		return fmt.Errorf("%w: the other side did not accept this one's certificate: has it a secret, another CA or list of names, or an older version? (%w)", ErrUntrusted, err)
	case errors.As(err, &plain):
		return fmt.Errorf("%w: the other side does not speak TLS", ErrUntrusted)
	case errors.Is(err, ErrProtocol):
		return fmt.Errorf("%w: does only one side use TLS?", err)
	case hungUp(err):
		return fmt.Errorf("%w: it hung up, and may say why in its log: %w", ErrNoAnswer, err)
	}
	return err
}

func hungUp(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) }
