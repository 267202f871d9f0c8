package node_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/node"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/view"
)

func consistently(o *node.Options) { o.Split = view.Most }

func everywhere(o *node.Options) { o.Split = view.All }

func TestPutIsOnTwoOfThree(t *testing.T) {
	bubble(t, nil, func(g *grid) {
		a, b, c := g.three()
		keys := a.fill("k", 100)
		if n := copies(a, b, c); n != 2*len(keys) {
			t.Errorf("%d copies of %d records", n, len(keys))
		}
		g.has(keys, a, b, c)
		if res, err := c.put(keys[0], "of "+keys[0], time.Second); err != nil || res.Copies != 2 {
			t.Errorf("a put says that there are %d copies, %v", res.Copies, err)
		}
	})
}

// A process that nobody hears, because it is cut off or stands still, is replaced after the
// time that is configured for that, and not before. Until then operations on what it is the primary of
// wait, and end by their deadlines. It comes back empty under another ID, and gets copies.
func TestSilentMemberIsReplaced(t *testing.T) {
	for name, test := range map[string]struct {
		victim  int // 0 coordinates
		out, in bool
	}{
		"a member":                        {2, true, true},
		"a member that is not heard":      {2, true, false},
		"a member that hears nobody":      {2, false, true},
		"the coordinator":                 {0, true, true},
		"a coordinator that is not heard": {0, true, false},
		"a coordinator that hears nobody": {0, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, consistently, func(g *grid) {
				g.three()
				victim := g.processes[test.victim]
				var rest []*process
				for _, p := range g.processes {
					if p != victim {
						rest = append(rest, p)
					}
				}
				keys := rest[0].fill("k", 100)
				theirs := rest[0].keysOf(victim.ID(), "v", 2)
				gone := victim.ID()
				for _, p := range rest {
					if test.out {
						g.Cut(victim.host, p.host)
					}
					if test.in {
						g.Cut(p.host, victim.host)
					}
				}
				var callers sync.WaitGroup
				callers.Go(func() {
					if _, err := rest[0].put(theirs[0], "short", 500*time.Millisecond); err == nil {
						t.Error("somebody serves what only the victim may")
					}
				})
				callers.Go(func() {
					if _, err := rest[1].put(theirs[1], "of "+theirs[1], 5*time.Second); err != nil {
						t.Errorf("a put that could wait for the successor: %v", err)
					}
				})
				callers.Go(func() {
					if _, err := victim.put(theirs[0], "cut off", 4*time.Second); err == nil {
						t.Error("the victim acknowledges what nobody else has")
					}
				})
				took := g.within(5*time.Second, "the rest goes on", func() bool { return !rest[0].knows(gone) && !rest[1].knows(gone) })
				t.Log("replaced after", took)
				if took < silence-2*heartbeat || took > silence+5*heartbeat {
					t.Errorf("it took %v", took)
				}
				callers.Wait()
				g.has(append(keys, theirs[1]), rest...)
				t.Log("copied again after", g.settled(5*time.Second, rest...))
				if n := copies(rest...); n < 2*(len(keys)+1) {
					t.Errorf("%d copies of %d records", n, len(keys)+1)
				}
				if _, err := victim.get(keys[0], 300*time.Millisecond); err == nil {
					t.Error("the victim still answers")
				}
				g.Rejoin(victim.host)
				t.Log("back after", g.settled(20*time.Second, append(rest, victim)...))
				time.Sleep(20 * time.Second)
				if victim.ID() == gone || victim.Stats().Rebirths != 1 {
					t.Errorf("it came back as the one that was replaced, or %d times", victim.Stats().Rebirths)
				}
				g.has(append(keys, theirs[1]), g.processes...)
			})
		})
	}
}

// A process whose connections break and whose port refuses others is replaced as soon as no lease
// can be left.
func TestDeadMemberIsReplacedAfterTheLease(t *testing.T) {
	for name, victim := range map[string]int{"a member": 2, "the coordinator": 0} {
		t.Run(name, func(t *testing.T) {
			bubble(t, nil, func(g *grid) {
				g.three()
				dead := g.processes[victim]
				rest := []*process{g.processes[1], g.processes[2-victim]}
				keys := rest[0].fill("k", 100)
				gone := dead.ID()
				g.Kill(dead.host)
				took := g.within(5*time.Second, "the rest goes on", func() bool { return !rest[0].knows(gone) && !rest[1].knows(gone) })
				t.Log("replaced after", took)
				if took < lease-heartbeat || took > lease+4*heartbeat {
					t.Errorf("it took %v", took)
				}
				dead.Close()
				g.has(keys, rest...)
				t.Log("copied again after", g.settled(5*time.Second, rest...))
				if n := copies(rest...); n != 2*len(keys) {
					t.Errorf("%d copies of %d records", n, len(keys))
				}
			})
		})
	}
}

