package providers_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/internal/logtest"
	"github.com/keepsake-cache/keepsake/internal/servers"
	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/jcache"
	_ "github.com/keepsake-cache/keepsake/providers"
	"github.com/keepsake-cache/keepsake/providers/hazelcast"
)

type settings = map[string]any

// A starter is a provider whose servers are started when it is tried already.
type starter struct {
	there settings // where its servers will be
	start func(t *testing.T)
	wrong map[string]settings // mistakes that no waiting mends
}

const password = "x8Jq2mWv0Lz5Tn7R"

func starters(t *testing.T) map[string]starter {
	t.Helper()
	memcached, redis, member, hz, stored := freeAddr(t), freeAddr(t), freeAddr(t), freeAddr(t), freeAddr(t)
	locked, plain := servertest.Redis(t, "--requirepass", password).Addr, servertest.Memcached(t).Addr
	database, other, stranger := servertest.Postgres(t), servertest.Postgres(t), freeAddr(t)
	database.Kill()
	startPeer(t, stranger, "Rk3Pd9sYb6Hc1Ge4")
	return map[string]starter{
		"memcached": {settings{"servers": []string{memcached}},
			func(t *testing.T) { keep(t)(servers.MemcachedAt(t.Context(), memcached)) },
			map[string]settings{
				"protocol": {"servers": []string{locked}},
				"host":     {"servers": []string{"host.invalid"}},
			}},
		"redis": {settings{"servers": []string{redis}},
			func(t *testing.T) { keep(t)(servers.RedisAt(t.Context(), redis)) },
			map[string]settings{
				"password": {"servers": []string{locked}, "password": "wrong"},
				"protocol": {"servers": []string{plain}},
				"host":     {"servers": []string{"host.invalid"}},
			}},
		"gocache": {settings{"store": "redis", "servers": []string{stored}, "singleProcess": true},
			func(t *testing.T) { keep(t)(servers.RedisAt(t.Context(), stored)) },
			map[string]settings{
				"password": {"store": "redis", "servers": []string{locked}, "password": "wrong", "singleProcess": true},
				"host":     {"store": "redis", "servers": []string{"host.invalid"}, "singleProcess": true},
			}},
		"sql": {settings{"url": database.URL, "createTables": true},
			func(t *testing.T) { servertest.Check(t, database.Restart(t.Context())) },
			map[string]settings{
				"user": {"url": strings.Replace(other.URL, "keepsake@", "nosuch:"+password+"@", 1)},
				"host": {"url": "postgres://user:" + password + "@host.invalid/x", "requestTimeout": time.Second},
			}},
		"peer": {settings{"mode": "client", "join": []string{member}, "secret": password},
			func(t *testing.T) { startPeer(t, member, password) },
			map[string]settings{
				"secret": {"mode": "client", "join": []string{stranger}, "secret": password, "joinTimeout": time.Second},
			}},
		"hazelcast": {settings{"servers": []string{hz}, "clusterName": "dev"},
			func(t *testing.T) {
				config := filepath.Join(t.TempDir(), "hazelcast.xml")
				servertest.Check(t, os.WriteFile(config, []byte(hazelcast.MemberConfig), 0o600))
				cluster, err := servers.HazelcastAt(t.Context(), []string{hz}, config)
				servertest.Check(t, err)
				t.Cleanup(cluster.Kill)
			},
			map[string]settings{
				"protocol": {"servers": []string{plain}},
				"host":     {"servers": []string{"host.invalid"}},
			}},
	}
}

func freeAddr(t *testing.T) string {
	t.Helper()
	addr, err := servers.FreeAddr()
	servertest.Check(t, err)
	return addr
}

// keep ends a server with the test.
func keep(t *testing.T) func(*servers.Process, error) {
	return func(p *servers.Process, err error) {
		servertest.Check(t, err)
		t.Cleanup(p.Kill)
	}
}

func startPeer(t *testing.T, addr, secret string) {
	t.Helper()
	m, err := jcache.Open(t.Context(), jcache.Config{Provider: "peer", Settings: settings{
		"mode": "server", "listen": []string{addr}, "secret": secret, "joinTimeout": 10 * time.Millisecond,
	}})
	servertest.Check(t, err)
	t.Cleanup(func() { _ = m.Close(context.Background()) })
}

// Whichever provider it is, a start waits for its servers as long as startTimeout says, tells
// the log what is missing, and ends at once where waiting does not help.
func TestStartWaitsForServers(t *testing.T) {
	var log logtest.Log
	was := slog.Default()
	t.Cleanup(func() { slog.SetDefault(was) })
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	t.Run("providers", func(t *testing.T) {
		for name, s := range starters(t) {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				neverThere(t, name, s)
				for mistake, wrong := range s.wrong {
					endsAtOnce(t, name, mistake, wrong)
				}
				startedLater(t, name, s, &log)
			})
		}
	})
	if text := log.String(); strings.Contains(text, password) {
		t.Errorf("the log shows a secret:\n%s", text)
	}
}

