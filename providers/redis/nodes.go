package redis

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"

	"github.com/redis/rueidis"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// slots is how many parts the keys of a cluster are divided into.
const slots = 1 << 14

// clustered reports whether the records are on several primaries.
func (p *Provider) clustered() bool { return p.client.Mode() == rueidis.ClientModeCluster }

// failsOver reports whether another server takes the place of a primary that fails.
func (p *Provider) failsOver() bool {
	return p.client != nil && p.client.Mode() != rueidis.ClientModeStandalone
}

var errMoving = fmt.Errorf("%w: the cluster has no primary for some keys, or is being changed", driver.ErrUnavailable)

// A primary is a server that has records of its own.
type primary struct {
	addr   string
	client rueidis.Client
	slots  []slotRange // in a cluster, in their order
}

// A slotRange is some of the parts of a cluster's keys.
type slotRange struct{ first, last int64 }

// has reports whether the primary has a slot.
func (p *primary) has(slot int64) bool {
	return slices.ContainsFunc(p.slots, func(r slotRange) bool { return r.first <= slot && slot <= r.last })
}

// sameAs reports whether another primary is this one, with the same slots.
func (p primary) sameAs(other primary) bool {
	return p.addr == other.addr && slices.Equal(p.slots, other.slots)
}

// primaries returns each server that has records of its own, in the order of their addresses. Together
// they have all of them.
func (p *Provider) primaries(ctx context.Context) ([]primary, error) {
	if !p.clustered() {
		return []primary{{addr: addressOf(p.client), client: p.client}}, nil
	}
	m, err := p.read(ctx, func(b rueidis.Builder) rueidis.Completed { return b.ClusterSlots().Build() })
	if err != nil {
		return nil, err
	}
	ranges, err := m.ToArray()
	if err != nil {
		return nil, errMoving
	}
	known := p.client.Nodes()
	found := make(map[string]primary)
	covered := int64(0)
	for _, line := range ranges {
		r, addr, ok := slotsIn(line)
		if !ok || known[addr] == nil {
			return nil, errMoving
		}
		found[addr] = primary{addr, known[addr], append(found[addr].slots, r)}
		covered += r.last - r.first + 1
	}
	if covered != slots {
		return nil, errMoving
	}
	list := slices.SortedFunc(maps.Values(found), func(a, b primary) int { return strings.Compare(a.addr, b.addr) })
	for _, one := range list {
		slices.SortFunc(one.slots, func(a, b slotRange) int { return int(a.first - b.first) })
	}
	return list, nil
}

// slotsIn reads one line of CLUSTER SLOTS: some slots, and their primary.
func slotsIn(line rueidis.RedisMessage) (r slotRange, addr string, ok bool) {
	parts, err := line.ToArray()
	if err != nil || len(parts) < 3 {
		return slotRange{}, "", false
	}
	server, err := parts[2].ToArray()
	if err != nil || len(server) < 2 {
		return slotRange{}, "", false
	}
	host, err := server[0].ToString()
	port, err2 := server[1].AsInt64()
	if err != nil || err2 != nil {
		return slotRange{}, "", false
	}
	r.first, err = parts[0].AsInt64()
	r.last, err2 = parts[1].AsInt64()
	return r, net.JoinHostPort(host, text(port)), err == nil && err2 == nil
}

// slotOf returns the slot of a name in a cluster.
func (p *Provider) slotOf(name string) int64 {
	command := p.client.B().Get().Key(name).Build()
	return int64(command.Slot())
}
