package wire

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/cloudflare/circl/group"

	"github.com/keepsake-cache/keepsake/internal/logtest"
)

const known = "known to the members of the test"

func guardOf(t testing.TB, secret string) *guard {
	t.Helper()
	g, err := Security{Secret: secret}.guard("test")
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// meet has two guards secure one connection.
func meet(dials, accepts *guard) (errDials, errAccepts error) {
	a, b := net.Pipe()
	for _, nc := range []net.Conn{a, b} {
		_ = nc.SetDeadline(time.Now().Add(5 * time.Second))
	}
	done := make(chan error)
	go func() {
		_, err := accepts.server(b)
		if err != nil {
			_ = b.Close()
		}
		done <- err
	}()
	_, errDials = dials.client(a)
	if errDials != nil {
		_ = a.Close()
	}
	return errDials, <-done
}

func TestProof(t *testing.T) {
	for name, tt := range map[string]struct {
		dials, accepts string
		cluster        string
		ok             bool
	}{
		"one secret":   {known, known, "test", true},
		"two secrets":  {known, known + "!", "test", false},
		"two clusters": {known, known, "another", false},
	} {
		accepts := guardOf(t, tt.accepts)
		accepts.proof.cluster = tt.cluster
		a, b := meet(guardOf(t, tt.dials), accepts)
		if tt.ok && (a != nil || b != nil) {
			t.Errorf("%s: %v and %v", name, a, b)
		}
		if !tt.ok && (!errors.Is(a, ErrUntrusted) || !errors.Is(b, ErrUntrusted)) {
			t.Errorf("%s: %v and %v", name, a, b)
		}
	}
}

// A stranger who dials gets something that only the guess which it made can be compared with:
// not even the right secret fits what it has, once the connection is over.
func TestStrangerCannotGuessAtLeisure(t *testing.T) {
	g := guardOf(t, known)
	a, b := net.Pipe()
	go func() { _, _ = g.server(b) }()
	stranger := guardOf(t, known+"?")
	c := tls.Client(a, stranger.config(0))
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	if shown := c.ConnectionState().PeerCertificates[0]; bytes.Equal(shown.RawSubjectPublicKeyInfo, publicKey(t, guardOf(t, known))) {
		t.Error("the key that is shown depends on nothing but the secret")
	}
	s, err := stranger.proof.begin(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(s.share); err != nil {
		t.Fatal(err)
	}
	var theirs [shareBytes + tagBytes]byte
	if _, err := io.ReadFull(c, theirs[:]); err != nil {
		t.Fatal(err)
	}
	_ = a.Close()
	for _, guess := range []string{known, known + "?"} {
		p := proof{guess, "test"}
		again, err := p.begin(c)
		if err != nil {
			t.Fatal(err)
		}
		for _, scalar := range []group.Scalar{s.scalar, again.scalar} {
			again.scalar = scalar
			_, tag, err := again.tags(theirs[:shareBytes], s.share, theirs[:shareBytes])
			if err == nil && bytes.Equal(tag, theirs[shareBytes:]) {
				t.Errorf("the guess %q is confirmed", guess)
			}
		}
	}
}

func publicKey(t *testing.T, g *guard) []byte {
	t.Helper()
	c, err := x509.ParseCertificate(g.own.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	return c.RawSubjectPublicKeyInfo
}

// Who sits between two members and passes on what they say proves nothing to either.
func TestProofCannotBePassedOn(t *testing.T) {
	a, ma := net.Pipe()
	mb, b := net.Pipe()
	dialled := make(chan error, 2)
	go func() { _, err := guardOf(t, known).client(a); dialled <- err }()
	go func() { _, err := guardOf(t, known).server(b); dialled <- err }()
	middle := guardOf(t, known+"?")
	left, right := tls.Server(ma, middle.config(0)), tls.Client(mb, middle.config(0))
	for _, c := range []*tls.Conn{left, right} {
		if err := c.Handshake(); err != nil {
			t.Fatal(err)
		}
	}
	go func() { _, _ = io.Copy(right, left); _ = b.Close() }()
	go func() { _, _ = io.Copy(left, right); _ = a.Close() }()
	if err := <-dialled; err == nil {
		t.Error("a proof was accepted that was given to somebody else")
	}
	for _, nc := range []net.Conn{ma, mb} {
		_ = nc.Close()
	}
	if err := <-dialled; err == nil {
		t.Error("a proof was accepted that was given to somebody else")
	}
}

// Who proves nothing, as versions before did, is told apart in a sentence.
func TestOlderVersionIsRefused(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	out := &logtest.Log{}
	e, err := Start(Options{Self: Hello{ID: 1, Cluster: "test"}, Security: Security{Secret: known}, Listener: l, Logger: slog.New(slog.NewTextHandler(out, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = e.Close() }()
	c, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("it is answered")
	}
	for over := time.Now().Add(10 * time.Second); !strings.Contains(out.String(), "an older version"); <-time.After(5 * time.Millisecond) {
		if time.Now().After(over) {
			t.Fatalf("the log says %q", out)
		}
	}
}

// A secret takes no memory to speak of.
func TestSecretIsCheap(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	a, b := meet(guardOf(t, known), guardOf(t, known))
	runtime.ReadMemStats(&after)
	if a != nil || b != nil {
		t.Fatal(a, b)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 2<<20 {
		t.Errorf("two guards and a connection allocate %d bytes", used)
	}
}

func TestCheckSecret(t *testing.T) {
	for _, secret := range []string{"", "hunter2", "aaaaaaaaaaaaaaaa", "                ", "a                b", "abababababababab", "abcabcabcabcabcabc",
		"abcdefghijklmnop", "0123456789abcdef", "1234567890123456", "zyxwvutsrqponmlkjihgfedcba", "passwordpassword", "11112222333344445555", "\t\n \t\n \t\n \t\n \t\n \t\n"} {
		if err := CheckSecret(secret); err == nil || !strings.Contains(err.Error(), "keepsake secret") || len(secret) > 0 && strings.Contains(err.Error(), secret) {
			t.Errorf("%q: %v", secret, err)
		}
	}
	for _, secret := range []string{rand.Text(), "known to all members", "sixteen characters", "4d9f8e02b1c67a35", "correct horse battery staple"} {
		if err := CheckSecret(secret); err != nil {
			t.Errorf("%q: %v", secret, err)
		}
	}
}

// Whatever a stranger sends instead of a share, it is no proof.
func FuzzShare(f *testing.F) {
	f.Add(make([]byte, shareBytes))
	f.Add(bytes.Repeat([]byte{0xFF}, shareBytes))
	point, _ := group.Ristretto255.Generator().MarshalBinaryCompress()
	f.Add(point)
	f.Fuzz(func(t *testing.T, theirs []byte) {
		s := &session{channel: []byte("channel"), scalar: group.Ristretto255.RandomNonZeroScalar(nil), share: point}
		own, other, err := s.tags(theirs, theirs, s.share)
		switch {
		case err == nil && (len(own) != tagBytes || len(other) != tagBytes || bytes.Equal(own, other)):
			t.Errorf("the tags are %x and %x", own, other)
		case err == nil && bytes.Equal(theirs, make([]byte, len(theirs))):
			t.Error("a share without a secret is taken")
		}
	})
}
