package node

import (
	"testing"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
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
