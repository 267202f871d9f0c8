package hazelcast_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/httpsession"
	"github.com/keepsake-cache/keepsake/internal/servers"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/providers/hazelcast"
)

// faults skips the test unless long faults are asked for.
func faults(t *testing.T) {
	t.Helper()
	if os.Getenv("KEEPSAKE_FAULTS") == "" {
		t.Skip("SKIPPED: it takes minutes; run it with make faults")
	}
}

// freezes is how often TestFaultFreeze freezes a member, unless KEEPSAKE_FREEZES says otherwise.
const freezes = 2

// A ledger is what was acknowledged while members froze.
type ledger struct {
	mu      sync.Mutex
	dead    []visitor         // logged out, or renewed
	deleted []string          // keys of the cache
	winners map[string]string // by key, what putIfAbsent stored
	counts  map[string]int    // by key, the increments
	unknown map[string]int    // by key, those whose outcome is unknown
}

// TestFaultFreeze freezes a member for 20 seconds, which expels and later merges it, under a load
// of logins, renewals and logouts, and of increments in a cache. None of them may be undone. What becomes of deletes
// and of the winners of putIfAbsent is told.
func TestFaultFreeze(t *testing.T) {
	faults(t)
	rounds := freezes
	if n, err := strconv.Atoi(os.Getenv("KEEPSAKE_FREEZES")); err == nil {
		rounds = n
	}
	cluster := startCluster(t, 2)
	p := connect(t, hazelcast.Options{Servers: cluster.Addrs})
	s := newSite(t, p, httpsession.Options{MaxInactive: time.Hour})
	quiet := slog.New(slog.DiscardHandler)
	manager, err := jcache.NewManager(connect(t, hazelcast.Options{Servers: cluster.Addrs}), jcache.ManagerOptions{Logger: quiet})
	must(t, err)
	c, err := jcache.CreateCache(limited(t, time.Minute), manager, "freeze", jcache.Options[string, string]{ExpiryPolicy: jcache.Modified[string, string](time.Hour)})
	must(t, err)

	counters, err := jcache.CreateCache(limited(t, time.Minute), manager, "counters", jcache.Options[string, int]{ExpiryPolicy: jcache.Modified[string, int](time.Hour)})
	must(t, err)

	var all losses
	for round := range rounds {
		l := &ledger{winners: make(map[string]string), counts: make(map[string]int), unknown: make(map[string]int)}
		stop := make(chan struct{})
		var running sync.WaitGroup
		for g := range 4 {
			running.Go(func() { l.visit(t, s, stop) })
			running.Go(func() { l.use(t, c, fmt.Sprint(round, " ", g, " "), stop) })
			running.Go(func() { l.count(t, counters, fmt.Sprint(round, " ", g, " "), stop) })
		}
		wait(in(2 * time.Second))
		frozen := cluster.Member(round % 2)
		must(t, frozen.Pause())
		wait(in(20 * time.Second))
		must(t, frozen.Resume())
		healed(t, cluster)
		close(stop)
		running.Wait()
		lost := l.losses(limited(t, time.Minute), t, s, c)
		lost.count(limited(t, time.Minute), t, l, counters)
		t.Logf("freeze %d: %v", round+1, lost)
		all.add(lost)
		must(t, c.Clear(limited(t, time.Minute)))
		must(t, counters.Clear(limited(t, time.Minute)))
	}
	t.Logf("%d freezes of 20s: %v", rounds, all)
	if all.undone > 0 || all.uncounted > 0 || all.dead < 50*rounds || all.counted < 50*rounds {
		t.Fail()
	}
}

// healed waits until the members are one cluster with all copies. Members say that they are safe
// before those that were apart have merged what they have, and nobody says when they have; who loses another
// one until then has two faults at once, and no copy.
func healed(t *testing.T, cluster *servers.HazelcastCluster) {
	t.Helper()
	const merging = 10 * time.Second
	for range 2 {
		must(t, cluster.Await(limited(t, 2*time.Minute), len(cluster.Addrs)))
		wait(in(merging / 2))
	}
	must(t, cluster.Await(limited(t, 2*time.Minute), len(cluster.Addrs)))
}

// Losses are what was acknowledged, and what of it did not last.
type losses struct {
	dead, undone           int // logouts and renewals
	deleted, revived       int // entries
	won, replaced, missing int // entries that putIfAbsent created
	counted, uncounted     int // increments
}

