package httpsession_test

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keepsake-cache/keepsake/httpsession"
	"github.com/keepsake-cache/keepsake/internal/servers"
	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/memcached"
	"github.com/keepsake-cache/keepsake/providers/memory"
	"github.com/keepsake-cache/keepsake/providers/peer"
)

// TestScripts plays random scripts of every public call, by two browsers with up to two
// requests under way on two servers, against the model of model_test.go. A failure prints
// its seed; KEEPSAKE_SEED repeats it, and KEEPSAKE_ROUNDS plays more rounds from there.
func TestScripts(t *testing.T) {
	seed := uint64(time.Now().UnixNano()) // synctest has a clock of its own
	t.Run("memory", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p, err := memory.Connect(memory.Options{})
			if err != nil {
				t.Fatal(err)
			}
			s := &stage{tick: func() { time.Sleep(3 * time.Microsecond) }}
			s.clear = func() { emptyOf(t, p) }
			s.alive = func() int { return aliveIn(t, p) }
			s.open(t, p, p)
			s.play(t, seed, 2000)
		})
	})
	t.Run("peer", func(t *testing.T) {
		addrs := make([]string, 2)
		for i := range addrs {
			var err error
			if addrs[i], err = servers.FreeAddr(); err != nil {
				t.Fatal(err)
			}
		}
		var members []driver.Provider
		for _, addr := range addrs {
			p, err := peer.Connect(t.Context(), peer.Options{Listen: []string{addr}, Join: addrs, Security: peer.Security{Secret: "known to both servers"}, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			members = append(members, p)
		}
		s := &stage{tick: func() {}}
		s.open(t, members...)
		s.play(t, seed, 100)
	})
	t.Run("memcached", func(t *testing.T) {
		server := servertest.Memcached(t)
		var clients []driver.Provider
		for range 2 {
			p, err := memcached.Connect(t.Context(), memcached.Options{Servers: []string{server.Addr}})
			if err != nil {
				t.Fatal(err)
			}
			clients = append(clients, p)
		}
		s := &stage{tick: func() {}}
		s.open(t, clients...)
		s.play(t, seed, 400)
	})
}

func emptyOf(t *testing.T, p driver.Provider) {
	cache, err := p.OpenCache(context.Background(), "sessions", driver.CacheOptions{})
	if err == nil {
		err = cache.(driver.Clearer).Clear(context.Background())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// aliveIn counts the stored sessions that have not ended.
func aliveIn(t *testing.T, p driver.Provider) (n int) {
	cache, err := p.OpenCache(context.Background(), "sessions", driver.CacheOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for item, err := range cache.(driver.Scanner).Scan(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		const header, version = driver.WriteIDBytes + 2, 1
		if item.Record[header+version] == 0 {
			n++
		}
	}
	return n
}

func (s *stage) open(t *testing.T, providers ...driver.Provider) {
	for _, p := range providers {
		caches, err := jcache.NewManager(p, jcache.ManagerOptions{Provider: "test"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := caches.Close(context.Background()); err != nil && !errors.Is(err, jcache.ErrClosed) {
				t.Error(err)
			}
		})
		m, err := httpsession.New(t.Context(), caches, httpsession.Options{
			MaxInactive: defaultIdle,
			Logger:      slog.New(slog.DiscardHandler),
			Cookie:      httpsession.Cookie{AllowHTTP: true},
		})
		if err != nil {
			t.Fatal(err)
		}
		s.servers = append(s.servers, m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			a := r.Context().Value(actKey{}).(*act)
			for a.yield(struct{}{}) && !a.step(w, r) {
			}
		})))
	}
}

func (s *stage) play(t *testing.T, seed uint64, rounds int) {
	if text := os.Getenv("KEEPSAKE_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
		rounds = 1
	}
	if text := os.Getenv("KEEPSAKE_ROUNDS"); text != "" {
		var err error
		if rounds, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	} else if testing.Short() {
		rounds /= 10
	}
	for i := range rounds {
		s.random = rand.New(rand.NewPCG(seed+uint64(i), 1))
		s.log.Reset()
		s.world, s.cookies, s.jars, s.acts = newWorld(), make(map[int]string), [2]int{}, nil
		if err := s.round(); err != nil {
			t.Fatalf("KEEPSAKE_SEED=%d: %v\n%s", seed+uint64(i), err, s.log.String())
		}
		if s.clear != nil {
			s.clear()
		}
	}
	t.Logf("%d rounds from seed %d", rounds, seed)
}
