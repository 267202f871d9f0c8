package wire

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"time"

	"golang.org/x/crypto/argon2"
)

// minSecret is where guessing begins to be hopeless, if the bytes are random.
const minSecret = 16

// Certificates made from a secret are good for ever, whatever the clocks say: the CA
// is as old as the secret, and a member's key never leaves the memory of its process.
var (
	fromTime = time.Unix(0, 0).UTC()
	toTime   = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
)

// fromSecret derives a CA that whoever knows the secret has, and makes a certificate
// of it for this process alone. Who finds out the secret later cannot read what was
// said before.
func fromSecret(secret, cluster string) (*trust, error) {
	if len(secret) < minSecret {
		return nil, errors.New("security: the secret is shorter than 16 bytes")
	}
	// The second recommendation of RFC 9106, section 4.
	seed := argon2.IDKey([]byte(secret), []byte("keepsake peer "+cluster), 3, 64<<10, 4, ed25519.SeedSize)
	caKey := ed25519.NewKeyFromSeed(seed)
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "keepsake cluster"},
		NotBefore: fromTime, NotAfter: toTime,
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign,
	}
	signed, err := certify(ca, ca, caKey.Public(), caKey)
	if err != nil {
		return nil, err
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	leaf, err := certify(&x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "keepsake member"},
		NotBefore: fromTime, NotAfter: toTime, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, signed, public, caKey)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(signed)
	return &trust{own: tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: private, Leaf: leaf}, roots: roots}, nil
}

func certify(what, by *x509.Certificate, key any, signer ed25519.PrivateKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, what, by, key, signer)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}
