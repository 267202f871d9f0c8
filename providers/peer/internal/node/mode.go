package node

import (
	"sync"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/wire"
)

// Mode is which part a process has in the grid.
type Mode uint8

// The modes.
const (
	// Both: it holds records, and its callers use the grid.
	Both Mode = iota
	// Server: likewise; the processes that use the grid are clients.
	Server
	// Client: it holds no records, is no member, and asks the members.
	Client
)

// String returns the word that the configuration has for a mode.
func (m Mode) String() string { return [...]string{"both", "server", "client"}[m] }

// maxCompared bounds the processes that are remembered because something was said of them.
const maxCompared = 1024

// A mixture is the processes whose modes do not suit this one's.
type mixture struct {
	mu   sync.Mutex
	said map[topology.ID]bool
}

// compare warns of a process whose mode does not suit this one's, once.
func (n *Node) compare(with *wire.Hello) {
	own := n.opts.Mode.String()
	if !mixed(own, with.Mode) {
		return
	}
	m := &n.mixture
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.said[with.ID] {
		return
	}
	if m.said == nil || len(m.said) >= maxCompared {
		m.said = make(map[topology.ID]bool)
	}
	m.said[with.ID] = true
	n.opts.Logger.Warn("peer: in one grid, either all processes have the mode both, or each is a server or a client",
		"mode", own, "other", with.Addr, "theirs", with.Mode)
}

// mixed reports whether the modes of two processes do not belong in one grid: it is either
// of processes that are all both, or of servers and their clients.
func mixed(a, b string) bool { return (a == Both.String()) != (b == Both.String()) }