func (x *losses) add(y losses) {
	x.dead, x.undone = x.dead+y.dead, x.undone+y.undone
	x.deleted, x.revived = x.deleted+y.deleted, x.revived+y.revived
	x.won, x.replaced, x.missing = x.won+y.won, x.replaced+y.replaced, x.missing+y.missing
	x.counted, x.uncounted = x.counted+y.counted, x.uncounted+y.uncounted
}

func (x losses) String() string {
	return fmt.Sprintf("%d of %d logouts and renewals undone; in a cache, %d of %d increments lost, %d of %d deletes undone, of %d winners of putIfAbsent %d replaced and %d missing",
		x.undone, x.dead, x.uncounted, x.counted, x.revived, x.deleted, x.won, x.replaced, x.missing)
}

// count looks for the increments.
func (x *losses) count(ctx context.Context, t *testing.T, l *ledger, counters *jcache.Cache[string, int]) {
	t.Helper()
	for key, want := range l.counts {
		n, _, err := counters.Get(ctx, key)
		must(t, err)
		x.counted += want
		x.uncounted += max(0, want-n, n-want-l.unknown[key])
	}
}

// losses looks for what was acknowledged.
func (l *ledger) losses(ctx context.Context, t *testing.T, s *site, c *jcache.Cache[string, string]) (x losses) {
	t.Helper()
	for _, v := range l.dead {
		there, err := s.alive(ctx, v)
		must(t, err)
		if x.dead++; there {
			x.undone++
		}
	}
	for _, key := range l.deleted {
		there, err := c.ContainsKey(ctx, key)
		must(t, err)
		if x.deleted++; there {
			x.revived++
		}
	}
	for key, value := range l.winners {
		got, found, err := c.Get(ctx, key)
		must(t, err)
		switch x.won++; {
		case !found:
			x.missing++
		case got != value:
			x.replaced++
		}
	}
	return x
}

func stopped(stop chan struct{}) bool {
	select {
	case <-stop:
		return true
	case <-time.After(25 * time.Millisecond):
		return false
	}
}

// visit has visitors come, use the site and go.
func (l *ledger) visit(t *testing.T, s *site, stop chan struct{}) {
	for !stopped(stop) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		v := &visitor{}
		err := s.visit(ctx, v, set("user", "ann"))
		for range rand.IntN(3) {
			if before := *v; err == nil {
				if err = s.visit(ctx, v, renew); err == nil && *v != before {
					l.died(before)
				}
			}
		}
		if err == nil && rand.IntN(3) > 0 {
			if err = s.visit(ctx, v, logout); err == nil {
				l.died(*v)
			}
		}
		cancel()
	}
}

func (l *ledger) died(v visitor) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dead = append(l.dead, v)
}

// use creates and deletes entries.
func (l *ledger) use(t *testing.T, c *jcache.Cache[string, string], prefix string, stop chan struct{}) {
	for n := 0; !stopped(stop); n++ {
		key := fmt.Sprint(prefix, n)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		created, err := c.PutIfAbsent(ctx, key, key)
		if err == nil && created && n%2 == 0 {
			_, err = c.Remove(ctx, key)
			if err == nil {
				l.mu.Lock()
				l.deleted = append(l.deleted, key)
				l.mu.Unlock()
			}
		} else if err == nil && created {
			l.mu.Lock()
			l.winners[key] = key
			l.mu.Unlock()
		}
		cancel()
		if err != nil && !errors.Is(err, jcache.ErrIndeterminate) && !errors.Is(err, jcache.ErrUnavailable) && ctx.Err() == nil {
			t.Errorf("an error of another kind: %v", err)
		}
	}
}

// count counts under some keys of its own.
func (l *ledger) count(t *testing.T, counters *jcache.Cache[string, int], prefix string, stop chan struct{}) {
	for n := 0; !stopped(stop); n++ {
		key := fmt.Sprint(prefix, n%20)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		_, err := jcache.Invoke(ctx, counters, key, func(_ context.Context, e *jcache.MutableEntry[string, int]) (struct{}, error) {
			n, _, err := e.Value()
			e.SetValue(n + 1)
			return struct{}{}, err
		})
		cancel()
		l.mu.Lock()
		switch {
		case err == nil:
			l.counts[key]++
		case errors.Is(err, jcache.ErrIndeterminate) || errors.Is(err, jcache.ErrAnswerLost):
			l.unknown[key]++
		}
		l.mu.Unlock()
	}
}
