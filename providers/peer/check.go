package peer

import (
	"crypto/x509"
	"errors"

	"github.com/keepsake-cache/keepsake/jcache/driver/setting"
)

// check says how the others reach this process, or joins all problems of options that are
// complete, and of the values that they are.
func (o Options) check(v setting.Values) (reached, error) {
	errs := setting.Each(setting.Validate(settings, rules, v))
	bad := func(broken bool, path, format string, args ...any) {
		if broken {
			errs = append(errs, setting.Problemf(path, format, args...))
		}
	}
	bad(o.Replicas < -1, "replicas", "must be -1 for all members, or not negative")
	bad(o.SyncReplicas < -1, "syncReplicas", "must be -1 for none, or not negative")
	bad(o.lags() && o.LocalReads, "syncReplicas", "reads from local copies need it to be all: another copy may lack an acknowledged write")
	bad(o.lags() && o.OnSplit == Consistency, "syncReplicas", "consistency on a split needs it to be all: the larger side may lack an acknowledged write")
	bad(o.MinCopies > o.leastCopies(), "minCopies", "must be from 1 to %d, the primary and the replicas that writes wait for", o.leastCopies())
	bad(o.Mode > Client, "mode", "is none of both, server and client")
	bad(o.OnSplit > Consistency, "onSplit", "is none of auto, availability and consistency")
	bad(o.WhenFull > Evict, "whenFull", "is none of reject and evict")
	bad(!knownPolicies(o.Merge), "merge", "there is no such policy")
	errs = append(errs, o.checkFiles()...)
	reached, problems := o.checkAddresses()
	if err := errors.Join(append(errs, problems...)...); err != nil {
		return reached, err
	}
	return reached, nil
}

// checkFiles reads the certificates as connections will.
func (o Options) checkFiles() []error {
	s := o.Security
	if s.CAFile == "" || s.CertFile == "" || s.KeyFile == "" {
		return nil // that they go together is a rule
	}
	authorities, err := setting.Authorities("tls.caFile", s.CAFile)
	errs := setting.Each(err)
	pair, err := setting.KeyPair("tls.certFile", s.CertFile, "tls.keyFile", s.KeyFile)
	if errs = append(errs, setting.Each(err)...); len(errs) > 0 {
		return errs
	}
	chain := x509.VerifyOptions{Roots: authorities, Intermediates: x509.NewCertPool()}
	for _, der := range pair.Certificate[1:] {
		if c, err := x509.ParseCertificate(der); err == nil {
			chain.Intermediates.AddCert(c)
		}
	}
	for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
		chain.KeyUsages = []x509.ExtKeyUsage{usage}
		if _, err := pair.Leaf.Verify(chain); err != nil {
			return []error{setting.Problemf("tls.certFile", "no member would accept the certificate, which must be good for both ends of a connection: %w", err)}
		}
	}
	return nil
}