func open(t *testing.T, name string, s settings, patience time.Duration) (*jcache.CacheManager, error) {
	t.Helper()
	s = maps.Clone(s)
	s["startTimeout"] = patience
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	m, err := jcache.Open(ctx, jcache.Config{Provider: name, Settings: s})
	switch {
	case err == nil:
		t.Cleanup(func() { _ = m.Close(context.Background()) })
	case ctx.Err() != nil:
		t.Errorf("it did not come to an end: %v", err)
	case strings.Contains(err.Error(), password):
		t.Errorf("the error shows a secret: %v", err)
	}
	return m, err
}

func neverThere(t *testing.T, name string, s starter) {
	t.Helper()
	_, err := open(t, name, s.there, 300*time.Millisecond)
	if !errors.Is(err, jcache.ErrUnavailable) || errors.Is(err, jcache.ErrMisconfigured) {
		t.Fatalf("never there: %v, want %v", err, jcache.ErrUnavailable)
	}
	if !strings.Contains(err.Error(), "it was waited for") || !strings.Contains(err.Error(), "raise startTimeout") {
		t.Errorf("never there: the error does not say what to do: %v", err)
	}
}

func endsAtOnce(t *testing.T, name, mistake string, wrong settings) {
	t.Helper()
	if _, err := open(t, name, wrong, time.Hour); !errors.Is(err, jcache.ErrMisconfigured) {
		t.Errorf("wrong %s: %v, want %v", mistake, err, jcache.ErrMisconfigured)
	}
}

func startedLater(t *testing.T, name string, s starter, log *logtest.Log) {
	t.Helper()
	before := strings.Count(log.String(), "provider="+name)
	opened := make(chan *jcache.CacheManager, 1)
	go func() {
		m, err := open(t, name, s.there, time.Hour)
		if err != nil {
			t.Errorf("started later: %v", err)
		}
		opened <- m
	}()
	for deadline := time.Now().Add(time.Minute); strings.Count(log.String(), "provider="+name) == before; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the log does not say that the start waits")
		}
	}
	s.start(t)
	m := <-opened
	if m == nil {
		return
	}
	if err := m.Ping(t.Context()); err != nil {
		t.Errorf("started later: %v", err)
	}
}

// Whichever provider it is, a program that was told so starts without its servers and needs nobody's help when they
// come: until then operations fail with the reason and the process is not ready, and a cache that was opened
// before is in order afterwards. What turns out not to mend itself is told, and stays so.
func TestStartsWithoutServers(t *testing.T) {
	var log logtest.Log
	was := slog.Default()
	t.Cleanup(func() { slog.SetDefault(was) })
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	all := starters(t)
	mariadb := servertest.MariaDB(t)
	mariadb.Kill()
	all["mariadb"] = starter{there: settings{"url": mariadb.URL, "createTables": true},
		start: func(t *testing.T) { servertest.Check(t, mariadb.Restart(t.Context())) }}
	t.Run("providers", func(t *testing.T) {
		for name, s := range all {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				if name == "mariadb" {
					name = "sql"
				}
				for mistake, wrong := range s.wrong {
					wrong = maps.Clone(wrong)
					wrong["whenDown"] = "start"
					endsAtOnce(t, name, mistake, wrong)
				}
				startsWithout(t, name, s)
			})
		}
	})
	text := log.String()
	for name, n := range map[string]int{"memcached": 1, "redis": 1, "gocache": 1, "sql": 2, "peer": 1, "hazelcast": 1} {
		if got := strings.Count(text, `msg="keepsake: operations fail, or wait until they do" provider=`+name+` why="the provider has not been reached yet`); got != n {
			t.Errorf("%s: %d lines say that it is missing, want %d", name, got, n)
		}
	}
	if strings.Contains(text, password) {
		t.Errorf("the log shows a secret:\n%s", text)
	}
}

func startsWithout(t *testing.T, name string, s starter) {
	t.Helper()
	there := maps.Clone(s.there)
	there["whenDown"] = "start"
	m, err := open(t, name, there, 100*time.Millisecond)
	servertest.Check(t, err)
	c, err := jcache.CreateCache(t.Context(), m, "early", jcache.Options[string, int]{ExpiryPolicy: jcache.Touched[string, int](time.Hour)})
	servertest.Check(t, err)
	if _, _, err := c.Get(t.Context(), "k"); !errors.Is(err, jcache.ErrUnavailable) || errors.Is(err, jcache.ErrMisconfigured) || strings.Contains(err.Error(), password) {
		t.Errorf("get without a server: %v, want %v", err, jcache.ErrUnavailable)
	}
	if h := m.Health(); m.Reached() || h.Ready() {
		t.Errorf("it is ready without a server: %+v", h)
	}
	s.start(t)
	deadline := time.Now().Add(time.Minute)
	for ; !m.Health().Ready(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it does not become ready: %v", m.Health().Reasons())
		}
	}
	servertest.Check(t, c.Put(t.Context(), "k", 7))
	if n, ok, err := c.Get(t.Context(), "k"); n != 7 || !ok || err != nil {
		t.Errorf("get: %d, %v, %v", n, ok, err)
	}
	servertest.Check(t, m.Ping(t.Context()))
	servertest.Check(t, m.Close(t.Context()))
}
