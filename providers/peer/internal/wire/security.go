package wire

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
)

// Security says whom to trust. Exactly one of Secret, the three files and Plaintext is
// given. Everything but plaintext is TLS 1.3.
type Security struct {
	// Secret is shared by all members, who prove to each other that they know it,
	// and needs no files. CheckSecret says what is refused: whoever can connect can
	// try one guess with each connection.
	Secret string
	// CAFile, CertFile and KeyFile are PEM files: the authority that signs the
	// members' certificates, and this one's certificate and key. They are read again
	// for each connection, so that they can be replaced while the process runs;
	// files that cannot be read then leave the last good ones in force.
	CAFile, CertFile, KeyFile string
	// Names are the DNS names, IP addresses and URIs of which a peer's certificate
	// must have one. Empty: every certificate of the CA is a member's.
	Names []string
	// Plaintext trusts everybody. It is for loopback addresses only.
	Plaintext bool
}

// A trust is who this process is and who signs for the others.
type trust struct {
	own   tls.Certificate
	roots *x509.CertPool
}

// guard returns the guard of connections; nil for plaintext.
func (s Security) guard(cluster string) (*guard, error) {
	files := s.CAFile != "" || s.CertFile != "" || s.KeyFile != ""
	switch {
	case s.Plaintext && (files || s.Secret != ""), files && s.Secret != "":
		return nil, errors.New("security: choose one of a secret, certificate files and plaintext")
	case s.Plaintext:
		return nil, nil
	case s.Secret != "":
		if err := CheckSecret(s.Secret); err != nil {
			return nil, fmt.Errorf("security: the secret %w", err)
		}
		own, err := unproven()
		return &guard{own: own, proof: &proof{s.Secret, cluster}}, err
	case s.CAFile == "" || s.CertFile == "" || s.KeyFile == "":
		return nil, errors.New("security: give a secret, or a CA file, a certificate file and a key file")
	}
	t, err := s.read()
	if err != nil {
		return nil, err
	}
	var last atomic.Pointer[trust]
	last.Store(t)
	return &guard{names: s.Names, trust: func() *trust {
		if t, err := s.read(); err == nil {
			last.Store(t)
		}
		return last.Load()
	}}, nil
}

func (s Security) read() (*trust, error) {
	ca, err := os.ReadFile(s.CAFile)
	if err != nil {
		return nil, fmt.Errorf("security: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return nil, fmt.Errorf("security: %s has no certificate", s.CAFile)
	}
	own, err := tls.LoadX509KeyPair(s.CertFile, s.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("security: %w", err)
	}
	return &trust{own: own, roots: roots}, nil
}
