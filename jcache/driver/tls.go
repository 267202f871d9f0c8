package driver

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// TLSSetting declares the group of settings that every provider with TLS has.
func TLSSetting() Setting {
	return Setting{Name: "tls", Kind: KindGroup, Doc: "TLS to the servers, if any of these is given.", Group: []Setting{
		{Name: "caFile", Kind: KindFile, Doc: "PEM file of the authorities that sign the servers' certificates; the system's if empty."},
		{Name: "certFile", Kind: KindFile, Doc: "PEM file of the certificate that this client shows."},
		{Name: "keyFile", Kind: KindFile, Doc: "PEM file of the private key of certFile."},
		{Name: "serverName", Doc: "Name that the servers' certificates must carry; the address's host if empty."},
		{Name: "enabled", Kind: KindBool, Doc: "TLS with the system's authorities and no certificate of its own."},
	}}
}

// TLSConfig builds the configuration from the group of TLSSetting. It is nil if
// none of the settings was given.
func TLSConfig(v Values) (*tls.Config, error) {
	if len(v.given) == 0 || v.Given("enabled") && !v.Bool("enabled") {
		return nil, nil
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: v.String("serverName")}
	if file := v.String("caFile"); file != "" {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("tls.caFile: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls.caFile: %s holds no PEM certificate", file)
		}
	}
	cert, key := v.String("certFile"), v.String("keyFile")
	if (cert == "") != (key == "") {
		return nil, fmt.Errorf("tls.certFile and tls.keyFile go together; one of them is missing")
	}
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("tls.certFile, tls.keyFile: %w", err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return cfg, nil
}
