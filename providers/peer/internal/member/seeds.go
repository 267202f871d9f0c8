package member

import (
	"errors"
	"net"
	"slices"
	"syscall"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/wire"
)

// A Seed is one of the addresses of Options.Seeds, or one of those that a host name of
// them stands for, and what was found there last.
type Seed struct {
	// Addr is host:port.
	Addr string
	// Self: this process itself was found there.
	Self bool
	// Why says why nobody was; empty if somebody was, or it was not tried yet.
	Why string
}

// Seeds returns what was found at the addresses that others were to be at.
func (a *Agent) Seeds() []Seed {
	own := a.opts.Wire.Self().Addr
	a.net.mu.Lock()
	defer a.net.mu.Unlock()
	var seeds []Seed
	for _, seed := range a.opts.Seeds {
		addrs := []string{seed}
		if r, named := a.net.resolved[seed]; named {
			if addrs = r.addrs; r.err != nil {
				seeds = append(seeds, Seed{Addr: seed, Why: why(r.err)})
				continue
			}
		}
		for _, addr := range addrs {
			err := a.net.tried[addr].err
			s := Seed{Addr: addr, Self: addr == own || errors.Is(err, wire.ErrSelf)}
			if !s.Self {
				s.Why = why(err)
			}
			seeds = append(seeds, s)
		}
	}
	return seeds
}

// Findable reports whether those who try the addresses find this process there. It is false
// until it has found itself.
func (a *Agent) Findable() bool {
	return len(a.opts.Seeds) == 0 || slices.ContainsFunc(a.Seeds(), func(s Seed) bool { return s.Self })
}

// unresolved reports whether a host name among the seeds has no address.
func (a *Agent) unresolved() bool {
	a.net.mu.Lock()
	defer a.net.mu.Unlock()
	return slices.ContainsFunc(a.opts.Seeds, func(seed string) bool {
		r, named := a.net.resolved[seed]
		return named && (r.err != nil || len(r.addrs) == 0)
	})
}

// why says in a few words why nobody was found at an address. The errors of networks
// differ each time.
func why(err error) string {
	var unknown *net.DNSError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &unknown):
		return "the name does not resolve"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nobody listens there"
	case errors.Is(err, wire.ErrMismatch), errors.Is(err, wire.ErrUntrusted):
		return err.Error()
	case errors.Is(err, wire.ErrProtocol):
		return "who listens there does not speak the protocol of the grid"
	case errors.Is(err, wire.ErrNoAnswer):
		return "somebody listens there and does not answer as a member does"
	}
	return "it cannot be reached"
}
