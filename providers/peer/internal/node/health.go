package node

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/member"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

const (
	// alonePending is for how long a process that is alone, and cannot know that nobody else
	// is there, takes it for likely that the others are found.
	alonePending = int64(30 * time.Second)
	// lossesReported is for how long a member reports partitions that were lost. It ends with
	// the process, too.
	lossesReported = int64(10 * time.Minute)
)

// Health returns what is known of this process in the grid. A client holds nothing, and
// is safe when it knows the members.
func (n *Node) Health() (h driver.Health) {
	l, _ := n.now()
	switch {
	case l == nil || l.config.Load() == nil:
		h.Unready = append(h.Unready, "this process is no member of the grid at the moment; it looks for the others")
	case l.member != nil:
		l.member.health(&h)
	case n.Ping() != nil:
		h.Unready = append(h.Unready, fmt.Sprintf("no member of the grid answers at any of %s", strings.Join(l.client.addresses(), ", ")))
	}
	return h
}

// Safe reports whether this process could end without a loss.
func (n *Node) Safe() bool { return n.Health().Safe() }

// health adds what is known of a member.
func (m *membership) health(h *driver.Health) {
	m.mu.Lock()
	c, behind, safe := m.view.Config(), m.view.Behind(), m.view.Safe()
	m.mu.Unlock()
	now := m.mono()
	switch {
	case c == nil:
		h.Unready = append(h.Unready, "this process is no member of the grid yet")
		return
	case behind:
		h.Unready = append(h.Unready, "the others have gone on without this member; it gives them what they lack")
	case c.Merging != 0:
		h.Unready = append(h.Unready, "the network was split, and this side gives its records to the other one")
	}
	if held := c.Held(); held > 0 {
		h.Unsafe = append(h.Unsafe, fmt.Sprintf("%d of %d partitions are held: they are not served, since none of the members that have them answers: %s",
			held, len(c.Partitions), strings.Join(absent(c), ", ")))
	}
	m.countCopies(h, c, now)
	if !safe && h.Ready() && len(h.Pending) == 0 {
		h.Pending = append(h.Pending, "records are being copied")
	}
	if lost := m.losses.within(now, lossesReported); lost > 0 {
		h.Unsafe = append(h.Unsafe, fmt.Sprintf("%d partitions were lost with all their copies in the last %s, and what was in them is gone; "+
			"find out why before another process is restarted (restarting this one, or that time, ends this warning)",
			lost, driver.FormatDuration(time.Duration(lossesReported))))
	}
	if len(c.Members) == 1 {
		m.alone(h, now)
	}
}

// absent returns the addresses of the members for whom partitions are held.
func absent(c *topology.Config) (list []string) {
	for i := range c.Absent {
		if c.HeldFor(c.Absent[i].ID) {
			list = append(list, c.Absent[i].Addr)
		}
	}
	return list
}

// countCopies says of how many partitions there are not the copies that there should be.
func (m *membership) countCopies(h *driver.Health, c *topology.Config, now int64) {
	var scarce, unserved, short, moving, exposed int
	least := m.n.opts.Replica.MinCopies
	copies := min(m.n.opts.Copies, c.Staying())
	for i := range c.Partitions {
		p := &c.Partitions[i]
		if len(p.InSync) < least {
			scarce++
		}
		if p.Primary == m.self.ID && m.slots[i].lease.Load() <= now {
			unserved++
		}
		if p.Learner != 0 {
			moving++
		} else if len(p.InSync) < copies {
			short++
		}
		if m.slots[i].exposed() {
			exposed++
		}
	}
	if scarce > 0 {
		h.Unready = append(h.Unready, fmt.Sprintf("writes to %d of %d partitions wait: minCopies is %d, and they have fewer copies; the grid has %s",
			scarce, len(c.Partitions), least, members(len(c.Members))))
	}
	if unserved > 0 {
		h.Unready = append(h.Unready, fmt.Sprintf("%d partitions are not served: this member does not hear the others that must agree", unserved))
	}
	if short+moving > 0 {
		h.Pending = append(h.Pending, fmt.Sprintf("%d partitions lack copies, and %d are being copied", short, moving))
	}
	if exposed > 0 {
		h.Pending = append(h.Pending, fmt.Sprintf("replicas of %d partitions lack acknowledged writes", exposed))
	}
}

// alone says that this is the only member although its configuration names others. As
// long as some of them may be there, unseen, that may pass.
func (m *membership) alone(h *driver.Health, now int64) {
	others := slices.DeleteFunc(m.agent.Seeds(), func(s member.Seed) bool { return s.Self })
	if len(others) == 0 {
		return
	}
	text := "this member is alone, and " + missing(others)
	if now < alonePending && !m.agent.Alone() && !m.accompanied.Load() {
		h.Pending = append(h.Pending, text)
	} else {
		h.Unsafe = append(h.Unsafe, text)
	}
}

// missing says what was found where others were to be: their addresses, by reason.
func missing(seeds []member.Seed) string {
	var whys []string
	where := make(map[string][]string)
	for _, s := range seeds {
		why := s.Why
		if why == "" {
			why = "somebody answered there who is no member now"
		}
		if where[why] == nil {
			whys = append(whys, why)
		}
		where[why] = append(where[why], s.Addr)
	}
	const most = 3
	for i, why := range whys {
		addrs := where[why]
		text := strings.Join(addrs[:min(most, len(addrs))], ", ")
		if more := len(addrs) - most; more > 0 {
			text += fmt.Sprintf(" and %d more", more)
		}
		whys[i] = fmt.Sprintf("join names %s: %s", text, why)
	}
	return strings.Join(whys, "; ")
}

func members(n int) string {
	if n == 1 {
		return "1 member"
	}
	return fmt.Sprintf("%d members", n)
}
