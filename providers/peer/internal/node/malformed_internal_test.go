package node

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/wire"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/wire/wiretest"
)

// FuzzHandlers sends a member whatever one may be sent besides the messages of the
// protocol, whose decoders have tests of their own. It must go on, and not use more memory
// than what it was sent is worth.
func FuzzHandlers(f *testing.F) {
	const addr, other = "127.0.0.1:1", "127.0.0.2:1"
	network := wiretest.New()
	ctx, cancel := context.WithCancel(context.Background())
	f.Cleanup(cancel)
	n, err := Start(ctx, Options{
		Listen: []string{addr}, Cluster: "shop", Security: wire.Security{Plaintext: true}, Partitions: 31, Copies: 2,
		Startup: 10 * time.Millisecond, Logger: slog.New(slog.DiscardHandler),
		Network: Network{
			Listen: func(context.Context, string) (net.Listener, error) { return network.Listen(addr), nil },
			Dial:   network.Dialer(addr),
		},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(n.Close)
	stranger, err := wire.Start(wire.Options{
		Self:     wire.Hello{Cluster: "shop", Protocol: protocol, Oldest: protocol, ID: 1, Partitions: 31},
		Security: wire.Security{Plaintext: true}, Listener: network.Listen(other), Dial: network.Dialer(other),
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = stranger.Close() })
	peer := stranger.Peer(n.ID(), addr)

	lineage := n.Config().Lineage
	request := appendRequest(nil, 1, &part.Request{Lineage: lineage, Kind: part.Put, Cache: "c", Key: "k", Record: []byte("r")}, time.Second)
	scan := binary.AppendUvarint(appendText(binary.AppendUvarint(nil, lineage), "c"), 10)
	f.Add(byte(typeOperation), request)
	f.Add(byte(typeBatch), appendRecord(appendRecord(nil, request), request))
	f.Add(byte(typeScan), append(scan, 1, 0, 2, 0))
	f.Add(byte(typeSubscribe), appendWish(appendSession(nil, 7, true), "c", true))
	f.Add(byte(typeEvents), appendEvent(binary.AppendUvarint(nil, 7), 1, topology.Stamp{Term: 1}, 1, &part.Event{Cache: "c", Key: "k"}))
	f.Add(byte(typeConfig), appendPoll(nil, n.Config()))
	f.Add(byte(typeForget), appendTexts(nil, []string{"127.0.0.9:1"}))
	f.Add(byte(typeFound), appendBool(nil, true))
	f.Fuzz(func(t *testing.T, typ byte, b []byte) {
		if typ < byte(typeOperation) || typ > byte(typeFound) {
			return
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if err := peer.Send(ctx, wire.Data, wire.Type(typ), b); err != nil {
			t.Fatal(err)
		}
		// Messages are handled one after the other.
		if _, err := peer.Call(ctx, wire.Data, nothing); !errors.Is(err, wire.ErrUnknownType) {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 8<<20+1000*uint64(len(b)) {
			t.Errorf("%d bytes took %d bytes of memory", len(b), used)
		}
	})
}

// nothing is the type of no message.
const nothing wire.Type = 200

// FuzzAnswers is about what a member, or a client, is answered.
func FuzzAnswers(f *testing.F) {
	c := topology.Found(1, topology.Member{ID: 1, Addr: "127.0.0.1:1"}, 31)
	f.Add(appendNews(nil, c))
	f.Add(appendAgreement(nil, true, c))
	f.Add(appendAgreed(nil, true, map[topology.ID]string{1: "127.0.0.1:1"}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if status, c, err := parseNews(b, 31); err == nil && status == news && (c == nil || len(c.Partitions) != 31) {
			t.Errorf("news of %+v", c)
		}
		_, _, _, _ = parseAgreement(b)
		if met, _ := parseAgreed(b); len(met) > maxMet {
			t.Errorf("%d processes were met", len(met))
		}
	})
}
