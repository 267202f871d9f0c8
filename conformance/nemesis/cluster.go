package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/keepsake-cache/keepsake/configfile"
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

// startMembers starts the cluster and tells the fleet where it is.
func startMembers(ctx context.Context, f *fleet, n int) (*members, error) {
	config := filepath.Join(f.dir, "hazelcast-member.xml")
	if err := os.WriteFile(config, []byte(hazelcast.MemberConfig), 0o600); err != nil {
		return nil, err
	}
	c, err := servers.Hazelcast(ctx, n, config, "-Dhazelcast.partition.count=71")
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

// providerOf returns the name of the configuration's only provider.
func providerOf(config string) (string, error) {
	cfg, err := configfile.Load(config)
	if err != nil {
		return "", err
	}
	m, err := cfg.CacheManager("")
	return m.Config.Provider, err
}
