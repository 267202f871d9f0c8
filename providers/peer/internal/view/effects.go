package view

import (
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// Effects are what the caller of a step is to do, in the order of the fields. The
// methods of Machine append; the caller resets.
type Effects struct {
	// Promised, if not zero: tell every partition to refuse lower terms, before
	// anything is sent.
	Promised uint64
	// Send is in order for each receiver. If it carries a configuration, what the
	// partitions send because of Config must not overtake it.
	Send []Envelope
	// Config, if not nil, is the configuration from now on: tell every partition.
	Config *topology.Config
	// Offers are partitions to give to somebody of another cluster. They replace
	// what was said about the same partition before.
	Offers []Offer
	// Redial are members to whom a fresh connection is to be made, whatever connections there
	// are: those may wait for TCP to send again what was lost. If one can be made, call Reached.
	Redial []topology.ID
	// Rejoin: drop all data and come back under another ID, joining whoever is
	// reachable. This machine is done.
	Rejoin bool
	// Log is what an operator should know.
	Log []string
}

// Reset empties the effects and keeps their memory.
func (fx *Effects) Reset() {
	clear(fx.Send)
	clear(fx.Offers)
	*fx = Effects{Offers: fx.Offers[:0], Send: fx.Send[:0], Redial: fx.Redial[:0], Log: fx.Log[:0]}
}

// An Envelope is a message to somebody.
type Envelope struct {
	To topology.ID
	// Addr is where To is, unless it is a member of the present configuration.
	Addr string
	Msg  Message
}

// An Offer is a partition whose contents are to be sent to somebody who serves it in
// another cluster. When all of it is acknowledged, call Merged.
type Offer struct {
	Partition int
	// To is the primary there, and Addr its address. Zero: the offer is called off.
	To   topology.ID
	Addr string
	// Lineage is that of the other cluster.
	Lineage uint64
	// Common is the time, as versions count it, up to which both clusters knew of
	// every write: what was written before and is missing there was deleted there.
	// Zero: they have nothing in common.
	Common uint64
	// Whole: this member has every write that was acknowledged before they parted.
	Whole bool
}
