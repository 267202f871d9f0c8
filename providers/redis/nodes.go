package redis

import (
	"context"
	"fmt"
	"net"
	"strconv"

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

// primaries returns a client for each server that has records of its own, which together have all
// of them.
func (p *Provider) primaries(ctx context.Context) ([]rueidis.Client, error) {
	if !p.clustered() {
		return []rueidis.Client{p.client}, nil
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
	found := make(map[string]rueidis.Client)
	covered := int64(0)
	for _, r := range ranges {
		first, last, addr, ok := slotRange(r)
		if !ok || known[addr] == nil {
			return nil, errMoving
		}
		found[addr] = known[addr]
		covered += last - first + 1
	}
	if covered != slots {
		return nil, errMoving
	}
	list := make([]rueidis.Client, 0, len(found))
	for _, c := range found {
		list = append(list, c)
	}
	return list, nil
}

// slotRange reads one line of CLUSTER SLOTS: the first and the last slot, and its primary.
func slotRange(r rueidis.RedisMessage) (first, last int64, addr string, ok bool) {
	parts, err := r.ToArray()
	if err != nil || len(parts) < 3 {
		return 0, 0, "", false
	}
	primary, err := parts[2].ToArray()
	if err != nil || len(primary) < 2 {
		return 0, 0, "", false
	}
	host, err := primary[0].ToString()
	port, err2 := primary[1].AsInt64()
	if err != nil || err2 != nil {
		return 0, 0, "", false
	}
	first, err = parts[0].AsInt64()
	last, err2 = parts[1].AsInt64()
	return first, last, net.JoinHostPort(host, strconv.FormatInt(port, 10)), err == nil && err2 == nil
}
