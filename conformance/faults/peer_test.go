package faults_test

import (
	"context"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/internal/servers"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/providers/peer"
)

// member starts a member of a grid.
func member(t *testing.T, opts peer.Options) *jcache.CacheManager {
	t.Helper()
	opts.Security = peer.Security{Plaintext: true}
	m, err := peer.Open(t.Context(), opts)
	return closed(t, m, err)
}

// awaitSafe waits until everything has its copies.
func awaitSafe(t *testing.T, m *jcache.CacheManager) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !m.Health().Safe(); pause(t, 20*time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the grid does not become safe: ", m.Health().Reasons())
		}
	}
}

// restartInTurn restarts both members, one after the other, as an update of the program does.
func restartInTurn(t *testing.T, grid []*jcache.CacheManager, server func(i int) *jcache.CacheManager) {
	t.Helper()
	for i := range grid {
		awaitSafe(t, grid[1-i])
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		must(t, grid[i].Close(ctx))
		cancel()
		grid[i] = server(i)
		awaitSafe(t, grid[i])
	}
}

func twoAddrs(t *testing.T) (addrs []string) {
	t.Helper()
	for range 2 {
		addr, err := servers.FreeAddr()
		must(t, err)
		addrs = append(addrs, addr)
	}
	return addrs
}

func TestFaultsOfPeer(t *testing.T) {
	long(t)
	for name, full := range map[string]peer.WhenFull{"full": peer.Reject, "evicting": peer.Evict} {
		t.Run(name, func(t *testing.T) {
			addrs := twoAddrs(t)
			var both [2]process
			for i := range both {
				m := member(t, peer.Options{Listen: addrs[i : i+1], Join: addrs, Replicas: 1, MaxBytes: 4 << 20, WhenFull: full})
				both[i] = start(t, m)
			}
			awaitSafe(t, both[0].manager)
			hurt(t, fault{provider: "peer", name: name}, both[0], both[1], func(begin func()) { floodTwice(t, both[0], begin) })
		})
	}
	t.Run("restarted empty", func(t *testing.T) {
		addrs := twoAddrs(t)
		server := func(i int) *jcache.CacheManager {
			return member(t, peer.Options{Mode: peer.Server, Listen: addrs[i : i+1], Join: addrs, Replicas: 1})
		}
		grid := []*jcache.CacheManager{server(0), server(1)}
		client := func() process {
			return start(t, member(t, peer.Options{Mode: peer.Client, Join: addrs}))
		}
		hurt(t, fault{provider: "peer", name: "restarted empty"}, client(), client(), func(begin func()) {
			begin()
			restartInTurn(t, grid, server)
		})
	})
}
