package redis_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/keepsake-cache/keepsake/internal/servers"
	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/redis"
)

// A write that a server refuses for the moment is made again until it is carried out, and that once: those who watch are told
// of each write, so of no more than one for each.
func TestRefusedWritesAreMadeAgainAndOnce(t *testing.T) {
	for _, test := range []struct {
		answer string
		args   []string
		enter  func(t *testing.T, c driver.Cache) (leave func())
	}{
		{"READONLY", nil, func(t *testing.T, c driver.Cache) func() {
			ask(t, c, "REPLICAOF", "127.0.0.1", "1")
			return func() { ask(t, c, "REPLICAOF", "NO", "ONE") }
		}},
		{"LOADING", []string{"--enable-debug-command", "yes", "--loading-process-events-interval-bytes", "1024"}, func(t *testing.T, c driver.Cache) func() {
			for i := range 100 { // as many events are processed while it loads
				ask(t, c, "SET", fmt.Sprint("filler", i), strings.Repeat("x", 2048))
			}
			ask(t, c, "CONFIG", "SET", "rdbcompression", "no", "key-load-delay", "20000") // µs
			done := make(chan error, 1)
			addr := c.(driver.Unwrapper).Unwrap().(rueidis.Client).Nodes()
			go func() {
				_, err := servers.RedisCLI(slices.Collect(maps.Keys(addr))[0], "DEBUG", "RELOAD")
				done <- err
			}()
			return func() { check(t, <-done) }
		}},
		{"CLUSTERDOWN", []string{"--cluster-enabled", "yes", "--cluster-announce-ip", "127.0.0.1"}, func(t *testing.T, c driver.Cache) func() {
			ask(t, c, "CLUSTER", "DELSLOTSRANGE", "0", "16383")
			return func() { ask(t, c, "CLUSTER", "ADDSLOTSRANGE", "0", "16383") }
		}},
	} {
		t.Run(test.answer, func(t *testing.T) {
			t.Parallel()
			addr := servertest.Redis(t, append([]string{"--dir", t.TempDir()}, test.args...)...).Addr
			if test.answer == "CLUSTERDOWN" {
				alone(t, addr)
			}
			c := open(t, connect(t, redis.Options{Servers: []string{addr}}), "carts")
			f := driver.FeaturesOf(c)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			for _, key := range []string{"touched", "deleted", "swapped", "exchanged"} {
				check(t, c.Put(ctx, key, record("old"), time.Time{}))
			}
			token, swapped := must(t, c, "touched").Token, must(t, c, "swapped").Token
			w := watch(t, c)
			later := time.Now().Add(time.Hour).Truncate(time.Millisecond)
			writes := map[string]func() (bool, error){
				"put put new<":         func() (bool, error) { return true, c.Put(ctx, "put", record("new"), time.Time{}) },
				"removed deleted <old": func() (bool, error) { return true, c.Delete(ctx, "deleted") },
				"put swapped new<old": func() (bool, error) {
					ok, _, err := c.Swap(ctx, "swapped", swapped, record("new"), later)
					return ok, err
				},
				"put exchanged new<old": func() (bool, error) {
					_, ok, err := f.Exchanger.Exchange(ctx, "exchanged", record("new"), later)
					return ok, err
				},
				"touched, which is no event": func() (bool, error) { return f.Toucher.Touch(ctx, "touched", token, later) },
				"put batch new<": func() (bool, error) {
					errs := f.BatchPutter.PutBatch(ctx, []driver.Entry{{Key: "batch", Record: record("new")}, {Key: "batch2", Record: record("new")}})
					return errs == nil, nil
				},
			}
			leave := test.enter(t, c)
			var wg sync.WaitGroup
			for name, write := range writes {
				wg.Go(func() {
					if ok, err := write(); !ok || err != nil {
						t.Errorf("%s: %v, %v", name, ok, err)
					}
				})
			}
			eventually(t, "the server has refused each", func() bool {
				_, count, _ := strings.Cut(word(t, c, "INFO", "errorstats"), "errorstat_"+test.answer+":count=")
				n, _ := strconv.Atoi(strings.TrimSpace(strings.SplitN(count, "\r", 2)[0]))
				return n >= 3*len(writes)
			})
			leave()
			wg.Wait()
			if i := must(t, c, "touched"); !i.Deadline.Equal(later) {
				t.Errorf("the deadline is %v, not %v", i.Deadline, later)
			}
			check(t, c.Put(ctx, "last", record("new"), time.Time{}))
			w.await(t, 1, "put last")
			for name := range writes {
				if n := w.count(name); n != 1 && !strings.HasPrefix(name, "touched") {
					t.Errorf("it was told %d times: %s", n, name)
				}
			}
		})
	}
}

// alone makes a server a cluster of its own.
func alone(t *testing.T, addr string) {
	t.Helper()
	_, err := servers.RedisCLI(addr, "CLUSTER", "ADDSLOTSRANGE", "0", "16383")
	check(t, err)
	eventually(t, "it is a cluster", func() bool {
		out, err := servers.RedisCLI(addr, "CLUSTER", "INFO")
		return err == nil && strings.Contains(out, "cluster_state:ok")
	})
}

// moveSlots moves the slot of a key from server to server of a cluster while it is counted up, so that the servers answer
// MOVED, ASK and TRYAGAIN.
func moveSlots(t *testing.T, g *servers.RedisGroup, opts redis.Options) {
	cli := func(addr string, words ...string) string {
		out, err := servers.RedisCLI(addr, words...)
		check(t, err)
		return strings.TrimSpace(out)
	}
	const name = "keepsake:counters:n"
	slot := cli(g.Addrs[0], "CLUSTER", "KEYSLOT", name)
	primaries := g.Addrs[:3]
	var moving sync.WaitGroup
	ctx, end := context.WithCancel(t.Context())
	moves := 0
	moving.Go(func() {
		at := -1
		eventually(t, "the key is there", func() bool {
			at = slices.IndexFunc(primaries, func(addr string) bool { return strings.Contains(cli(addr, "GET", name), "K1") })
			return at >= 0
		})
		for ; ctx.Err() == nil; moves++ {
			from, to := primaries[at], primaries[(at+1)%3]
			at = (at + 1) % 3
			id := cli(to, "CLUSTER", "MYID")
			cli(to, "CLUSTER", "SETSLOT", slot, "IMPORTING", cli(from, "CLUSTER", "MYID"))
			cli(from, "CLUSTER", "SETSLOT", slot, "MIGRATING", id)
			_, port, _ := strings.Cut(to, ":")
			for keys := cli(from, "CLUSTER", "GETKEYSINSLOT", slot, "100"); keys != ""; keys = cli(from, "CLUSTER", "GETKEYSINSLOT", slot, "100") {
				cli(from, append([]string{"MIGRATE", "127.0.0.1", port, "", "0", "5000", "KEYS"}, strings.Fields(keys)...)...)
			}
			for _, addr := range []string{to, from, primaries[(at+1)%3]} {
				cli(addr, "CLUSTER", "SETSLOT", slot, "NODE", id)
			}
		}
	})
	increments(t, opts)
	end()
	moving.Wait()
	answers := ""
	for _, addr := range primaries {
		answers += cli(addr, "INFO", "errorstats")
	}
	if moves == 0 || !strings.Contains(answers, "errorstat_MOVED") || !strings.Contains(answers, "errorstat_ASK") {
		t.Errorf("%d moves, and the servers answered %s", moves, answers)
	}
}
