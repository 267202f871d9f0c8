package peer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keepsake-cache/keepsake/httpsession"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/node"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/wire/wiretest"
)

// Two web servers are cut off from each other while both serve the same visitors. When they
// meet again, either server has what was done on both, and who has logged out on one is
// logged out.
func TestVisitorsOfASplit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(30 * 365 * 24 * time.Hour) // a bubble begins before the first version that is a time
		network := wiretest.New()
		t.Cleanup(func() { time.Sleep(time.Minute) }) // probes of the gossip that are under way end by themselves
		var servers [2]*server
		var members [2]*Provider
		for i := range servers {
			members[i] = connectOn(t, network, i)
			servers[i] = newServerOn(t, members[i])
		}
		within(t, "the grid has two members, and two copies of everything", func() bool {
			return members[0].Members() == 2 && members[1].Members() == 2 && members[0].Safe() && members[1].Safe()
		})
		visitors := make([]*http.Cookie, 20)
		for i := range visitors {
			visitors[i] = servers[i%2].serve(nil, func(_ context.Context, s *httpsession.Session) error {
				return errors.Join(s.Set("both", 0), s.Set("old", 0))
			})
		}

		network.Isolate(hostOf(1))
		within(t, "both sides go on", func() bool { return members[0].Members() == 1 && members[1].Members() == 1 })
		for i, visitor := range visitors {
			servers[0].serve(visitor, setTo("a", i))
			servers[0].serve(visitor, setTo("both", 1))
			if i%4 == 3 {
				servers[1].serve(visitor, invalidate)
				continue
			}
			servers[1].serve(visitor, setTo("b", i))
			servers[1].serve(visitor, remove("old"))
			servers[1].serve(visitor, setTo("both", 2))
		}

		// Who logs in on one side and out on the other, which has never heard of the session, is
		// logged out everywhere. So is who has renewed its id meanwhile.
		var left []*http.Cookie
		for i := range 20 {
			visitor := servers[i%2].serve(nil, setTo("both", 0))
			if i%4 > 1 {
				left = append(left, visitor)
				visitor = servers[i%2].serve(visitor, func(_ context.Context, s *httpsession.Session) error { return s.Renew() })
			}
			time.Sleep(time.Millisecond) // in the bubble, where nothing takes any time
			servers[1-i%2].serve(visitor, invalidate)
			left = append(left, visitor)
		}

		network.Rejoin(hostOf(1))
		within(t, "the sides have merged", func() bool {
			return members[0].Members() == 2 && members[1].Members() == 2 && members[0].Safe() && members[1].Safe() &&
				!members[0].Stats().Merging && !members[1].Stats().Merging
		})
		for i, visitor := range visitors {
			want := fmt.Sprintf("a=%d b=%d both=2", i, i)
			if i%4 == 3 {
				want = ""
			}
			for at, s := range servers {
				if got := s.attributes(visitor); got != want {
					t.Errorf("visitor %d has %q on server %d, want %q", i, got, at, want)
				}
			}
		}
		for i, visitor := range left {
			for at, s := range servers {
				if got := s.attributes(visitor); got != "" {
					t.Errorf("visitor %d of those who have logged out has %q on server %d", i, got, at)
				}
			}
		}
	})
}

func hostOf(server int) string { return fmt.Sprintf("127.0.0.%d:1", server+1) }

// connectOn joins the grid of the servers on a network in memory.
func connectOn(t *testing.T, network *wiretest.Network, server int) *Provider {
	t.Helper()
	host := hostOf(server)
	p, err := Connect(t.Context(), Options{
		Listen: []string{host}, Join: []string{hostOf(0), hostOf(1)}, Replicas: 1, LocalReads: true,
		Security: Security{Secret: "known to all members"}, Logger: slog.New(slog.DiscardHandler),
		network: node.Network{
			Listen: func(_ context.Context, addr string) (net.Listener, error) { return network.Listen(addr), nil },
			Dial:   network.Dialer(host),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// within waits until something holds.
func within(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}
