package node

import (
	"testing"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/wire"
)

// A message is early as long as the slot itself has not its configuration, even if the
// process has it already.
func TestMessagesWaitForTheSlot(t *testing.T) {
	m := &membership{life: &life{}}
	next := &topology.Config{Partitions: []topology.Partition{{Epoch: topology.Stamp{Term: 1, Version: 2}}}}
	m.config.Store(next)
	s := &slot{m: m, epoch: topology.Stamp{Term: 1, Version: 1}}
	msg := &part.Replicate{Epoch: next.Partitions[0].Epoch}
	if !s.isEarly(2, msg) {
		t.Error("a message is taken before the configuration that it belongs to")
	}
	if s.epoch = msg.Epoch; s.isEarly(2, msg) {
		t.Error("a message is kept though its configuration is there")
	}
}

// Who is told something though nobody has said where it is, is reached at the address that is
// said later.
func TestAddressOfAStranger(t *testing.T) {
	w, err := wire.Start(wire.Options{Security: wire.Security{Plaintext: true}, Self: wire.Hello{ID: 1, Cluster: "shop"}})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close() //nolint:errcheck // there is nothing open
	const stranger, addr = 2, "127.0.0.1:2"
	m := &membership{life: &life{wire: w}}
	m.sendPart(nil, part.Envelope{To: stranger, Msg: &part.OfferAck{}})
	if got := w.Peer(stranger, addr).Addr; got != addr {
		t.Errorf("the stranger is reached at %q, not at %s", got, addr)
	}
}
