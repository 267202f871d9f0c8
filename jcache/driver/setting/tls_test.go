package setting_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver/setting"
)

func tlsValues(t *testing.T, given map[string]any) setting.Values {
	t.Helper()
	v, err := setting.NewValues(setting.TLSGroup().Group, given)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestTLSConfig(t *testing.T) {
	for _, off := range []map[string]any{nil, {"enabled": false}, {"enabled": false, "serverName": "x"}} {
		if cfg, err := setting.TLSConfig(tlsValues(t, off)); cfg != nil || err != nil {
			t.Errorf("%v: got %v, %v; want no TLS", off, cfg, err)
		}
	}
	for _, on := range []map[string]any{{"enabled": true}, {"serverName": "cache.example"}, {"enabled": true, "serverName": "cache.example"}} {
		cfg, err := setting.TLSConfig(tlsValues(t, on))
		if err != nil || cfg == nil || cfg.MinVersion != tls.VersionTLS12 || cfg.InsecureSkipVerify {
			t.Errorf("%v: got %v, %v", on, cfg, err)
		} else if name, _ := on["serverName"].(string); cfg.ServerName != name {
			t.Errorf("%v: the server's name is %q", on, cfg.ServerName)
		}
	}
}

// selfSigned writes a certificate and its key.
func selfSigned(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: cert}, keyFile: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

func TestTLSConfigReadsFiles(t *testing.T) {
	cert, key := selfSigned(t)
	cfg, err := setting.TLSConfig(tlsValues(t, map[string]any{"caFile": cert, "certFile": cert, "keyFile": key}))
	if err != nil || cfg.RootCAs == nil || len(cfg.Certificates) != 1 {
		t.Errorf("got %v, %v; want an authority and a certificate", cfg, err)
	}
}

func TestTLSConfigRefuses(t *testing.T) {
	text := filepath.Join(t.TempDir(), "text.pem")
	if err := os.WriteFile(text, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	cert, _ := selfSigned(t)
	_, another := selfSigned(t)
	missing := filepath.Join(t.TempDir(), "missing.pem")
	for _, test := range []struct {
		given map[string]any
		wrong string
	}{
		{map[string]any{"caFile": missing}, "tls.caFile: " + missing + " cannot be read: no such file"},
		{map[string]any{"caFile": text}, "holds no PEM certificate"},
		{map[string]any{"certFile": text}, "go together"},
		{map[string]any{"keyFile": text}, "go together"},
		{map[string]any{"certFile": text, "keyFile": text}, "tls.certFile: "},
		{map[string]any{"certFile": cert, "keyFile": text}, "tls.keyFile: "},
		{map[string]any{"certFile": cert, "keyFile": another}, "tls.keyFile: "},
		{map[string]any{"certFile": missing, "keyFile": text}, "tls.certFile: "},
		{map[string]any{"caFile": missing, "certFile": cert, "keyFile": missing}, "\ntls.keyFile: "},
	} {
		if cfg, err := setting.TLSConfig(tlsValues(t, test.given)); err == nil || cfg != nil || !strings.Contains(err.Error(), test.wrong) {
			t.Errorf("%v: got %v, error %v; want one with %q", test.given, cfg, err, test.wrong)
		}
	}
}
