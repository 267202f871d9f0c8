package redis_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/internal/servers"
	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/redis"
)

// A mirror keeps what a near cache would: what was told last of each key, and nothing after a gap. It notes, too,
// what it was told, and when there were gaps.
type mirror struct {
	mu   sync.Mutex
	kept map[string]string
	told map[string]bool // kind key record
	gaps []time.Time
}

func (m *mirror) hear(e driver.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch e.Kind {
	case driver.EventGap:
		m.gaps = append(m.gaps, time.Now())
		clear(m.kept)
	case driver.EventPut:
		m.kept[e.Key] = string(e.Record)
		m.told["put "+e.Key+" "+string(e.Record)] = true
	default:
		delete(m.kept, e.Key)
		m.told["gone "+e.Key+" "+string(e.Old)] = true
	}
}

func (m *mirror) hasGaps(n int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.gaps) >= n
}

// knows reports whether something was told, or a gap since it began.
func (m *mirror) knows(what string, since time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.told[what] || len(m.gaps) > 0 && m.gaps[len(m.gaps)-1].After(since)
}

func (m *mirror) keeps() map[string]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.kept)
}

// watchThrough has writers write while hurt makes another server the primary. A watcher is told of each write that was
// acknowledged and of each expiry, or of a gap after it began. What a near cache kept is what the servers have.
func watchThrough(t *testing.T, opts redis.Options, hurt func()) {
	opts = withTimeouts(opts)
	opts.Logger = slog.New(slog.DiscardHandler)
	c, watched := open(t, connect(t, opts), "mirrored"), open(t, connect(t, opts), "mirrored")
	m := &mirror{kept: make(map[string]string), told: make(map[string]bool)}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	stop, err := watched.(driver.Watcher).Watch(ctx, m.hear)
	check(t, err)
	defer stop()
	type done struct {
		what  string
		began time.Time
	}
	var mu sync.Mutex
	var all []done
	note := func(what string, began time.Time) {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, done{what, began})
	}
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(all)
	}
	writing, end := context.WithCancel(ctx)
	defer end()
	var work sync.WaitGroup
	const writers, keys = 4, 20
	for w := range writers {
		work.Go(func() {
			for n := 0; writing.Err() == nil; n++ {
				key, began, r := fmt.Sprintf("%d.%d", w, n%keys), time.Now(), record("x")
				if c.Put(ctx, key, r, began.Add(time.Hour)) == nil {
					note("put "+key+" "+string(r), began)
				}
				brief, deadline, r := fmt.Sprintf("brief%d.%d", w, n), time.Now().Add(50*time.Millisecond), record("x")
				if n%keys == 0 && c.Put(ctx, brief, r, deadline) == nil {
					note("gone "+brief+" "+string(r), deadline)
				}
			}
		})
	}
	more := func(what string) {
		before := count()
		eventually(t, what, func() bool { return count() >= before+200 })
	}
	more("writes before")
	if m.hasGaps(1) {
		t.Error("there is a gap before anything was done")
	}
	hurt()
	eventually(t, "two gaps", func() bool { return m.hasGaps(2) }) // when it is noticed, and when it is over
	more("writes after")
	end()
	work.Wait()
	for _, d := range all {
		eventually(t, "it is told, or a gap, that "+d.what[:strings.LastIndexByte(d.what, ' ')], func() bool { return m.knows(d.what, d.began) })
	}
	eventually(t, "what is done after all that is told", func() bool {
		_ = c.Put(ctx, "last", record("x"), time.Time{})
		return m.keeps()["last"] != ""
	})
	for key, r := range m.keeps() {
		if i, found, err := c.Get(ctx, key); err != nil || found && string(i.Record) != r && key != "last" || !found && !strings.HasPrefix(key, "brief") {
			t.Errorf("a near cache has another %s: %v, %v", key, found, err)
		}
	}
	t.Logf("%d writes and expiries, %d gaps", len(all), len(m.gaps))
}

// TestFaultWatching is what TestSentinel and TestCluster do with a primary that is killed, and with one that is frozen for as
// long as it is not replaced.
func TestFaultWatching(t *testing.T) {
	if os.Getenv("KEEPSAKE_FAULTS") == "" {
		t.Skip("SKIPPED: it takes a minute; run it with make faults")
	}
	for _, freeze := range []bool{false, true} {
		fault := map[bool]string{false: "kill -9", true: "freeze"}[freeze]
		hurt := func(g *servers.RedisGroup) func() {
			return func() {
				if replace(t, g, freeze); freeze {
					check(t, g.Servers[0].Resume())
				}
			}
		}
		t.Run("Sentinels, "+fault, func(t *testing.T) {
			g := servertest.RedisSentinel(t, 1)
			watchThrough(t, redis.Options{Servers: g.Addrs, MasterName: servers.MasterName}, hurt(g))
		})
		t.Run("cluster, "+fault, func(t *testing.T) {
			g := servertest.RedisCluster(t, 3)
			watchThrough(t, redis.Options{Servers: g.Addrs[3:4]}, hurt(g))
		})
	}
}
