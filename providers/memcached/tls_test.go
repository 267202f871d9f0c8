package memcached_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/providers/memcached"
)

// An authority signs certificates into files of a directory.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir()}
	a.cert, a.key = a.sign(t, "ca", &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	a.pool = x509.NewCertPool()
	a.pool.AddCert(a.cert)
	letServersIn(t, a.file("ca.pem"))
	return a
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

// sign writes name.pem and name.key.
func (a *authority) sign(t *testing.T, name string, template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.Subject = pkix.Name{CommonName: name}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	der2, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{
		name + ".pem": {Type: "CERTIFICATE", Bytes: der},
		name + ".key": {Type: "PRIVATE KEY", Bytes: der2},
	} {
		if err := os.WriteFile(a.file(file), pem.EncodeToMemory(block), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func TestTLS(t *testing.T) {
	a, stranger := newAuthority(t), newAuthority(t)
	a.sign(t, "server", &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	for _, signer := range []*authority{a, stranger} {
		signer.sign(t, "client", &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	}
	args := []string{"-Z", "-o", "ssl_chain_cert=" + a.file("server.pem"), "-o", "ssl_key=" + a.file("server.key")}
	server := servertest.Memcached(t, args...)
	strict := servertest.Memcached(t, append(args, "-o", "ssl_ca_cert="+a.file("ca.pem"), "-o", "ssl_verify_mode=2")...)
	trust := &tls.Config{RootCAs: a.pool}
	pair := func(signer *authority) []tls.Certificate {
		cert, err := tls.LoadX509KeyPair(signer.file("client.pem"), signer.file("client.key"))
		if err != nil {
			t.Fatal(err)
		}
		return []tls.Certificate{cert}
	}

	t.Run("works", func(t *testing.T) {
		c := openCache(t, connect(t, memcached.Options{Servers: addrs(server), TLS: trust}), "tls")
		put(t, c, "k", string(make([]byte, 500_000)))
		if item, found := get(t, c, "k"); !found || len(item.Record) < 500_000 {
			t.Error("the record was not kept")
		}
	})
	t.Run("with a certificate", func(t *testing.T) {
		c := openCache(t, connect(t, memcached.Options{Servers: addrs(strict), TLS: &tls.Config{RootCAs: a.pool, Certificates: pair(a)}}), "tls")
		put(t, c, "k", "x")
		want(t, c, "k", "x")
	})
	t.Run("as configured", func(t *testing.T) {
		m, err := jcache.Open(t.Context(), configFor(t, strict.Addr, map[string]any{
			"caFile": a.file("ca.pem"), "certFile": a.file("client.pem"), "keyFile": a.file("client.key"),
		}))
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
	for _, test := range []struct {
		name, want string
		opts       memcached.Options
	}{
		{"unknown authority", "unknown authority", memcached.Options{Servers: addrs(server), TLS: &tls.Config{RootCAs: stranger.pool}}},
		{"wrong name", "cache.example", memcached.Options{Servers: addrs(server), TLS: &tls.Config{RootCAs: a.pool, ServerName: "cache.example"}}},
		{"no client certificate", "certificate", memcached.Options{Servers: addrs(strict), TLS: trust}},
		{"client certificate of a stranger", "certificate", memcached.Options{Servers: addrs(strict), TLS: &tls.Config{RootCAs: a.pool, Certificates: pair(stranger)}}},
		{"TLS server, plain client", "it expects TLS", memcached.Options{Servers: addrs(server)}},
		{"plain server, TLS client", "answers without TLS", memcached.Options{Servers: addrs(servertest.Memcached(t)), TLS: trust, ConnectTimeout: 5 * time.Second}},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := refuses(t, test.opts, test.want)
			unsure := test.name == "no client certificate" || test.name == "client certificate of a stranger" // a server may say so, or just break off
			if errors.Is(err, jcache.ErrUnavailable) && !unsure || errors.Is(err, jcache.ErrUnavailable) == errors.Is(err, jcache.ErrMisconfigured) {
				t.Errorf("%v, want ErrMisconfigured", err)
			}
		})
	}
	t.Run("restart", func(t *testing.T) {
		c := openCache(t, connect(t, memcached.Options{Servers: addrs(server), TLS: trust}), "restart")
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				if _, _, err := c.Get(t.Context(), "k"); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		server.Kill()
		restart(t, server.Addr, args...)
		for range 20 {
			put(t, c, "k", "x")
			want(t, c, "k", "x")
		}
	})
}
