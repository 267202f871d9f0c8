package wire

import (
	"errors"
	"syscall"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// An Event tells of a connection to or from a peer, so that a failure is known before
// any silence shows it.
type Event struct {
	Kind EventKind
	// ID is of the peer; zero for one that was dialled without an ID.
	ID    topology.ID
	Addr  string
	Class Class
	// Err is why; nil for Connected.
	Err error
}

// EventKind is what happened.
type EventKind uint8

// The kinds of events.
const (
	// Connected: a connection that was dialled here is open.
	Connected EventKind = iota + 1
	// Broken: a connection broke that either side had dialled.
	Broken
	// Refused: nobody listens at the address. The process with this ID is gone in all
	// likelihood, but a firewall can refuse as well.
	Refused
	// Replaced: another process listens at the address.
	Replaced
	// Unreachable: a connection could not be made for another reason.
	Unreachable
)

// dialled returns the kind of the event that an error of dialling is.
func dialled(err error) EventKind {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return Refused
	case errors.Is(err, ErrReplaced):
		return Replaced
	}
	return Unreachable
}
