package hazelcast_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/hazelcast"
)

// certificate makes a certificate for the hosts that signs itself, as files and for a
// server.
func certificate(t *testing.T, hosts ...string) (file string, pair tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "member"}, NotAfter: in(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	file = filepath.Join(t.TempDir(), "ca.pem")
	must(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	return file, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// TestTLS has the proxy speak TLS, since members do so only in Hazelcast Enterprise.
func TestTLS(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		host string // of the certificate
		set  func(*tls.Config)
		ok   bool
	}{
		{"host of a server", "127.0.0.1", func(*tls.Config) {}, true},
		{"another host", "other.example", func(*tls.Config) {}, false},
		{"the name that is asked for", "other.example", func(c *tls.Config) { c.ServerName = "other.example" }, true},
		{"unknown authority", "127.0.0.1", func(c *tls.Config) { c.RootCAs = x509.NewCertPool() }, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			file, pair := certificate(t, test.host)
			p := startProxy(t, cluster(t).Addrs[0], func(l net.Listener) net.Listener {
				return tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{pair}})
			})
			authorities, err := os.ReadFile(file)
			must(t, err)
			config := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
			config.RootCAs.AppendCertsFromPEM(authorities)
			test.set(config)
			if !test.ok {
				err := notConnected(t, slow, hazelcast.Options{Servers: []string{p.addr}, TLS: config}, jcache.ErrMisconfigured)
				if !strings.Contains(err.Error(), "certificate") {
					t.Errorf("the error does not say why: %v", err)
				}
				return
			}
			c := openCache(t, connectThrough(t, p, hazelcast.Options{TLS: config}), driver.CacheOptions{})
			must(t, c.Put(limited(t, 10*time.Second), "k", record("v"), time.Time{}))
		})
	}
}

// TestTLSOfTheClientsFile names the certificates in the Java client's way.
func TestTLSOfTheClientsFile(t *testing.T) {
	t.Parallel()
	file, pair := certificate(t, "other.example")
	p := startProxy(t, cluster(t).Addrs[0], func(l net.Listener) net.Listener {
		return tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{pair}})
	})
	c := openCache(t, connectThrough(t, p, hazelcast.Options{}, `<ssl enabled="true"><properties>
		<property name="trustCertCollectionFile">`+file+`</property>
		<property name="validateIdentity">false</property>
	</properties></ssl>`), driver.CacheOptions{})
	must(t, c.Put(limited(t, 10*time.Second), "k", record("v"), time.Time{}))
}

// TestTLSWithASilentServer: a handshake that is never answered does not hold Open up.
func TestTLSWithASilentServer(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close() //nolint:errcheck // it is the end of the test
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go io.Copy(io.Discard, c) //nolint:errcheck // until the client gives up
		}
	}()
	_ = notConnected(t, time.Second, hazelcast.Options{Servers: []string{l.Addr().String()}, TLS: &tls.Config{MinVersion: tls.VersionTLS12}}, jcache.ErrUnavailable)
}
