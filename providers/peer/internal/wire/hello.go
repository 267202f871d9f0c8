package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"unicode"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// Class says what a connection is for, so that what is urgent does not queue behind
// what is long.
type Class uint8

// The classes.
const (
	Control Class = iota // heartbeats, configurations, gossip
	Data                 // operations and replication
	Bulk                 // copies of whole partitions
	classes

	stream Class = 0xFF // bytes of the users'
)

// A Hello is what each side says first on each connection.
type Hello struct {
	// Cluster is the name of the cluster. It must be the same on both sides.
	Cluster string
	// Protocol is the version of all that is said after the hello, and Oldest the
	// oldest version that this process still speaks.
	Protocol, Oldest uint16
	// Capabilities are what this process can do beyond its protocol version, one
	// bit each. They are not compared.
	Capabilities uint64
	// ID is of this incarnation of the process.
	ID topology.ID
	// Zone and Mode are as configured. They are not compared.
	Zone, Mode string
	// Addr is where others reach this process: host:port. Of one that does not listen
	// it is where its connection comes from.
	Addr string
	// Partitions is their number. It must be the same on both sides.
	Partitions int
	// Class is the connection's.
	Class Class
}

// magic begins every hello, so that strangers are recognised.
const magic = "KEEP"

// maxHello bounds what a stranger can make us read.
const maxHello = 4 << 10

func (h *Hello) append(b []byte) []byte {
	b = append(b, magic...)
	b = binary.AppendUvarint(b, uint64(h.Protocol))
	b = binary.AppendUvarint(b, uint64(h.Oldest))
	b = binary.AppendUvarint(b, h.Capabilities)
	b = binary.AppendUvarint(b, uint64(h.ID))
	b = binary.AppendUvarint(b, uint64(h.Partitions))
	b = binary.AppendUvarint(b, uint64(h.Class))
	for _, s := range []string{h.Cluster, h.Zone, h.Mode, h.Addr} {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	return b
}

// parseHello reads a hello. What follows the known fields is of a later version, and
// skipped.
func parseHello(b []byte) (*Hello, error) {
	if len(b) < len(magic) || string(b[:len(magic)]) != magic {
		return nil, fmt.Errorf("%w: no hello", ErrProtocol)
	}
	b = b[len(magic):]
	ok := true
	number := func(most uint64) uint64 {
		v, n := binary.Uvarint(b)
		if n <= 0 || v > most {
			ok = false
			return 0
		}
		b = b[n:]
		return v
	}
	text := func() string {
		n := number(uint64(len(b)))
		if !ok || n > uint64(len(b)) {
			ok = false
			return ""
		}
		s := string(b[:n])
		b = b[n:]
		return s
	}
	h := &Hello{
		Protocol: uint16(number(1<<16 - 1)), Oldest: uint16(number(1<<16 - 1)),
		Capabilities: number(1<<64 - 1), ID: topology.ID(number(1<<64 - 1)),
		Partitions: int(number(1<<31 - 1)), Class: Class(number(1<<8 - 1)),
		Cluster: text(), Zone: text(), Mode: text(), Addr: text(),
	}
	if !ok {
		return nil, fmt.Errorf("%w: a broken hello", ErrProtocol)
	}
	return h, nil
}

// check returns an error if others cannot use the hello.
func (h *Hello) check() error {
	if h.ID == 0 {
		return errors.New("a member needs an ID")
	}
	host, _, err := net.SplitHostPort(h.Addr)
	if err != nil {
		return err
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsUnspecified() {
		return fmt.Errorf("others cannot reach a member at %s: name its address", h.Addr)
	}
	return nil
}

// differs says in a sentence what of the hello of a peer does not suit this side's.
// It is empty if all does.
func (h *Hello) differs(peer *Hello) string {
	switch {
	case peer.ID == 0:
		return "one has no ID"
	case h.Cluster != peer.Cluster:
		return fmt.Sprintf("one is in cluster %q, the other in %q", h.Cluster, peer.Cluster)
	case peer.Protocol < h.Oldest || h.Protocol < peer.Oldest:
		return fmt.Sprintf("one speaks protocol %d to %d, the other %d to %d", h.Oldest, h.Protocol, peer.Oldest, peer.Protocol)
	case h.Partitions != peer.Partitions:
		return fmt.Sprintf("one has %d partitions, the other %d", h.Partitions, peer.Partitions)
	case peer.Class >= classes && peer.Class != stream:
		return fmt.Sprintf("connections of class %d are not known", peer.Class)
	}
	return ""
}

// greet exchanges hellos as the side that dialled. An ID of zero accepts any peer.
func (h Hello) greet(nc net.Conn, class Class, id topology.ID) (*Hello, error) {
	h.Class = class
	if _, err := nc.Write(appendFrame(nil, typeHello, 0, 0, h.append(nil))); err != nil {
		return nil, err
	}
	peer, err := readHello(nc)
	if err != nil {
		return nil, err
	}
	switch differs := h.differs(peer); {
	case differs != "":
		return nil, fmt.Errorf("%w: %s", ErrMismatch, differs)
	case peer.ID == h.ID:
		return nil, ErrSelf
	case id != 0 && peer.ID != id:
		return nil, ErrReplaced
	}
	return peer, nil
}

// welcome exchanges hellos as the side that was dialled.
func (h Hello) welcome(nc net.Conn) (*Hello, error) {
	peer, err := readHello(nc)
	if err != nil {
		return nil, err
	}
	if differs := h.differs(peer); differs != "" {
		// The sentence is a courtesy: that it did not arrive changes nothing.
		_, _ = nc.Write(appendFrame(nil, typeRefusal, 0, 0, []byte(differs)))
		return nil, fmt.Errorf("%w: %s", ErrMismatch, differs)
	}
	h.Class = peer.Class
	if _, err := nc.Write(appendFrame(nil, typeHello, 0, 0, h.append(nil))); err != nil {
		return nil, err
	}
	return peer, nil
}

// readHello reads no further than the hello, for what follows may be a stream: a
// reader never has a buffer larger than it began with or the frame needs.
func readHello(nc net.Conn) (*Hello, error) {
	f, err := newReader(nc, maxHello, headerBytes).next()
	switch {
	case err != nil:
		return nil, err
	case f.typ == typeRefusal:
		return nil, fmt.Errorf("%w: %s", ErrMismatch, strings.Map(printable, string(f.body)))
	case f.typ != typeHello:
		return nil, fmt.Errorf("%w: no hello", ErrProtocol)
	}
	return parseHello(f.body)
}

// printable keeps what a peer says from disturbing a log.
func printable(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return -1
}
