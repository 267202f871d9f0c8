package view

import (
	"fmt"
	"slices"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// Forget takes an operator's word that the processes at some addresses, or all that are
// absent if none is given, have ended for good, and what they had with them. It returns the
// addresses. Who is a member and answers is not forgotten.
func (m *Machine) Forget(now int64, addrs []string, fx *Effects) ([]string, error) {
	if m.config == nil {
		return nil, fmt.Errorf("this process is no member yet")
	}
	var gone []topology.Member
	named := func(one topology.Member) bool { return slices.Contains(addrs, one.Addr) }
	for _, one := range m.config.Absent {
		if len(addrs) == 0 || named(one) {
			gone = append(gone, one)
		}
	}
	missed := func(one topology.Member) bool {
		return slices.ContainsFunc(gone, func(o topology.Member) bool { return o.Addr == one.Addr })
	}
	for _, one := range m.config.Members {
		switch {
		case !named(one) || missed(one): // or somebody else is there now
		case !m.suspects(now, one.ID):
			return nil, fmt.Errorf("the member at %s answers: only who has ended can be forgotten", one.Addr)
		default:
			gone = append(gone, one)
		}
	}
	for _, addr := range addrs {
		if !missed(topology.Member{Addr: addr}) {
			return nil, fmt.Errorf("no member at %s is missing", addr)
		}
	}
	var done []string
	for _, one := range gone {
		m.peer(now, one.ID).endForGood()
		fx.Log = append(fx.Log, "an operator says that "+one.Addr+" has ended for good")
		done = append(done, one.Addr)
	}
	return done, nil
}

// endForGood notes that a process has ended, and its data with it, for certain.
func (p *peer) endForGood() { p.refused, p.refusedAt, p.replaced = true, never, false }