// A slow network is no failure. Many operations are under way at once, so that they take
// the time of one.
func TestSlowNetworkIsNoFailure(t *testing.T) {
	const delay = 50 * time.Millisecond
	bubble(t, nil, func(g *grid) {
		a, b, c := g.three()
		g.SetDelay(delay)
		before := a.Config().Stamp
		began := time.Now()
		var callers sync.WaitGroup
		for i := range 64 {
			callers.Go(func() {
				for k := range 10 {
					key := fmt.Sprint("k", i, ".", k)
					if _, err := a.put(key, "of "+key, time.Second); err != nil {
						t.Errorf("a put: %v", err)
					}
				}
			})
		}
		callers.Wait()
		// There and back to the primary, and from there to the replica.
		if took := time.Since(began); took > 10*4*delay+delay {
			t.Errorf("the puts took %v, longer than ten times two round trips", took)
		}
		time.Sleep(time.Minute)
		if now := a.Config().Stamp; now != before || b.Stats().Rebirths+c.Stats().Rebirths != 0 {
			t.Errorf("somebody was suspected: the configuration was %v and is %v", before, now)
		}
	})
}

// While a process leaves and another one joins, no operation fails, and none takes long.
func TestLeavingAndJoiningAreNoErrors(t *testing.T) {
	const limit = 500 * time.Millisecond
	bubble(t, nil, func(g *grid) {
		a, b, c := g.three()
		keys := a.fill("k", 200)
		records := len(keys) + 8 // each caller has one of its own
		ctx, cancel := context.WithCancel(context.Background())
		var callers sync.WaitGroup
		for _, p := range []*process{a, b} {
			for i := range 4 {
				mine := fmt.Sprint("mine of ", p.host, i)
				callers.Go(func() {
					for at, last := i, ""; ctx.Err() == nil; at++ {
						next := fmt.Sprint(at)
						was, err := p.write(mine, limit, part.Request{Kind: part.Exchange, Record: []byte(next)})
						if err != nil || was.Repeated || string(was.Present.Record) != last {
							t.Errorf("an exchange: %q for %q, %v %v", was.Present.Record, last, was.Repeated, err)
						}
						last = next
						key := keys[at%len(keys)]
						if _, err := p.put(key, "of "+key, limit); err != nil {
							t.Errorf("a put: %v", err)
						}
						if got, err := p.get(key, limit); err != nil || got != "of "+key {
							t.Errorf("a get: %q, %v", got, err)
						}
						time.Sleep(5 * time.Millisecond)
					}
				})
			}
		}
		bounded, done := context.WithTimeout(ctx, 20*time.Second)
		defer done()
		began := time.Now()
		if err := c.Leave(bounded); err != nil {
			t.Error(err)
		}
		t.Log("left after", time.Since(began))
		if n := copies(a, b); n != 2*records {
			t.Errorf("it left when the others had %d copies of %d records", n, records)
		}
		c.Close()
		g.settled(5*time.Second, a, b)
		d := g.start()
		t.Log("joined after", g.settled(10*time.Second, a, b, d))
		cancel()
		callers.Wait()
		g.has(keys, a, b, d)
		if n := copies(a, b, d); n != 2*records {
			t.Errorf("%d copies of %d records", n, records)
		}
	})
}

// Closing answers whoever waits, whatever the network is like.
func TestCloseEndsOperations(t *testing.T) {
	bubble(t, consistently, func(g *grid) {
		a, _, c := g.three()
		theirs := c.keysOf(a.ID(), "k", 8)
		g.Isolate(c.host)
		var callers sync.WaitGroup
		for _, key := range theirs {
			callers.Go(func() {
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				defer cancel()
				if _, err := c.Get(ctx, partitionOf(key), "c", key); !errors.Is(err, driver.ErrUnavailable) {
					t.Errorf("a get of a closed process: %v", err)
				}
			})
		}
		time.Sleep(time.Second)
		began := time.Now()
		c.Close()
		callers.Wait()
		if took := time.Since(began); took > time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// Where silence is suffered for longer than a replica may leave writes unacknowledged, a
// member that is heard, but hears nobody, must not have the others taken out of sync: it
// is its own ears that fail.
func TestOneWayCutUnderAPatientGrid(t *testing.T) {
	for name, victim := range map[string]int{"a member": 2, "the coordinator": 0} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(o *node.Options) { o.Silence = 4 * time.Second }, func(g *grid) {
				g.three()
				deaf := g.processes[victim]
				rest := []*process{g.processes[1], g.processes[2-victim]}
				keys := rest[0].fill("k", 100)
				theirs := rest[0].keysOf(deaf.ID(), "v", 20)
				gone := deaf.ID()
				for _, p := range rest {
					g.Cut(p.host, deaf.host)
				}
				var callers sync.WaitGroup
				for _, key := range theirs {
					callers.Go(func() { _, _ = deaf.put(key, "of "+key, 6*time.Second) }) // it may end either way
				}
				g.within(10*time.Second, "the rest goes on", func() bool { return !rest[0].knows(gone) && !rest[1].knows(gone) })
				callers.Wait()
				g.has(keys, rest...)
				if s := rest[0].Stats(); s.Lost != 0 {
					t.Errorf("%d partitions were lost", s.Lost)
				}
			})
		})
	}
}
