package clientfile

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
)

const toPEM = "Java key stores cannot be read; convert it to PEM (keytool -importkeystore -deststoretype PKCS12, then openssl pkcs12) " +
	"and name that in trustCertCollectionFile, keyCertChainFile and keyFile, or in the setting tls"

// ssl reads TLS with PEM files, as Hazelcast's OpenSSL engine has them.
func (r *reader) ssl(n *node) {
	var enabled bool
	var factory string
	var settings *node
	r.section(n, grammar{
		"@enabled":           {read: r.boolean(&enabled)},
		"factory-class-name": {read: r.text(&factory)},
		"properties":         {read: func(c *node) { settings = c }},
	})
	switch {
	case !enabled:
		return
	case r.over.TLS:
		r.notice(n, "is overridden by tls")
		return
	case factory != "" && factory != "com.hazelcast.nio.ssl.OpenSSLEngineFactory" && factory != "com.hazelcast.nio.ssl.BasicSSLContextFactory":
		r.problem(n.pos, n.path, "the Java class %s is not supported; name PEM files in the properties", factory)
		return
	}
	s := tlsFiles{config: &tls.Config{MinVersion: tls.VersionTLS12}}
	if settings != nil {
		r.properties(func(name string, c *node) { r.sslProperty(&s, name, c) })(settings)
	}
	r.sslCertificates(n, &s)
	if !s.hostsGiven {
		r.notice(n, "the members' certificates must be for the hosts they are reached at, which Java does not check; validateIdentity false turns it off")
	}
	r.file.TLS = s.config
}

type tlsFiles struct {
	config        *tls.Config
	cert, key, ca *node
	hostsGiven    bool
}

func (r *reader) sslProperty(s *tlsFiles, name string, n *node) {
	switch name = strings.TrimPrefix(name, "javax.net.ssl."); name {
	case "trustCertCollectionFile":
		s.ca = n
	case "keyCertChainFile":
		s.cert = n
	case "keyFile":
		s.key = n
	case "keyPassword":
		r.problem(n.pos, n.path, "encrypted keys cannot be read; protect the file instead")
	case "validateIdentity":
		validate := true
		r.boolean(&validate)(n)
		r.file.AnyHost, s.hostsGiven = !validate, true
	case "protocol":
		switch n.text {
		case "TLS", "TLSv1.3":
		case "TLSv1.2":
			s.config.MaxVersion = tls.VersionTLS12
		default:
			r.problem(n.pos, n.path, "must be TLS, TLSv1.2 or TLSv1.3")
		}
	case "keyStore", "keyStoreType", "trustStore", "trustStoreType":
		r.problem(n.pos, n.path, toPEM)
	case "keyStorePassword", "trustStorePassword":
		// The store that it belongs to is a problem already.
	case "keyManagerAlgorithm", "trustManagerAlgorithm", "keyMaterialDuration", "openssl":
		r.ignored(javaOnly)(n)
	default:
		r.problem(n.pos, n.path, "is not supported")
	}
}

func (r *reader) sslCertificates(n *node, s *tlsFiles) {
	if s.ca != nil {
		pem, err := os.ReadFile(s.ca.relative())
		s.config.RootCAs = x509.NewCertPool()
		if err != nil || !s.config.RootCAs.AppendCertsFromPEM(pem) {
			r.problem(s.ca.pos, s.ca.path, "is not a readable file with PEM certificates")
		}
	}
	switch {
	case (s.cert == nil) != (s.key == nil):
		r.problem(n.pos, n.path, "keyCertChainFile and keyFile go together; one of them is missing")
	case s.cert != nil:
		pair, err := tls.LoadX509KeyPair(s.cert.relative(), s.key.relative())
		if err != nil {
			r.problem(s.cert.pos, s.cert.path, "and keyFile are not a certificate and its key in PEM: %v", err)
		}
		s.config.Certificates = []tls.Certificate{pair}
	}
}

// relative is the path that a node's text names, relative to the node's file.
func (n *node) relative() string {
	if filepath.IsAbs(n.text) {
		return n.text
	}
	return filepath.Join(filepath.Dir(n.file), n.text)
}
