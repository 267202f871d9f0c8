package clientfile

import (
	"crypto/tls"
	"strings"

	"github.com/keepsake-cache/keepsake/jcache/driver/setting"
)

const toPEM = "Java key stores cannot be read; convert it to PEM (keytool -importkeystore -deststoretype PKCS12, then openssl pkcs12) " +
	"and name that in trustCertCollectionFile, keyCertChainFile and keyFile, or in the setting tls"

// ssl reads TLS with PEM files, as Hazelcast's OpenSSL engine has them.
func (r *reader) ssl(n *node) {
	var enabled bool
	var factory string
	var settings *node
	r.section(n, grammar{
		"@enabled":           {read: r.flag(&enabled)},
		"factory-class-name": {read: func(c *node) { factory, _ = r.scalar(c, "a text") }},
		"properties":         {read: func(c *node) { settings = c }},
	})
	switch {
	case !enabled:
		return
	case r.over.TLS:
		r.notice(n, "is overridden by tls")
		return
	case factory != "" && factory != "com.hazelcast.nio.ssl.OpenSSLEngineFactory" && factory != "com.hazelcast.nio.ssl.BasicSSLContextFactory":
		r.Add(n, "the Java class %s is not supported; name PEM files in the properties", factory)
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
		r.Add(n, "encrypted keys cannot be read; protect the file instead")
	case "validateIdentity":
		validate := true
		r.boolean(&validate)(n)
		r.file.AnyHost, s.hostsGiven = !validate, true
	case "protocol":
		switch n.Text {
		case "TLS", "TLSv1.3":
		case "TLSv1.2":
			s.config.MaxVersion = tls.VersionTLS12
		default:
			r.Add(n, "must be TLS, TLSv1.2 or TLSv1.3")
		}
	case "keyStore", "keyStoreType", "trustStore", "trustStoreType":
		r.Add(n, toPEM)
	case "keyStorePassword", "trustStorePassword":
		// The store that it belongs to is a problem already.
	case "keyManagerAlgorithm", "trustManagerAlgorithm", "keyMaterialDuration", "openssl":
		r.ignored(javaOnly)(n)
	default:
		r.Add(n, "is not supported")
	}
}

// sslCertificates reads the files, which tls would name as well.
func (r *reader) sslCertificates(n *node, s *tlsFiles) {
	path := func(of *node) string { return relative(of, of.Text) }
	r.found("tls.enabled", n, true)
	if s.ca != nil {
		pool, err := setting.Authorities("", path(s.ca))
		r.wrong(s.ca, err)
		s.config.RootCAs = pool
		r.found("tls.caFile", s.ca, path(s.ca))
	}
	switch {
	case (s.cert == nil) != (s.key == nil):
		r.Add(n, "keyCertChainFile and keyFile go together; one of them is missing")
	case s.cert != nil:
		pair, err := setting.KeyPair("", path(s.cert), "", path(s.key))
		r.wrong(s.cert, err)
		s.config.Certificates = []tls.Certificate{pair}
		r.found("tls.certFile", s.cert, path(s.cert))
		r.found("tls.keyFile", s.key, path(s.key))
	}
}

// wrong reports what is wrong with what a node names.
func (r *reader) wrong(n *node, err error) {
	for _, one := range setting.Each(err) {
		r.Add(n, "%v", one)
	}
}
