package wire

import (
	"encoding/binary"
	"fmt"
	"io"
	"time"
)

// A frame is
//
//	u32 length of what follows | u8 type | u8 flags | u64 correlation | body
//
// in big-endian byte order. A request has a correlation that is unique on its
// connection, and its answer has the same; it is zero on a message that wants no
// answer.
const (
	headerBytes = 4 + minLength
	minLength   = 1 + 1 + 8
	typeOffset  = 4
)

// MaxBody is the greatest length of a message, in bytes. What is larger is sent in
// several messages.
const MaxBody = 16 << 20

// Type says what a message is. The types are the users' to choose, from 1 to 0xEF;
// Gossip is the discovery's and the rest are the connection's own.
type Type uint8

const (
	// typeVoid is a request that was withdrawn before it was sent: padding.
	typeVoid Type = 0
	// Gossip is a packet of package member.
	Gossip      Type = 0xF0
	typePing    Type = 0xFD // is nobody's, so that every side answers it
	typeRefusal Type = 0xFE // of a hello; the body is the reason, in a sentence
	typeHello   Type = 0xFF
)

// The flags.
const (
	flagAnswer  = 1 << iota
	flagUnknown // the answer to a request of a type that the other side does not know
)

type frame struct {
	typ   Type
	flags uint8
	id    uint64
	body  []byte
}

// appendFrame appends the frame that has the parts as its body, which together must
// not be longer than MaxBody.
func appendFrame(b []byte, typ Type, flags uint8, id uint64, parts ...[]byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(minLength+length(parts)))
	b = append(b, byte(typ), flags)
	b = binary.BigEndian.AppendUint64(b, id)
	for _, part := range parts {
		b = append(b, part...)
	}
	return b
}

func length(parts [][]byte) int {
	n := 0
	for _, part := range parts {
		n += len(part)
	}
	return n
}

// The sizes of a reader's buffer: what it begins with, and what it keeps after a
// large frame.
const (
	readBytes = 32 << 10
	keepBytes = 256 << 10
)

// A reader takes frames apart. Its buffer grows with the data that arrives, never
// because of a length that is only announced.
type reader struct {
	from       io.Reader
	maxBody    int
	buf        []byte
	start, end int // what is read and not yet taken
	// share is where the memory for large frames comes from; nil: there is no bound.
	share     *share
	quit      <-chan struct{} // closed when nobody needs the frames any more
	claimed   int64
	claimedAt time.Time
}

func newReader(from io.Reader, maxBody, size int) *reader {
	return &reader{from: from, maxBody: maxBody, buf: make([]byte, size)}
}

// release gives the memory of a large frame back.
func (r *reader) release() {
	if r.claimed > 0 {
		r.share.release(r.claimed)
		r.claimed = 0
	}
}

// next returns the next frame. Its body is valid until the following call. The error
// is io.EOF between two frames and io.ErrUnexpectedEOF within one.
func (r *reader) next() (frame, error) {
	if r.start == r.end && len(r.buf) > keepBytes {
		r.start, r.end, r.buf = 0, 0, make([]byte, readBytes)
		r.release()
	}
	if err := r.fill(headerBytes); err != nil {
		return frame{}, err
	}
	n := int64(binary.BigEndian.Uint32(r.buf[r.start:]))
	if n < minLength || n > minLength+int64(r.maxBody) {
		return frame{}, fmt.Errorf("%w: a frame of %d bytes", ErrProtocol, n)
	}
	total := 4 + int(n)
	if err := r.fill(total); err != nil {
		return frame{}, err
	}
	b := r.buf[r.start : r.start+total : r.start+total]
	r.start += total
	return frame{
		typ:   Type(b[typeOffset]),
		flags: b[typeOffset+1],
		id:    binary.BigEndian.Uint64(b[typeOffset+2:]),
		body:  b[headerBytes:],
	}, nil
}

// ready reports whether the next frame is there.
func (r *reader) ready() bool {
	n := r.end - r.start
	return n >= headerBytes && int64(n) >= 4+int64(binary.BigEndian.Uint32(r.buf[r.start:]))
}

// fill reads until n bytes are there to be taken.
func (r *reader) fill(n int) error {
	for r.end-r.start < n {
		switch {
		case r.start == r.end:
			r.start, r.end = 0, 0
		case r.end == len(r.buf) && r.start > 0:
			r.end = copy(r.buf, r.buf[r.start:r.end])
			r.start = 0
		case r.end == len(r.buf):
			if err := r.grow(n); err != nil {
				return err
			}
		case r.claimed > 0 && time.Since(r.claimedAt) > frameTime:
			return errSlow
		}
		read, err := r.from.Read(r.buf[r.end:])
		r.end += read
		if err != nil && r.end-r.start < n {
			if err == io.EOF && r.end > r.start {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}

// grow makes the buffer larger, in order to hold n bytes. It doubles, but for a large frame, for
// which there is memory or not: then it is as large as the frame, so that nothing follows in it.
func (r *reader) grow(n int) error {
	size := min(2*len(r.buf), n)
	if size > keepBytes && r.share != nil {
		if err := r.share.claim(r.quit, int64(n)); err != nil {
			return err
		}
		r.claimed, r.claimedAt = int64(n), time.Now()
		size = n
	}
	larger := make([]byte, size)
	copy(larger, r.buf[:r.end])
	r.buf = larger
	return nil
}
