package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/keepsake-cache/keepsake/internal/servers"
	"github.com/keepsake-cache/keepsake/providers/hazelcast"
)

// A cluster is what faults hit: the servers themselves, or what keeps their entries.
// Members are counted from zero.
type cluster interface {
	size() int
	start(ctx context.Context, i int) error
	kill(i int)
	terminate(i int) error
	pause(i int) error
	resume(i int) error
	// awaitReady waits until all that runs is ready, and bounds that itself.
	awaitReady(ctx context.Context) error
}

// A grid is servers that are their own cluster.
type grid struct {
	*fleet
	n int
}

func (g grid) size() int { return g.n }

// members are a cluster of Hazelcast behind the servers.
type members struct {
	*servers.HazelcastCluster
	fleet *fleet
	live  []bool
}

// startMembers starts the cluster, which makes so many copies of each entry, and tells the fleet where it is.
func startMembers(ctx context.Context, f *fleet, n, backups int) (*members, error) {
	memberConfig := strings.Replace(hazelcast.MemberConfig, "<backup-count>1<", fmt.Sprintf("<backup-count>%d<", backups), 1)
	config := filepath.Join(f.dir, "hazelcast-member.xml")
	if err := os.WriteFile(config, []byte(memberConfig), 0o600); err != nil {
		return nil, err
	}
	const partitions = "-Dhazelcast.partition.count=71"
	var c *servers.HazelcastCluster
	var err error
	if f.network == nil {
		c, err = servers.Hazelcast(ctx, n, config, partitions)
	} else {
		// A member is where its server is, and is cut off with it.
		addrs := make([]string, n)
		for i := range addrs {
			addrs[i] = f.network.Addr(i) + ":5701"
		}
		c, err = servers.HazelcastWith(ctx, f.network.Command, addrs, config, partitions)
	}
	if err != nil {
		return nil, err
	}
	f.env = append(f.env, "NEMESIS_MEMBERS="+strings.Join(c.Addrs, ","))
	m := &members{HazelcastCluster: c, fleet: f, live: make([]bool, n)}
	for i := range m.live {
		m.live[i] = true
	}
	return m, nil
}

func (m *members) size() int { return len(m.live) }

func (m *members) start(_ context.Context, i int) error {
	m.live[i] = true
	return m.Restart(i)
}

func (m *members) kill(i int) {
	m.live[i] = false
	m.Member(i).Kill()
}

func (m *members) terminate(i int) error {
	m.live[i] = false
	m.Member(i).Terminate()
	return nil
}

func (m *members) pause(i int) error  { return m.Member(i).Pause() }
func (m *members) resume(i int) error { return m.Member(i).Resume() }

func (m *members) awaitReady(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	n := 0
	for _, live := range m.live {
		if live {
			n++
		}
	}
	if err := m.Await(limited, n); err != nil {
		return err
	}
	return m.fleet.awaitReady(ctx)
}
