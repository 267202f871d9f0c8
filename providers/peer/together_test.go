package peer_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer"
)

// addresses returns loopback addresses that were free a moment ago.
func addresses(t testing.TB, n int) (addrs []string) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		addrs = append(addrs, l.Addr().String())
	}
	return addrs
}

// together starts so many members at once, each of which knows all addresses.
func together(t testing.TB, n int) (members []*peer.Provider, oneGrid time.Duration) {
	t.Helper()
	addrs := addresses(t, n)
	members = make([]*peer.Provider, n)
	began := time.Now()
	var starting sync.WaitGroup
	for i := range members {
		starting.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			p, err := peer.Connect(ctx, peer.Options{Listen: addrs[i : i+1], Join: addrs, Security: peer.Security{Secret: secret},
				Replicas: 1, Logger: quiet, LeaveTimeout: time.Millisecond})
			if err != nil {
				t.Error(err)
				return
			}
			members[i] = p
		})
	}
	starting.Wait()
	t.Cleanup(func() {
		for _, p := range members {
			if p != nil {
				_ = p.Close(context.Background()) // nothing is handed over
			}
		}
	})
	for over := time.Now().Add(time.Minute); slices.ContainsFunc(members, func(p *peer.Provider) bool { return p == nil || p.Members() != n }); <-time.After(5 * time.Millisecond) {
		if time.Now().After(over) || t.Failed() {
			t.Fatal("they do not become one grid")
		}
	}
	return members, time.Since(began)
}

func rebirths(members []*peer.Provider) (n int) {
	for _, p := range members {
		n += p.Stats().Rebirths
	}
	return n
}

// BenchmarkStartTogether measures how long members that are started at once take until they are
// one grid, in which every partition has its copies.
func BenchmarkStartTogether(b *testing.B) {
	for _, n := range []int{3, 8, 12, 16} {
		b.Run(fmt.Sprintf("members=%d", n), func(b *testing.B) {
			var one, whole time.Duration
			reborn := 0
			for b.Loop() {
				began := time.Now()
				members, oneGrid := together(b, n)
				for slices.ContainsFunc(members, func(p *peer.Provider) bool { return !p.Safe() }) {
					<-time.After(5 * time.Millisecond)
				}
				one, whole, reborn = one+oneGrid, whole+time.Since(began), reborn+rebirths(members)
				b.StopTimer()
				for _, p := range members {
					_ = p.Close(context.Background())
				}
				b.StartTimer()
			}
			b.ReportMetric(one.Seconds()/float64(b.N), "s-to-one-grid")
			b.ReportMetric(whole.Seconds()/float64(b.N), "s-to-all-copies")
			b.ReportMetric(float64(reborn)/float64(b.N), "rebirths")
		})
	}
}
