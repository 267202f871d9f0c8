package wire

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/cloudflare/circl/group"
)

// Both sides of a connection prove to each other that they know the secret, with CPace
// (draft-irtf-cfrg-cpace), a key exchange whose base point is made of the secret: who does not
// know it learns from each connection whether one guess was right, and nothing to try others
// with at leisure, whether it dials, or is dialled, or sits between. The proof is bound to the
// TLS connection in which it is given, so that it cannot be passed on.
//
//	dials     x·G
//	dialled   y·G, tag of the dialled
//	dials     tag of the one who dials

// application names what the connection is for in the TLS handshake, so that a side which
// proves nothing, or in another way, is recognised before.
const application = "keepsake-peer-cpace/1"

const (
	shareBytes = 32
	tagBytes   = sha256.Size
	cpaceName  = "keepsake CPace ristretto255 SHA-512"
)

var errProof = fmt.Errorf("%w: the other side has another secret, or another domain", ErrUntrusted)

// A proof is what the members of a cluster know.
type proof struct{ secret, cluster string }

// A session is one exchange.
type session struct {
	channel []byte // names the TLS connection
	scalar  group.Scalar
	share   []byte
}

func (p *proof) begin(c *tls.Conn) (*session, error) {
	state := c.ConnectionState()
	if state.NegotiatedProtocol != application {
		return nil, fmt.Errorf("%w: the other side is of an older version, or has certificates instead of a secret", ErrMismatch)
	}
	channel, err := state.ExportKeyingMaterial("EXPORTER-keepsake-peer", nil, 32)
	if err != nil {
		return nil, err
	}
	s := &session{channel: channel, scalar: group.Ristretto255.RandomNonZeroScalar(nil)}
	base := group.Ristretto255.HashToElement(fields(p.secret, p.cluster, string(channel)), []byte(cpaceName))
	s.share, err = group.Ristretto255.NewElement().Mul(base, s.scalar).MarshalBinaryCompress()
	return s, err
}

// tags returns what the sides prove themselves with: who dialled, with one share, and who was
// dialled, with the other one.
func (s *session) tags(theirs, dialling, dialled []byte) (ofDialling, ofDialled []byte, err error) {
	point := group.Ristretto255.NewElement()
	if err := point.UnmarshalBinary(theirs); err != nil {
		return nil, nil, fmt.Errorf("%w: no share of a proof", ErrProtocol)
	}
	common := group.Ristretto255.NewElement().Mul(point, s.scalar)
	if common.IsIdentity() {
		return nil, nil, fmt.Errorf("%w: no share of a proof", ErrProtocol)
	}
	key, err := common.MarshalBinaryCompress()
	if err != nil {
		return nil, nil, err
	}
	secret := sha512.Sum512(fields(cpaceName, string(s.channel), string(key), string(dialling), string(dialled)))
	tags := [2][]byte{}
	for i, whose := range []string{"who dialled", "who was dialled"} {
		if tags[i], err = hkdf.Key(sha256.New, secret[:], nil, whose, tagBytes); err != nil {
			return nil, nil, err
		}
	}
	return tags[0], tags[1], nil
}

// fields joins texts so that no other ones are joined to the same.
func fields(list ...string) (b []byte) {
	for _, s := range list {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	return b
}

// dial proves the secret as the side that dialled, after the other one has proven it.
func (p *proof) dial(c *tls.Conn) error {
	s, err := p.begin(c)
	if err != nil {
		return err
	}
	if _, err := c.Write(s.share); err != nil {
		return err
	}
	var theirs [shareBytes + tagBytes]byte
	if _, err := io.ReadFull(c, theirs[:]); err != nil {
		return err
	}
	own, expected, err := s.tags(theirs[:shareBytes], s.share, theirs[:shareBytes])
	switch {
	case err != nil:
		return err
	case !hmac.Equal(expected, theirs[shareBytes:]):
		return errProof
	}
	_, err = c.Write(own)
	return err
}

// answer proves the secret as the side that was dialled.
func (p *proof) answer(c *tls.Conn) error {
	s, err := p.begin(c)
	if err != nil {
		return err
	}
	var theirs [shareBytes]byte
	if _, err := io.ReadFull(c, theirs[:]); err != nil {
		return err
	}
	expected, own, err := s.tags(theirs[:], theirs[:], s.share)
	if err != nil {
		return err
	}
	if _, err := c.Write(append(s.share, own...)); err != nil {
		return err
	}
	var tag [tagBytes]byte
	switch _, err := io.ReadFull(c, tag[:]); {
	case hungUp(err), errors.Is(err, io.ErrUnexpectedEOF):
		return errProof // it was not content with this side's
	case err != nil:
		return err
	case !hmac.Equal(expected, tag[:]):
		return errProof
	}
	return nil
}
