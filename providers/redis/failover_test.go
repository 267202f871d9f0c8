package redis_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/internal/servers"
	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/redis"
)

// TestFaultFailover: a primary with one replica is killed and started again, or frozen, under the load of 16
// writers, and replaced by its replica. With wait1 nothing that was acknowledged is lost. What is lost
// without is told.
func TestFaultFailover(t *testing.T) {
	if os.Getenv("KEEPSAKE_FAULTS") == "" {
		t.Skip("SKIPPED: it takes minutes; run it with make faults")
	}
	for _, group := range []string{"Sentinels", "cluster"} {
		for _, fault := range []string{"kill -9", "freeze"} {
			for _, replicas := range []int{0, 1} {
				name := fmt.Sprintf("%s, %s, %s", group, fault, map[int]string{0: "none", 1: "wait1"}[replicas])
				t.Run(name, func(t *testing.T) { failOver(t, group, fault, replicas) })
			}
		}
	}
}

// failOver hurts a primary, and looks for what was acknowledged.
func failOver(t *testing.T, group, fault string, replicas int) {
	opts := redis.Options{Replicas: replicas, Logger: slog.New(slog.DiscardHandler)}
	var g *servers.RedisGroup
	if group == "cluster" {
		g = servertest.RedisCluster(t, 3)
		opts.Servers = g.Addrs[3:4] // one that is not hurt
	} else {
		g = servertest.RedisSentinel(t, 1)
		opts.Servers, opts.MasterName = g.Addrs, servers.MasterName
	}
	l := newTraffic(t, opts)
	l.await("writes before the fault", 2*time.Second)
	primary := g.Servers[0]
	begin := time.Now()
	replace(t, g, fault == "freeze")
	replaced := time.Since(begin)
	switch {
	case fault == "freeze":
		check(t, primary.Resume())
	case group == "Sentinels": // they make it a replica of the new primary
		again(t, primary.Addr, "--dir", t.TempDir())
	}
	l.await("writes after the fault", 3*time.Second)
	acknowledged, unknown, refused := l.stop()
	lost := l.lost()
	t.Logf("%d of %d acknowledged writes lost; %d unknown; %d refused; replaced after %.1f s",
		lost, acknowledged, unknown, refused, replaced.Seconds())
	if replicas > 0 && lost > 0 {
		t.Errorf("%d of %d acknowledged writes were lost", lost, acknowledged)
	}
}

// replace kills or freezes the first server of a group, which is a primary, and waits until another one has
// taken its place.
func replace(t *testing.T, g *servers.RedisGroup, freeze bool) {
	t.Helper()
	primary, clustered := g.Servers[0], slices.Contains(g.Addrs, g.Servers[0].Addr)
	if freeze {
		check(t, primary.Pause())
	} else {
		primary.Kill()
	}
	eventually(t, "another server is the primary", func() bool {
		if !clustered {
			now, err := g.Primary()
			return err == nil && now != primary
		}
		return slices.ContainsFunc(g.Servers[3:], func(p *servers.Process) bool {
			out, err := servers.RedisCLI(p.Addr, "ROLE")
			return err == nil && strings.HasPrefix(out, "master")
		})
	})
}

// A traffic is writers, each of which writes keys that nobody else writes.
type traffic struct {
	t     *testing.T
	cache driver.Cache
	end   context.CancelFunc
	work  sync.WaitGroup

	mu               sync.Mutex
	acknowledged     []string
	unknown, refused atomic.Int64
}

func newTraffic(t *testing.T, opts redis.Options) *traffic {
	ctx, cancel := context.WithCancel(t.Context())
	l := &traffic{t: t, cache: open(t, connect(t, withTimeouts(opts)), "load"), end: cancel}
	t.Cleanup(cancel)
	const writers = 16
	for w := range writers {
		l.work.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				key := fmt.Sprintf("%d.%d", w, n)
				err := l.cache.Put(t.Context(), key, record(key), time.Time{})
				switch {
				case err == nil:
					l.mu.Lock()
					l.acknowledged = append(l.acknowledged, key)
					l.mu.Unlock()
				case errors.Is(err, driver.ErrIndeterminate):
					l.unknown.Add(1)
				default:
					l.refused.Add(1)
				}
			}
		})
	}
	return l
}

// withTimeouts are those of the provider, whatever patience tests have.
func withTimeouts(opts redis.Options) redis.Options {
	opts.ConnectTimeout, opts.RequestTimeout = time.Second, time.Second
	return opts
}

func (l *traffic) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acknowledged)
}

// await waits until something was acknowledged, and for a while longer.
func (l *traffic) await(what string, longer time.Duration) {
	l.t.Helper()
	before := l.count()
	eventually(l.t, what, func() bool { return l.count() > before+100 })
	time.Sleep(longer) // it is the load that is wanted, and nothing is waited for
}

func (l *traffic) stop() (acknowledged int, unknown, refused int64) {
	l.end()
	l.work.Wait()
	return len(l.acknowledged), l.unknown.Load(), l.refused.Load()
}

// lost counts the acknowledged writes that are not there.
func (l *traffic) lost() (n int) {
	for keys := l.acknowledged; len(keys) > 0; {
		page := keys[:min(1000, len(keys))]
		keys = keys[len(page):]
		items, err := driver.FeaturesOf(l.cache).BatchGetter.GetBatch(l.t.Context(), page)
		check(l.t, err)
		n += len(page) - len(items)
	}
	return n
}
