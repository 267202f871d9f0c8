package node_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/node"
)

func asClient(o *node.Options) { o.Mode = node.Client }

func asServer(o *node.Options) { o.Mode = node.Server }

// client starts the next process as a client.
func (g *grid) client() *process {
	g.Helper()
	g.change = asClient
	return g.start()
}

// A client's operations go on when a member dies or goes silent, as soon as another one has
// taken over, whichever member it has been asking for news.
func TestClientsOutliveMembers(t *testing.T) {
	for _, silent := range []bool{false, true} {
		for victim := range 3 {
			t.Run(fmt.Sprintf("silent %v, member %d", silent, victim), func(t *testing.T) {
				bubble(t, asServer, func(g *grid) {
					g.three()
					client := g.client()
					keys := client.fill("k", 60)
					gone := g.processes[victim]
					limit := lease + 200*time.Millisecond
					if silent {
						g.Isolate(gone.host)
						limit = silence + 700*time.Millisecond
					} else {
						g.Kill(gone.host)
					}
					began := time.Now()
					for _, key := range keys {
						if _, err := client.put(key, "of "+key, 5*time.Second); err != nil {
							t.Fatal(err)
						}
					}
					if took := time.Since(began); took > limit {
						t.Errorf("the client could not write everything for %v, limit %v", took, limit)
					} else {
						t.Logf("all is served after %v", took)
					}
					g.has(keys, client)
					g.within(2*time.Second, "the client knows that a member is gone", func() bool { return len(client.Config().Members) == 2 })
				})
			})
		}
	}
}

// A client of a side that was cut off finds the others when the sides have met again, by the
// addresses that it has seen.
func TestClientsFindTheOtherSide(t *testing.T) {
	bubble(t, asServer, func(g *grid) {
		a, b := g.start(), g.start()
		g.settled(10*time.Second, a, b)
		client := g.client()
		keys := client.fill("k", 30)
		// The client reaches only b.
		g.Cut(a.host, b.host)
		g.Cut(b.host, a.host)
		g.Cut(a.host, client.host)
		g.Cut(client.host, a.host)
		g.within(10*time.Second, "the client is on the side of b", func() bool { return len(client.Config().Members) == 1 })
		g.must(client.put("other", "of other", 5*time.Second))
		for _, host := range []string{b.host, client.host} {
			g.Heal(a.host, host)
			g.Heal(host, a.host)
		}
		g.settled(30*time.Second, a, b)
		g.within(5*time.Second, "the client knows both", func() bool { return client.Config().Lineage == a.Config().Lineage })
		g.has(append(keys, "other"), client)
	})
}

// Of two sides that it finds, a client follows the one with most of the members that it knew, even
// if the other one answers sooner.
func TestClientsFollowTheLargerSide(t *testing.T) {
	bubble(t, func(o *node.Options) { asServer(o); everywhere(o) }, func(g *grid) {
		alone, b, c := g.three() // the first one coordinates
		members := []*process{alone, b, c}
		client := g.client()
		for _, p := range members {
			g.Cut(p.host, client.host)
			g.Cut(client.host, p.host)
		}
		g.Isolate(alone.host)
		g.within(5*time.Second, "both sides go on", func() bool {
			return len(alone.Config().Members) == 1 && len(b.Config().Members) == 2 && len(c.Config().Members) == 2
		})
		time.Sleep(2 * time.Second)
		for _, p := range members {
			if p != alone {
				g.Slow(p.host, client.host, 400*time.Millisecond)
			}
			g.Heal(p.host, client.host)
			g.Heal(client.host, p.host)
		}
		g.within(5*time.Second, "the client follows a side", func() bool { return len(client.Config().Members) < 3 })
		if n := len(client.Config().Members); n != 2 {
			t.Errorf("it follows the side with %d member", n)
		}
	})
}

// A client that was cut off from all members is served soon after the cut, and not only when TCP
// sends again what was lost in it.
func TestClientsAreServedSoonAfterACut(t *testing.T) {
	const cut, soon = 7 * time.Second, 1500 * time.Millisecond
	bubble(t, asServer, func(g *grid) {
		a, b, c := g.three()
		client := g.client()
		keys := client.fill("k", 30)
		for _, p := range []*process{a, b, c} {
			g.Cut(p.host, client.host)
			g.Cut(client.host, p.host)
		}
		if _, err := client.get(keys[0], cut); err == nil {
			t.Error("it was not cut off")
		}
		g.Rejoin(client.host)
		began := time.Now()
		for _, key := range keys {
			if _, err := client.put(key, "of "+key, 2*cut); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took > soon {
			t.Errorf("it was served after %v", took)
		}
	})
}

// Whoever begins before the servers waits for them.
func TestClientsWaitForServers(t *testing.T) {
	bubble(t, asServer, func(g *grid) {
		var work sync.WaitGroup
		g.change = func(o *node.Options) {
			if o.Listen[0] == host(9) {
				o.Mode = node.Client
			}
		}
		work.Go(func() { g.startAs(9) })
		time.Sleep(2 * time.Second)
		a := g.start()
		work.Wait()
		client := g.processes[len(g.processes)-1]
		if a == client {
			client = g.processes[0]
		}
		g.must(client.put("key", "of key", time.Second))
		g.has([]string{"key"}, a, client)
	})
}

// Who is both and who is a server or a client do not belong in one grid. That is said on
// both sides, once, with the addresses.
func TestMixedModesAreSaid(t *testing.T) {
	bubble(t, nil, func(g *grid) {
		logs := make(map[string]*bytes.Buffer)
		var mode node.Mode
		g.change = func(o *node.Options) {
			o.Mode = mode
			log := &bytes.Buffer{}
			logs[o.Listen[0]] = log
			o.Logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn}))
		}
		a := g.start()
		mode = node.Client
		client := g.start()
		mode = node.Server
		b := g.start()
		g.settled(10*time.Second, a, b)
		g.must(client.put("key", "record", time.Second))
		time.Sleep(10 * time.Second)
		for _, p := range g.processes {
			p.Close()
		}
		g.processes = nil
		for _, test := range []struct {
			at     *process
			mode   string
			others []string
		}{
			{a, "mode=both", []string{"theirs=client", "other=" + b.host + " theirs=server"}},
			{b, "mode=server", []string{"other=" + a.host + " theirs=both"}},
			{client, "mode=client", []string{"other=" + a.host + " theirs=both"}},
		} {
			log := logs[test.at.host].String()
			if strings.Count(log, "in one grid") != len(test.others) || strings.Count(log, test.mode) != len(test.others) {
				t.Errorf("%s says:\n%s", test.mode, log)
			}
			for _, words := range test.others {
				if !strings.Contains(log, words) {
					t.Errorf("%s does not say %q:\n%s", test.mode, words, log)
				}
			}
		}
	})
}
