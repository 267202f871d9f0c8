package hazelcast_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/httpsession"
	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/hazelcast"
)

// An act is what one side of a split does to a session.
type act struct {
	name string
	do   func(context.Context, *httpsession.Session) error
}

var (
	reads  = act{"reads", func(ctx context.Context, s *httpsession.Session) error { _, _, err := s.Info(ctx); return err }}
	writes = act{"writes", func(_ context.Context, s *httpsession.Session) error { return s.Set("other", "2") }}
	renews = act{"renews", renew}
	sets   = act{"sets an attribute", set("one", "2")}
	ends   = act{"logs out", logout}
)

// A scene is a kind of visitor in a split: one side acts once, the other one again and again
// until the split is over.
type scene struct{ one, other act }

var scenes = []scene{{ends, reads}, {ends, writes}, {ends, renews}, {renews, reads}, {renews, writes}, {sets, reads}, {sets, writes}}

// A torn visitor has a cookie on each side of the split.
type torn struct {
	scene
	sites [2]*site
	side  int // that acts once
	now   [2]visitor
	old   []visitor // that were renewed
}

const visitorsOfAScene = 60

// TestFaultSplit logs out and renews on either side of a split, while the other side reads,
// writes and renews. Nothing of that may be alive afterwards, on the recommended map and on a
// default one. What becomes of attributes is told.
func TestFaultSplit(t *testing.T) {
	faults(t)
	net := servertest.NewNetwork(t, 2)
	config := filepath.Join(t.TempDir(), "hazelcast.xml")
	must(t, os.WriteFile(config, []byte(strings.Replace(hazelcast.MemberConfig, "</hazelcast>", otherMaps, 1)), 0o600))
	cluster := net.Hazelcast(t, config, "-Dhazelcast.partition.count=71")
	ctx := limited(t, 5*time.Minute)

	maps := []string{recommended, none}
	visitors := map[string][]*torn{}
	raw := map[string][]driver.Cache{} // by map, of each side
	for _, prefix := range maps {
		var both [2]*site
		for side := range both {
			p := connect(t, hazelcast.Options{Servers: cluster.Addrs[side : side+1], MapPrefix: prefix, RequestTimeout: 2 * time.Second})
			for _, name := range []string{"sessions", "sessions.ended"} {
				c, err := p.OpenCache(ctx, name, driver.CacheOptions{LongestTTL: time.Hour})
				must(t, err)
				raw[prefix+name] = append(raw[prefix+name], c)
			}
			both[side] = newSite(t, p, httpsession.Options{MaxInactive: 5 * time.Minute}) // a use is recorded each three seconds
		}
		for _, s := range scenes {
			for n := range visitorsOfAScene {
				v := &torn{scene: s, sites: both, side: n % 2}
				must(t, both[0].visit(ctx, &v.now[0], set("one", "1")))
				v.now[1] = v.now[0]
				visitors[prefix] = append(visitors[prefix], v)
			}
		}
	}

	net.Split(true)
	for side := range 2 {
		eventually(t, "each side is alone", func() bool {
			n, err := cluster.Size(ctx, side)
			return err == nil && n == 1
		})
	}
	do := func(v *torn, side int, a act) {
		before := v.now[side]
		eventually(t, "a side "+a.name, func() bool {
			return v.sites[side].visit(ctx, &v.now[side], a.do) == nil
		})
		if a.name == renews.name {
			v.old = append(v.old, before)
		} else {
			v.now[side] = before // and not a new session, should this one have ended here, too
		}
	}
	all := func(each func(v *torn)) {
		var wg sync.WaitGroup
		for _, prefix := range maps {
			for part := range 4 {
				wg.Go(func() {
					for i := part; i < len(visitors[prefix]); i += 4 {
						each(visitors[prefix][i])
					}
				})
			}
		}
		wg.Wait()
	}
	all(func(v *torn) { do(v, v.side, v.one) })
	for start := time.Now(); time.Since(start) < 25*time.Second; wait(in(2 * time.Second)) {
		all(func(v *torn) {
			if v.other.name != renews.name || len(v.old) == 0 {
				do(v, 1-v.side, v.other)
			}
		})
	}
	var merged []func()
	for _, sides := range raw {
		merged = append(merged, marks(t, sides))
	}
	net.Split(false)
	must(t, cluster.Await(limited(t, 2*time.Minute), 2))
	for _, wait := range merged {
		wait()
	}

	for _, prefix := range maps {
		for _, s := range scenes {
			var total, alive, lost int
			for _, v := range visitors[prefix] {
				if v.one.name != s.one.name || v.other.name != s.other.name {
					continue
				}
				total++
				dead := v.old
				switch v.one.name {
				case ends.name:
					dead = append(dead, v.now[0], v.now[1])
				case sets.name:
					if !holds(ctx, t, v.sites[total%2], v.now[0], "one", "2") {
						lost++
					}
				default:
					if there, err := v.sites[total%2].alive(ctx, v.now[v.side]); err != nil || !there {
						t.Errorf("a renewed session is gone: %v", err)
					}
				}
				for _, d := range dead {
					if there, err := v.sites[total%2].alive(ctx, d); err != nil {
						t.Error(err)
					} else if there {
						alive++
						break
					}
				}
			}
			line := fmt.Sprintf("map %-10s one side %s, the other %s:", prefix+"*", s.one.name, s.other.name)
			if s.one.name == sets.name {
				t.Logf("%s %d of %d attributes lost", line, lost, total)
				continue
			}
			t.Logf("%s %d of %d alive", line, alive, total)
			if alive > 0 {
				t.Fail()
			}
		}
	}
}

// marks leaves entries on each side of a split, and returns what waits until all are on both: members
// join each other first, and merge what they have after that.
func marks(t *testing.T, sides []driver.Cache) (merged func()) {
	t.Helper()
	ctx := limited(t, 5*time.Minute)
	const entries = 300 // in all partitions
	for n, side := range sides {
		for i := range entries {
			must(t, side.Put(ctx, fmt.Sprint("side ", n, " ", i), record(""), time.Time{}))
		}
	}
	return func() {
		for n := range sides {
			for i := range entries {
				for _, side := range sides {
					key := fmt.Sprint("side ", n, " ", i)
					eventually(t, "both sides have what either had", func() bool {
						_, found, err := side.Get(ctx, key)
						return err == nil && found
					})
				}
			}
		}
	}
}

func holds(ctx context.Context, t *testing.T, s *site, v visitor, name, value string) (ok bool) {
	t.Helper()
	must(t, s.visit(ctx, &v, func(ctx context.Context, s *httpsession.Session) error {
		got, _, err := httpsession.Get[string](ctx, s, name)
		ok = got == value
		return err
	}))
	return ok
}
