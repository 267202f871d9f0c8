package hazelcast

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
)

// memberTLS completes a configuration for the Hazelcast client, which does not tell
// package tls which host it connects to. Without a ServerName a member's certificate
// must be for the host of one of the servers, or for any host at all.
func memberTLS(config *tls.Config, servers []string, anyHost bool) *tls.Config {
	config = config.Clone()
	if config.InsecureSkipVerify || config.ServerName != "" {
		return config
	}
	config.InsecureSkipVerify = true // VerifyConnection does it
	config.VerifyConnection = func(state tls.ConnectionState) error {
		leaf := state.PeerCertificates[0]
		chain := x509.VerifyOptions{Roots: config.RootCAs, Intermediates: x509.NewCertPool()}
		for _, cert := range state.PeerCertificates[1:] {
			chain.Intermediates.AddCert(cert)
		}
		if _, err := leaf.Verify(chain); err != nil || anyHost {
			return err
		}
		for _, server := range servers {
			host, _, err := net.SplitHostPort(server)
			if err != nil {
				host = server
			}
			if leaf.VerifyHostname(host) == nil {
				return nil
			}
		}
		return errors.New("the member's certificate is for none of the servers; list all members there, or set tls.serverName")
	}
	return config
}
