package member

import (
	"cmp"
	"fmt"

	"github.com/fxamacker/cbor/v2"
	"github.com/hashicorp/memberlist"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/wire"
)

// Meta is what a process tells all others of itself.
type Meta struct {
	// Addr is where it is reached: host:port.
	Addr string `cbor:"1,keyasint"`
	// Zone and Mode are as configured.
	Zone string `cbor:"2,keyasint,omitempty"`
	Mode string `cbor:"3,keyasint,omitempty"`
	// Protocol is the version that it speaks.
	Protocol uint16 `cbor:"4,keyasint"`
	// Joined: it is a member of a cluster, and not only looking for one.
	Joined bool `cbor:"5,keyasint,omitempty"`
}

// or takes what is zero from the hello of this process.
func (m Meta) or(h wire.Hello) Meta {
	return Meta{
		Addr: h.Addr, Zone: cmp.Or(m.Zone, h.Zone), Mode: cmp.Or(m.Mode, h.Mode),
		Protocol: cmp.Or(m.Protocol, h.Protocol), Joined: m.Joined,
	}
}

// encode returns at most as many bytes as the gossip carries.
func (m Meta) encode() ([]byte, error) {
	b, err := cbor.Marshal(m)
	if err != nil {
		return nil, err
	}
	if len(b) > memberlist.MetaMaxSize {
		return nil, fmt.Errorf("gossip: the address, zone and mode take %d bytes; %d are possible", len(b), memberlist.MetaMaxSize)
	}
	return b, nil
}

func parseMeta(b []byte) (Meta, error) {
	var m Meta
	if err := cbor.Unmarshal(b, &m); err != nil {
		return Meta{}, fmt.Errorf("gossip: %w", err)
	}
	return m, nil
}
