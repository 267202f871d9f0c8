package topology_test

import (
	"testing"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// Members of two versions that place keys differently would lose them.
func TestKeysStayWhereTheyAre(t *testing.T) {
	for key, want := range map[string]uint64{
		"":     0xef46db3751d8e999,
		"a":    0xd24ec4f1a98c6e5b,
		"as":   0x1c330fb2d66be179,
		"asd":  0x631c37ce72a97393,
		"asdf": 0x415872f599cea71e,
		"Call me Ishmael. Some years ago--never mind how long precisely-": 0x02a2e85470d6fd96,
	} {
		if got := topology.Hash(key); got != want {
			t.Errorf("Hash(%q) = %#x, want %#x as XXH64 has it", key, got, want)
		}
		if got := topology.PartitionOf(key, 271); got != int(want%271) {
			t.Errorf("PartitionOf(%q, 271) = %d, want %d", key, got, want%271)
		}
	}
}
