package wire_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/internal/logtest"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/wire"
)

const secret = "a secret of the tests"

// real starts an endpoint on a loopback port.
func real(t testing.TB, id topology.ID, s wire.Security) (*wire.Endpoint, *logtest.Log) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	out := &logtest.Log{}
	e, err := wire.Start(wire.Options{Self: hello(id), Security: s, Listener: l, Logger: slog.New(slog.NewTextHandler(out, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	e.Handle(echo, func(_ *wire.Hello, body []byte, r wire.Responder) { _ = r.Reply(body) })
	return e, out
}

// poll waits until something is true.
func poll(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for over := time.Now().Add(10 * time.Second); !ok(); {
		if time.Now().After(over) {
			t.Fatalf("not within 10 s: %s", what)
		}
		<-time.After(5 * time.Millisecond)
	}
}

func TestWhoTrustsWhom(t *testing.T) {
	dir := t.TempDir()
	ca, other := newCA(t), newCA(t)
	files := func(signed, trusted *authority, name string, names ...string) wire.Security {
		return signed.issue(t, filepath.Join(dir, name), trusted, "node.example", names...)
	}
	shared := wire.Security{Secret: secret}
	tests := map[string]struct {
		dials, accepts wire.Security
		ok             bool
	}{
		"one secret":              {shared, shared, true},
		"two secrets":             {wire.Security{Secret: "another secret of the tests"}, shared, false},
		"one CA":                  {files(ca, ca, "a"), files(ca, ca, "b"), true},
		"two CAs":                 {files(other, other, "c"), files(ca, ca, "d"), false},
		"only one trusts":         {files(other, ca, "e"), files(ca, ca, "f"), false},
		"an expected name":        {files(ca, ca, "g", "node.example"), files(ca, ca, "h", "*.example", "node.example"), true},
		"an unexpected name":      {files(ca, ca, "i"), files(ca, ca, "j", "boss.example"), false},
		"secret and plaintext":    {shared, wire.Security{Plaintext: true}, false},
		"plaintext and secret":    {wire.Security{Plaintext: true}, shared, false},
		"plaintext and plaintext": {wire.Security{Plaintext: true}, wire.Security{Plaintext: true}, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a, _ := real(t, 1, tt.dials)
			b, out := real(t, 2, tt.accepts)
			_, err := a.Peer(2, b.Self().Addr).Call(t.Context(), wire.Data, echo)
			if tt.ok {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, wire.ErrNotSent) {
				t.Errorf("got %v", err)
			}
			t.Log("who dialled sees:", err)
			poll(t, "who was dialled logs it", func() bool { return strings.Contains(out.String(), "turned away") })
			t.Log("who was dialled logs:", out)
			if strings.Contains(name, "secrets") {
				if !errors.Is(err, wire.ErrUntrusted) || !strings.Contains(out.String(), "another secret") {
					t.Error("nothing tells that the secrets differ")
				}
			}
			if both := err.Error() + out.String(); strings.Contains(both, "of the tests") {
				t.Error("a secret was told")
			}
		})
	}
}

func TestCertificatesAreReplacedWhileRunning(t *testing.T) {
	dir := t.TempDir()
	old, next := newCA(t), newCA(t)
	first := old.issue(t, filepath.Join(dir, "a"), old, "node.example")
	a, _ := real(t, 1, first)
	b, _ := real(t, 2, old.issue(t, filepath.Join(dir, "b"), old, "node.example"))
	if _, err := a.Peer(2, b.Self().Addr).Call(t.Context(), wire.Data, echo); err != nil {
		t.Fatal(err)
	}
	next.issue(t, filepath.Join(dir, "a"), next, "node.example")
	next.issue(t, filepath.Join(dir, "b"), next, "node.example")
	c, _ := real(t, 3, next.issue(t, filepath.Join(dir, "c"), next, "node.example"))
	for _, e := range []*wire.Endpoint{a, b} {
		if _, err := c.Peer(e.Self().ID, e.Self().Addr).Call(t.Context(), wire.Data, echo); err != nil {
			t.Errorf("with the new certificate: %v", err)
		}
	}
	if err := os.WriteFile(first.CertFile, []byte("half of a fi"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Peer(1, a.Self().Addr).Call(t.Context(), wire.Bulk, echo); err != nil {
		t.Errorf("while a file is being written: %v", err)
	}
}

func TestSecurityThatIsRefused(t *testing.T) {
	plain := wire.Security{Plaintext: true}
	tests := map[string]struct {
		s    wire.Security
		addr string
		want string
	}{
		"nothing":              {wire.Security{}, "127.0.0.1:0", "give a secret"},
		"two things":           {wire.Security{Secret: secret, Plaintext: true}, "127.0.0.1:0", "choose one"},
		"half of the files":    {wire.Security{CAFile: "ca.pem"}, "127.0.0.1:0", "give a secret, or a CA file"},
		"missing files":        {wire.Security{CAFile: "ca.pem", CertFile: "c.pem", KeyFile: "k.pem"}, "127.0.0.1:0", "no such file"},
		"a short secret":       {wire.Security{Secret: "hunter2"}, "127.0.0.1:0", "shorter"},
		"plaintext everywhere": {plain, "0.0.0.0:0", "loopback"},
		"an address of nobody": {wire.Security{Secret: secret}, "0.0.0.0:0", "name its address"},
	}
	for name, tt := range tests {
		l, err := net.Listen("tcp", tt.addr)
		if err != nil {
			t.Fatal(err)
		}
		e, err := wire.Start(wire.Options{Self: hello(1), Security: tt.s, Listener: l})
		if err == nil {
			_ = e.Close()
			t.Errorf("%s: accepted", name)
			continue
		}
		if !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: the listener stays open", name)
		}
	}
	a, _ := real(t, 1, plain)
	if _, err := a.Peer(2, "192.0.2.1:7800").Call(t.Context(), wire.Data, echo); !errors.Is(err, wire.ErrInsecure) || !errors.Is(err, wire.ErrNotSent) {
		t.Errorf("plaintext to elsewhere: %v", err)
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	a, _ := real(t, 1, wire.Security{Secret: secret})
	_, err := tls.Dial("tcp", a.Self().Addr, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12})
	if err == nil || !strings.Contains(err.Error(), "protocol version") {
		t.Errorf("got %v", err)
	}
}

// An authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newCA(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	what := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "tests"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, what, what, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{cert, key}
}

// issue writes files with a certificate for a name, and a CA to trust.
func (a *authority) issue(t *testing.T, prefix string, trusted *authority, name string, names ...string) wire.Security {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(2), DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	s := wire.Security{CAFile: prefix + "-ca.pem", CertFile: prefix + ".pem", KeyFile: prefix + "-key.pem", Names: names}
	for file, block := range map[string]*pem.Block{
		s.CAFile:   {Type: "CERTIFICATE", Bytes: trusted.cert.Raw},
		s.CertFile: {Type: "CERTIFICATE", Bytes: der},
		s.KeyFile:  {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return s
}
