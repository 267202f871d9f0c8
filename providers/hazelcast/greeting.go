package hazelcast

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"time"

	"github.com/hazelcast/hazelcast-go-client/types"
)

// A client that cannot start goes on trying until its context ends, says the same whatever the
// reason is, and leaves a goroutine and 300 KB behind. So before one is started, members are
// greeted the way clients do it: connect, shake hands, authenticate, hang up.

var (
	errRefuses  = errors.New("it refuses this client")
	errNoMember = errors.New("its answer is not a member's")
)

// greet returns nil if a member at the address would let a client in.
func (p *Provider) greet(ctx context.Context, addr string) error {
	network := &p.plan.client.Cluster.Network
	ctx, cancel := context.WithTimeout(ctx, time.Duration(network.ConnectionTimeout))
	defer cancel()
	var conn net.Conn
	var err error
	if network.SSL.Enabled {
		conn, err = (&tls.Dialer{Config: network.SSL.TLSConfig()}).DialContext(ctx, "tcp", addr)
	} else {
		conn, err = new(net.Dialer).DialContext(ctx, "tcp", addr)
	}
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // it was opened to greet only
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := conn.Write(append([]byte("CP2"), p.authentication()...)); err != nil {
		return err
	}
	var head [frameHead]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return err
	}
	size := binary.LittleEndian.Uint32(head[:])
	if size < frameHead+statusAt+1 || size > 1<<10 {
		return errNoMember
	}
	body := make([]byte, size-frameHead)
	if _, err := io.ReadFull(conn, body); err != nil {
		return err
	}
	switch {
	case binary.LittleEndian.Uint32(body) != authenticationAnswer:
		return errNoMember
	case body[statusAt] != 0:
		return errRefuses
	}
	return nil
}

// The layout of Hazelcast's Open Binary Client Protocol, version 2: a message is frames, each with
// its length and flags before it.
const (
	frameHead = 4 + 2

	frameWhole = 1<<15 | 1<<14
	frameLast  = 1 << 13
	frameBegin = 1 << 12
	frameEnd   = 1 << 11
	frameNull  = 1 << 10

	authenticationRequest = 0x100
	authenticationAnswer  = 0x101
	statusAt              = 4 + 8 + 1 // after the type, the correlation id and the count of backups
)

// authentication is the message by which a client introduces itself.
func (p *Provider) authentication() (message []byte) {
	frame := func(flags uint16, content []byte) {
		message = binary.LittleEndian.AppendUint32(message, uint32(frameHead+len(content)))
		message = binary.LittleEndian.AppendUint16(message, flags)
		message = append(message, content...)
	}
	text := func(s string) { frame(0, []byte(s)) }
	optional := func(s string) {
		if strings.TrimSpace(s) == "" {
			frame(frameNull, nil)
		} else {
			text(s)
		}
	}
	id := types.NewUUID()
	head := binary.LittleEndian.AppendUint32(nil, authenticationRequest)
	head = binary.LittleEndian.AppendUint64(head, 1)          // correlation id
	head = binary.LittleEndian.AppendUint32(head, ^uint32(0)) // no partition
	head = append(head, 0)                                    // the id is not null
	head = binary.LittleEndian.AppendUint64(head, id.MostSignificantBits())
	head = binary.LittleEndian.AppendUint64(head, id.LeastSignificantBits())
	head = append(head, 1) // version of the serialization
	frame(frameWhole, head)
	config := &p.plan.client
	text(config.Cluster.Name)
	optional(config.Cluster.Security.Credentials.Username)
	optional(config.Cluster.Security.Credentials.Password)
	text("GOO") // the type of Go clients
	text("1.6.0")
	text("keepsake greeting")
	frame(frameBegin, nil) // no labels
	frame(frameEnd|frameLast, nil)
	return message
}
