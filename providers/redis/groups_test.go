package redis_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/conformance"
	"github.com/keepsake-cache/keepsake/internal/servers"
	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/redis"
)

// lacking is what caches on Redis cannot do.
var lacking = []driver.Feature{driver.FeatureInvoke}

// conforms runs the suite on another way to servers.
func conforms(t *testing.T, name string, opts redis.Options, lacks ...driver.Feature) {
	conformance.Run(t, conformance.Harness{
		Name: name,
		Connect: func(t conformance.T) driver.Provider {
			p, err := redis.Connect(t.Context(), patient(opts))
			if err != nil {
				t.Fatalf("Connect: %v", err)
			}
			return p
		},
		Lacks:       lacks,
		NoFallbacks: true,
	})
}

func TestSentinel(t *testing.T) {
	g := servertest.RedisSentinel(t, 1)
	opts := redis.Options{Servers: g.Addrs, MasterName: servers.MasterName}
	t.Run("increments", func(t *testing.T) {
		durable := opts
		durable.Replicas = 1
		increments(t, durable)
	})
	t.Run("conformance", func(t *testing.T) { conforms(t, "redis with Sentinels", opts, lacking...) })
	t.Run("an unknown name", func(t *testing.T) {
		_, err := redis.Connect(t.Context(), redis.Options{Servers: opts.Servers, MasterName: "unknown"})
		if !errors.Is(err, driver.ErrUnavailable) && !errors.Is(err, driver.ErrMisconfigured) {
			t.Errorf("%v", err)
		}
	})
	t.Run("watching through a failover", func(t *testing.T) {
		watchThrough(t, opts, func() { replace(t, g, false) })
	})
	t.Run("a Sentinel's address without the name", func(t *testing.T) {
		_, err := redis.Connect(t.Context(), patient(redis.Options{Servers: opts.Servers[:1]}))
		if !errors.Is(err, driver.ErrMisconfigured) || !strings.Contains(err.Error(), "give masterName") {
			t.Errorf("%v", err)
		}
	})
}

func TestCluster(t *testing.T) {
	g := servertest.RedisCluster(t, 3)
	opts := redis.Options{Servers: g.Addrs[:1]}
	t.Run("increments", func(t *testing.T) { increments(t, opts) })
	t.Run("increments while the slot moves", func(t *testing.T) { moveSlots(t, g, opts) })
	t.Run("keys of all servers", func(t *testing.T) { everyServer(t, connect(t, opts)) })
	t.Run("events of all servers", func(t *testing.T) { everyEvent(t, opts) })
	t.Run("conformance", func(t *testing.T) { conforms(t, "redis cluster", opts, lacking...) })
	t.Run("watching through a failover", func(t *testing.T) {
		opts.Servers = g.Addrs[3:4] // one that is not hurt
		watchThrough(t, opts, func() { replace(t, g, false) })
	})
	t.Run("another database", func(t *testing.T) {
		other := opts
		other.Database = 1
		if _, err := redis.Connect(t.Context(), patient(other)); !errors.Is(err, driver.ErrMisconfigured) {
			t.Errorf("%v", err)
		}
	})
}

func TestIncrements(t *testing.T) {
	increments(t, redis.Options{Servers: []string{servertest.Redis(t).Addr}})
}

// increments counts one record up from 8 callers of two processes.
func increments(t *testing.T, opts redis.Options) {
	const callers, each = 8, 500
	caches := []driver.Cache{open(t, connect(t, opts), "counters"), open(t, connect(t, opts), "counters")}
	number := func(i driver.Item) uint64 { return binary.BigEndian.Uint64(i.Record[driver.WriteIDBytes:]) }
	next := func(n uint64) []byte { return record(string(binary.BigEndian.AppendUint64(nil, n))) }
	check(t, caches[0].Put(t.Context(), "n", next(0), time.Time{}))
	var wg sync.WaitGroup
	for caller := range callers {
		wg.Go(func() {
			c := caches[caller%2]
			for done := 0; done < each; {
				i, found, err := c.Get(t.Context(), "n")
				if err != nil || !found {
					t.Errorf("Get: %v, %v", found, err)
					return
				}
				swapped, _, err := c.Swap(t.Context(), "n", i.Token, next(number(i)+1), time.Time{})
				if err != nil {
					t.Errorf("Swap: %v", err)
					return
				}
				if swapped {
					done++
				}
			}
		})
	}
	wg.Wait()
	if n := number(must(t, caches[1], "n")); n != callers*each {
		t.Errorf("%d of %d increments were lost", callers*each-n, callers*each)
	}
}

// everyServer writes keys of all slots, and finds each once.
func everyServer(t *testing.T, p *redis.Provider) {
	c := open(t, p, "spread")
	f := driver.FeaturesOf(c)
	const n = 2000
	entries, keys := make([]driver.Entry, n), make([]string, n)
	for i := range n {
		keys[i] = fmt.Sprint("key", i)
		entries[i] = driver.Entry{Key: keys[i], Record: record("x")}
	}
	if errs := f.BatchPutter.PutBatch(t.Context(), entries); errs != nil {
		t.Fatal(errors.Join(errs...))
	}
	if items, err := f.BatchGetter.GetBatch(t.Context(), keys); err != nil || len(items) != n {
		t.Errorf("GetBatch: %d items, %v", len(items), err)
	}
	if size, err := f.Sizer.Size(t.Context()); err != nil || size != n {
		t.Errorf("Size: %d, %v", size, err)
	}
	seen := make(map[string]int)
	for i, err := range f.Scanner.Scan(t.Context()) {
		check(t, err)
		seen[i.Key]++
	}
	if len(seen) != n {
		t.Errorf("%d keys were scanned", len(seen))
	}
	check(t, p.Ping(t.Context()))
	if servers := p.Health().Servers; len(servers) < 3 {
		t.Errorf("the health has %d servers: %+v", len(servers), servers)
	}
}

// everyEvent writes keys of all slots, and is told of each once, and of the expiry.
func everyEvent(t *testing.T, opts redis.Options) {
	c := open(t, connect(t, opts), "told")
	w := watch(t, open(t, connect(t, opts), "told"))
	const n = 300
	for i := range n {
		key := fmt.Sprintf("{%d}", i)
		check(t, c.Put(t.Context(), key, record(key), time.Now().Add(time.Millisecond)))
	}
	w.await(t, n, "expired")
	for i := range n {
		for _, event := range []string{"put {%d} {%d}<", "expired {%d} <{%d}"} {
			if got := w.count(fmt.Sprintf(event, i, i)); got != 1 {
				t.Errorf("told %d times: "+event, got, i, i)
			}
		}
	}
}

// A write that too few replicas have is carried out, and nobody is told that it is safe.
func TestTooFewReplicas(t *testing.T) {
	server := servertest.Redis(t).Addr
	c := open(t, connect(t, redis.Options{Servers: []string{server}}), "carts")
	durable := open(t, connect(t, redis.Options{Servers: []string{server}, Replicas: 1, RequestTimeout: 50 * time.Millisecond}), "carts")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for name := range every(ctx, durable, driver.Token{}) {
		check(t, c.Delete(ctx, "k"))
		err := every(ctx, durable, driver.Token{})[name]()
		if !errors.Is(err, driver.ErrIndeterminate) || !strings.Contains(err.Error(), "0 of its replicas") {
			t.Errorf("%s: %v", name, err)
		}
		if i := must(t, c, "k"); body(i) != "new" {
			t.Errorf("%s: it was not carried out", name)
		}
	}
}
