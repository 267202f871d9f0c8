package setting

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// TLSGroup declares the group of settings that every provider with TLS has.
func TLSGroup() Setting {
	return Setting{Name: "tls", Kind: KindGroup, Doc: "TLS to the servers, if any of these is given.", Group: []Setting{
		{Name: "caFile", Kind: KindFile, Doc: "PEM file of the authorities that sign the servers' certificates; the system's if empty."},
		{Name: "certFile", Kind: KindFile, Doc: "PEM file of the certificate that this client shows."},
		{Name: "keyFile", Kind: KindFile, Doc: "PEM file of the private key of certFile."},
		{Name: "serverName", Doc: "Name that the servers' certificates must carry; the address's host if empty."},
		{Name: "enabled", Kind: KindBool, Doc: "TLS with the system's authorities and no certificate of its own; false: no TLS, whatever else is given."},
	}, Rules: []Rule{Together("certFile", "keyFile")}}
}

// TLSConfig builds the configuration from the group of TLSGroup. It is nil if
// none of the settings was given. The error joins all problems.
func TLSConfig(v Values) (*tls.Config, error) {
	if len(v.given) == 0 || v.Given("enabled") && !v.Bool("enabled") {
		return nil, nil
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: v.String("serverName")}
	errs := validate("tls.", nil, TLSGroup().Rules, v)
	if file := v.String("caFile"); file != "" {
		var err error
		cfg.RootCAs, err = Authorities("tls.caFile", file)
		errs = append(errs, err)
	}
	if cert, key := v.String("certFile"), v.String("keyFile"); cert != "" && key != "" {
		pair, err := KeyPair("tls.certFile", cert, "tls.keyFile", key)
		errs = append(errs, err)
		cfg.Certificates = []tls.Certificate{pair}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return cfg, nil
}

// Authorities reads a PEM file of certificates, which the setting of that path names.
func Authorities(path, file string) (*x509.CertPool, error) {
	pem, err := readFile(path, file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, Problemf(path, "%s holds no PEM certificate", file)
	}
	return pool, nil
}

// KeyPair reads the PEM files of a certificate and of its private key, which the settings of
// these paths name. The error joins all problems and shows nothing of the key.
func KeyPair(certPath, certFile, keyPath, keyFile string) (tls.Certificate, error) {
	cert, certErr := readFile(certPath, certFile)
	key, keyErr := readFile(keyPath, keyFile)
	if err := errors.Join(certErr, keyErr); err != nil {
		return tls.Certificate{}, err
	}
	if !x509.NewCertPool().AppendCertsFromPEM(cert) {
		return tls.Certificate{}, Problemf(certPath, "%s holds no PEM certificate", certFile)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return tls.Certificate{}, Problemf(keyPath, "%s is not the private key of the certificate in %s: %w", keyFile, certFile, err)
	}
	return pair, nil
}

func readFile(path, file string) ([]byte, error) {
	data, err := os.ReadFile(file)
	if err == nil {
		return data, nil
	}
	var cause *fs.PathError
	if errors.As(err, &cause) {
		err = cause.Err // without the name of a system call
	}
	return nil, &Problem{Path: path, Reason: fmt.Sprintf("%s cannot be read: %v", file, err), Err: err}
}
