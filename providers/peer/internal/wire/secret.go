package wire

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	// minSecret is how many characters a secret has at least, and minVariety how many
	// different ones.
	minSecret, minVariety = 16, 8
)

// CheckSecret returns an error if a secret is too easy to guess. The error does not show it.
func CheckSecret(secret string) error {
	trimmed := strings.TrimSpace(secret)
	variety := make(map[rune]bool)
	steps := make(map[rune]int) // how often one character follows another in the same distance
	var last rune
	for _, r := range trimmed {
		variety[r] = true
		steps[r-last]++
		last = r
	}
	regular := 0
	for _, n := range steps {
		regular = max(regular, n)
	}
	switch n := utf8.RuneCountInString(trimmed); {
	case n < minSecret:
		return weak("is shorter than 16 characters")
	case len(variety) < minVariety:
		return weak("has fewer than 8 different characters")
	case repeats(trimmed):
		return weak("repeats itself")
	case 2*regular > n:
		return weak("is a sequence")
	}
	return nil
}

func weak(why string) error {
	return errors.New(why + ", and could be guessed: `keepsake secret` makes a good one")
}

// repeats reports whether a text is a shorter one again and again.
func repeats(text string) bool {
	return strings.Contains((text + text)[1:2*len(text)-1], text)
}

// unproven makes a certificate for this process alone, which nobody has signed: the secret is
// proven inside of the connection.
func unproven() (tls.Certificate, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	what := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "keepsake member"},
		NotBefore: time.Unix(0, 0).UTC(), NotAfter: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, what, what, public, private)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}, err
}
