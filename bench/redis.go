package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/alexedwards/scs/redisstore"
	"github.com/alexedwards/scs/v2"
	redigo "github.com/gomodule/redigo/redis"
	"github.com/redis/rueidis"

	"github.com/keepsake-cache/keepsake/internal/servers"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/providers/redis"
)

// onRedis compares sessions with those of scs, and a cache with the bare client, on one Redis of this machine.
func onRedis(ctx context.Context, out io.Writer, duration time.Duration, count int) error {
	server, err := servers.Redis(ctx)
	if err != nil {
		return err
	}
	defer server.Kill()
	caches, err := redis.Open(ctx, redis.Options{Servers: []string{server.Addr}})
	if err != nil {
		return err
	}
	defer caches.Close(ctx) //nolint:errcheck // the server ends next
	if err := sessionsOnRedis(out, caches, server.Addr, duration, count); err != nil {
		return err
	}
	return cachesOnRedis(ctx, out, caches, server.Addr, duration, count)
}

// A rival does the same as another one. It returns how often, in a second.
type rival struct {
	name string
	run  func() (perSecond float64, err error)
}

// compare runs rivals by turns, and prints their medians and by how much the first one is faster.
func compare(table io.Writer, what string, count int, ours, theirs rival) error {
	var rates [2][]float64
	for range count {
		for i, r := range []rival{ours, theirs} {
			n, err := r.run()
			if err != nil {
				return fmt.Errorf("%s, %s: %w", what, r.name, err)
			}
			rates[i] = append(rates[i], n)
		}
	}
	for i := range rates {
		slices.Sort(rates[i])
	}
	a, b := rates[0][count/2], rates[1][count/2]
	_, err := fmt.Fprintf(table, "%s\t%.0f\t%.0f\t%.2f\t\n", what, a, b, a/b)
	return err
}

// sessionsOnRedis compares with scs and its store for Redis, which has as many connections as visitors.
func sessionsOnRedis(out io.Writer, caches *jcache.CacheManager, addr string, duration time.Duration, count int) error {
	ours, err := keepsakeOn(caches, 0)
	if err != nil {
		return err
	}
	pool := &redigo.Pool{MaxIdle: slices.Max(crowds), Dial: func() (redigo.Conn, error) { return redigo.Dial("tcp", addr) }}
	defer pool.Close() //nolint:errcheck // the server ends next
	manager := scs.New()
	manager.Store = redisstore.New(pool)
	theirs, err := scsOn(manager, 0)
	if err != nil {
		return err
	}
	return compareSessions(out, "Redis", "redisstore", ours, theirs, duration, count)
}

// compareSessions compares with those of scs on the same store.
func compareSessions(out io.Writer, store, rivals string, ours, theirs handlers, duration time.Duration, count int) error {
	fmt.Fprintf(out, "\nrequests a second with sessions on %s, one int attribute, no HTTP in between\n", store)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(table, "\tkeepsake\tscs v2.9.0, %s\tratio\t\n", rivals)
	for _, step := range steps {
		for _, visitors := range crowds {
			on := func(name string, h handlers) rival {
				return rival{name, func() (float64, error) { return rateOnce(h, step.choose(h), visitors, duration) }}
			}
			what := fmt.Sprintf("%s, %d at a time", step.name, visitors)
			if err := compare(table, what, count, on("keepsake", ours), on("scs", theirs)); err != nil {
				return err
			}
		}
	}
	return table.Flush()
}

const entries = 1000

// cachesOnRedis compares with the client that is behind the provider, as it is by default.
func cachesOnRedis(ctx context.Context, out io.Writer, caches *jcache.CacheManager, addr string, duration time.Duration, count int) error {
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{addr}, DisableCache: true})
	if err != nil {
		return err
	}
	defer client.Close()
	const life = time.Hour
	cache, err := jcache.CreateCache(ctx, caches, "bench", jcache.Options[string, string]{ExpiryPolicy: jcache.Modified[string, string](life)})
	if err != nil {
		return err
	}
	value := strings.Repeat("v", 1024)
	errMissing := errors.New("an entry is missing")
	get := func(key string) error {
		v, found, err := cache.Get(ctx, key)
		if err == nil && (!found || len(v) != len(value)) {
			err = errMissing
		}
		return err
	}
	put := func(key string) error { return cache.Put(ctx, key, value) }
	bareGet := func(key string) error {
		v, err := client.Do(ctx, client.B().Get().Key(key).Build()).ToString()
		if err == nil && len(v) != len(value) {
			err = errMissing
		}
		return err
	}
	barePut := func(key string) error {
		return client.Do(ctx, client.B().Set().Key(key).Value(value).Px(life).Build()).Error()
	}
	for i := range entries {
		if err := errors.Join(put(strconv.Itoa(i)), barePut(strconv.Itoa(i))); err != nil {
			return err
		}
	}
	fmt.Fprintln(out, "\ncalls a second on Redis, values of 1,024 B")
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\tjcache\trueidis v1.0.79\tratio\t")
	for _, op := range []struct {
		name         string
		ours, theirs func(key string) error
	}{{"get", get, bareGet}, {"put", put, barePut}} {
		for _, callers := range crowds {
			what := fmt.Sprintf("%s, %d callers", op.name, callers)
			on := func(name string, do func(string) error) rival {
				return rival{name, func() (float64, error) { return callRate(do, callers, duration) }}
			}
			if err := compare(table, what, count, on("jcache", op.ours), on("rueidis", op.theirs)); err != nil {
				return err
			}
		}
	}
	return table.Flush()
}

// callRate returns how often a number of callers do something in a second, to one entry after the other.
func callRate(do func(key string) error, callers int, duration time.Duration) (float64, error) {
	var keys [entries]string
	for i := range keys {
		keys[i] = strconv.Itoa(i)
	}
	var done atomic.Int64
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	begin := time.Now()
	for caller := range callers {
		wg.Go(func() {
			n := 0
			for time.Since(begin) < duration {
				if err := do(keys[(caller*entries/callers+n)%entries]); err != nil {
					failed.Store(&err)
					return
				}
				n++
			}
			done.Add(int64(n))
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return float64(done.Load()) / time.Since(begin).Seconds(), nil
}
