package redis_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/internal/servers"
	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/redis"
)

// certificate writes one for 127.0.0.1 that signs itself, and its key.
func certificate(t *testing.T) (certFile, keyFile string, pool *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	check(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	check(t, err)
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	certFile, keyFile = t.TempDir()+"/cert.pem", t.TempDir()+"/key.pem"
	check(t, os.WriteFile(certFile, certPEM, 0o600))
	check(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(certPEM)
	return certFile, keyFile, pool
}

func TestTLS(t *testing.T) {
	cert, key, pool := certificate(t)
	addr, err := servers.FreeAddr()
	check(t, err)
	_, port, err := net.SplitHostPort(addr)
	check(t, err)
	servertest.Redis(t, "--tls-port", port, "--tls-cert-file", cert, "--tls-key-file", key, "--tls-auth-clients", "no")
	c := open(t, connect(t, redis.Options{Servers: []string{addr}, TLS: &tls.Config{RootCAs: pool}}), "carts")
	check(t, c.Put(t.Context(), "k", record(string(make([]byte, 500_000))), time.Time{}))
	must(t, c, "k")
	for name, test := range map[string]struct {
		opts  redis.Options
		means error
	}{
		"an unknown authority": {redis.Options{Servers: []string{addr}, TLS: &tls.Config{}}, driver.ErrMisconfigured},
		"another name":         {redis.Options{Servers: []string{addr}, TLS: &tls.Config{RootCAs: pool, ServerName: "cache1"}}, driver.ErrMisconfigured},
		"no TLS to a TLS port": {redis.Options{Servers: []string{addr}}, driver.ErrUnavailable},
	} {
		_, err := redis.Connect(t.Context(), patient(test.opts))
		if !errors.Is(err, test.means) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
