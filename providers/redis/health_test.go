package redis_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/internal/logtest"
	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/redis"
)

func TestEvictionsAreTold(t *testing.T) {
	server := servertest.Redis(t, "--maxmemory", "3mb", "--maxmemory-policy", "allkeys-lru").Addr
	fill := open(t, connect(t, redis.Options{Servers: []string{server}}), "carts")
	for i := range 2000 {
		check(t, fill.Put(t.Context(), fmt.Sprint(i), record(string(make([]byte, 5000))), time.Time{}))
	}
	var log logtest.Log
	p := connect(t, redis.Options{Servers: []string{server}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if !open(t, p, "carts").Info().Evicts {
		t.Error("it is not said that the server evicts")
	}
	eventually(t, "evictions are told", func() bool {
		return strings.Contains(log.String(), "may drop entries") && strings.Contains(log.String(), "drops what is not dead yet")
	})
	if s := p.Health().Servers[0]; s.Evictions == 0 || s.Memory != 3<<20 || s.Used == 0 {
		t.Errorf("%+v", s)
	}
}

func TestHealthOfAServerThatIsDown(t *testing.T) {
	server := servertest.Redis(t)
	p := connect(t, redis.Options{Servers: []string{server.Addr}, ConnectTimeout: time.Second, RequestTimeout: time.Second})
	c := open(t, p, "carts")
	if h := p.Health(); !h.Ready() || h.Servers[0].Ahead.Abs() > time.Minute {
		t.Errorf("%+v", h)
	}
	server.Kill()
	eventually(t, "the server is known to be down, and why", func() bool {
		why := strings.Join(p.Health().Reasons(), "")
		return strings.Contains(why, server.Addr) && strings.Contains(why, "nobody listens there")
	})
	if where := c.(driver.Locality).Placement("k"); where != driver.Unavailable {
		t.Errorf("its keys are %v", where)
	}
}

// A server that is started again is found, without scripts and generations.
func TestAServerThatIsStartedAgain(t *testing.T) {
	server := servertest.Redis(t)
	p := connect(t, redis.Options{Servers: []string{server.Addr}, ConnectTimeout: time.Second, RequestTimeout: time.Second})
	c := open(t, p, "carts")
	clearAll(t, c)
	check(t, c.Put(t.Context(), "k", record("x"), time.Time{}))
	server.Kill()
	again(t, server.Addr)
	eventually(t, "the server is written to again", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		swapped, _, err := c.Swap(ctx, "k", driver.Token{}, record("x"), time.Time{})
		return err == nil && swapped
	})
	must(t, c, "k")
	eventually(t, "it is known to be up", func() bool { return p.Health().Ready() })
}

func TestMeasures(t *testing.T) {
	server := servertest.Redis(t)
	p, err := redis.Connect(t.Context(), patient(redis.Options{Servers: []string{server.Addr}}))
	check(t, err)
	measure := func(name string) float64 {
		for _, m := range p.Measures() {
			if m.Name == name {
				return m.Value
			}
		}
		t.Fatalf("there is no %s", name)
		return 0
	}
	eventually(t, "a connection is counted", func() bool {
		return measure("redis_connections") >= 1 && measure("redis_connections_opened_total") >= 1
	})
	before := measure("redis_connections")
	w := watch(t, open(t, p, "carts"))
	eventually(t, "the watcher's connection is counted", func() bool { return measure("redis_connections") > before })
	server.Kill()
	eventually(t, "connections fail", func() bool {
		return measure("redis_connections_failed_total") > 0 && measure("redis_watch_gaps_total") > 0
	})
	w.stop()
	check(t, p.Close(t.Context()))
	if left := measure("redis_connections"); left != 0 {
		t.Errorf("%v connections are open after Close", left)
	}
	text, err := os.ReadFile("../../docs/operations.md")
	check(t, err)
	for _, m := range p.Measures() {
		if !strings.Contains(string(text), "`keepsake_"+m.Name+"`") {
			t.Errorf("docs/operations.md does not say what keepsake_%s is", m.Name)
		}
	}
}
