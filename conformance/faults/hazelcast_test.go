package faults_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/internal/servers"
	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/providers/hazelcast"
)

func TestFaultsOfHazelcast(t *testing.T) {
	long(t)
	for name, strike := range map[string]func(t *testing.T, c *servers.HazelcastCluster){
		"kill": func(t *testing.T, c *servers.HazelcastCluster) {
			c.Member(0).Kill()
			pause(t, 10*time.Second)
		},
		"freeze": func(t *testing.T, c *servers.HazelcastCluster) {
			// Which of them joins the other one afterwards depends on their addresses, so each is frozen.
			for i := range c.Addrs {
				must(t, c.Member(i).Pause())
				pause(t, 20*time.Second)
				must(t, c.Member(i).Resume())
				for i := range c.Addrs {
					awaitSize(t, c, i, len(c.Addrs))
				}
				pause(t, 10*time.Second) // members do not say when they have merged
			}
		},
		"restarted empty": func(t *testing.T, c *servers.HazelcastCluster) {
			pause(t, time.Second) // half of what happens once happens before
			for i := range c.Addrs {
				c.Member(i).Kill()
			}
			for i := range c.Addrs {
				must(t, c.Restart(i))
			}
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			must(t, c.Await(ctx, len(c.Addrs)))
			pause(t, 10*time.Second)
		},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := servertest.Hazelcast(t, 2, memberConfig(t, hazelcast.MemberConfig), "-Dhazelcast.partition.count=71")
			connect := func() process { return onHazelcast(t, cluster.Addrs) }
			hurt(t, fault{provider: "hazelcast", name: name}, connect(), connect(), func(begin func()) {
				begin()
				strike(t, cluster)
			})
		})
	}
	t.Run("evicting", func(t *testing.T) {
		config := strings.Replace(hazelcast.MemberConfig, `<eviction eviction-policy="NONE"/>`,
			fmt.Sprintf(`<eviction eviction-policy="LRU" max-size-policy="PER_NODE" size="%d"/>`, 6*population), 1)
		cluster := servertest.Hazelcast(t, 2, memberConfig(t, config), "-Dhazelcast.partition.count=71")
		p := onHazelcast(t, cluster.Addrs)
		hurt(t, fault{provider: "hazelcast", name: "evicting"}, p, onHazelcast(t, cluster.Addrs), func(begin func()) { floodTwice(t, p, begin) })
	})
	t.Run("split", func(t *testing.T) { // each process is on one side
		network := servertest.NewNetwork(t, 2)
		cluster := network.Hazelcast(t, memberConfig(t, hazelcast.MemberConfig), "-Dhazelcast.partition.count=71")
		side := func(i int) process { return onHazelcast(t, cluster.Addrs[i:i+1]) }
		hurt(t, fault{provider: "hazelcast", name: "split"}, side(0), side(1), func(begin func()) {
			network.Split(true)
			for i := range cluster.Addrs {
				awaitSize(t, cluster, i, 1)
			}
			begin()
			pause(t, 15*time.Second)
			network.Split(false)
			for i := range cluster.Addrs {
				awaitSize(t, cluster, i, 2)
			}
			pause(t, 10*time.Second) // members merge what they have after they have met, and do not say when
		})
	})
}

// memberConfig writes the configuration of members.
func memberConfig(t *testing.T, text string) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "hazelcast-member.xml")
	must(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

// onHazelcast begins a process on some members.
func onHazelcast(t *testing.T, addrs []string) process {
	t.Helper()
	m, err := hazelcast.Open(t.Context(), hazelcast.Options{Servers: addrs, RequestTimeout: limit})
	return start(t, closed(t, m, err))
}

// awaitSize waits until the i-th member sees n.
func awaitSize(t *testing.T, c *servers.HazelcastCluster, i, n int) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; pause(t, 100*time.Millisecond) {
		if seen, err := c.Size(t.Context(), i); err == nil && seen == n {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("member %d does not see %d members", i, n)
		}
	}
}
