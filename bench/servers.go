package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/keepsake-cache/keepsake/internal/servers"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/hazelcast"
	"github.com/keepsake-cache/keepsake/providers/memcached"
)

// crowds are how many visitors there are at a time.
var crowds = []int{1, 16, 64}

// onServers measures sessions on a memcached and on two members of Hazelcast, both on
// this machine.
func onServers(ctx context.Context, out io.Writer, duration time.Duration, count int) error {
	fmt.Fprintln(out, "\nsessions on servers of this machine, one int attribute, no HTTP in between")
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\tround trips\trequests/s, 1 visitor\t16 visitors\t64 visitors\t")
	for _, backend := range []struct {
		name  string
		start func(context.Context) (driver.Provider, func(), error)
	}{
		{"memcached", startMemcached},
		{"hazelcast, 2 members, 1 backup", startHazelcast},
	} {
		p, stop, err := backend.start(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", backend.name, err)
		}
		err = backendRows(table, backend.name, p, duration, count)
		_ = p.Close(ctx) // its server ends next
		stop()
		if err != nil {
			return fmt.Errorf("%s: %w", backend.name, err)
		}
	}
	return table.Flush()
}

func startMemcached(ctx context.Context) (driver.Provider, func(), error) {
	server, err := servers.Memcached(ctx)
	if err != nil {
		return nil, nil, err
	}
	p, err := memcached.Connect(ctx, memcached.Options{Servers: []string{server.Addr}})
	if err != nil {
		server.Kill()
		return nil, nil, err
	}
	return p, server.Kill, nil
}

func startHazelcast(ctx context.Context) (driver.Provider, func(), error) {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, nil, err
	}
	file := filepath.Join(dir, "hazelcast-member.xml")
	if err := os.WriteFile(file, []byte(hazelcast.MemberConfig), 0o600); err != nil {
		return nil, nil, err
	}
	cluster, err := servers.Hazelcast(ctx, 2, file)
	if err != nil {
		return nil, nil, err
	}
	stop := func() {
		cluster.Kill()
		_ = os.RemoveAll(dir) // a leftover in the temporary directory
	}
	p, err := hazelcast.Connect(ctx, hazelcast.Options{Servers: cluster.Addrs})
	if err != nil {
		stop()
		return nil, nil, err
	}
	return p, stop, nil
}

func backendRows(table io.Writer, name string, p driver.Provider, duration time.Duration, count int) error {
	var calls atomic.Int64
	counted, err := sessionsOn(counting{p, &calls})
	if err != nil {
		return err
	}
	h, err := sessionsOn(p)
	if err != nil {
		return err
	}
	for _, step := range steps {
		trips, err := roundTrips(&calls, counted, step.choose(counted))
		if err != nil {
			return err
		}
		fmt.Fprintf(table, "%s, %s\t%.2f\t", name, step.name, trips)
		for _, visitors := range crowds {
			r, err := rate(h, step.choose(h), visitors, duration, count)
			if err != nil {
				return err
			}
			fmt.Fprintf(table, "%.0f\t", r)
		}
		fmt.Fprintln(table)
	}
	return nil
}

func sessionsOn(p driver.Provider) (handlers, error) {
	caches, err := jcache.NewManager(p, jcache.ManagerOptions{})
	if err != nil {
		return handlers{}, err
	}
	return keepsakeOn(caches, 0)
}

// roundTrips returns how many calls of the driver a request makes.
func roundTrips(calls *atomic.Int64, h handlers, handler http.Handler) (float64, error) {
	r, err := visitor(h)
	if err != nil {
		return 0, err
	}
	before := calls.Load()
	const tries = 100
	for range tries {
		if err := serveOnce(handler, r); err != nil {
			return 0, err
		}
	}
	return float64(calls.Load()-before) / tries, nil
}

func serveOnce(handler http.Handler, r *http.Request) error {
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		return fmt.Errorf("status %d: %s", w.Code, w.Body.String())
	}
	return nil
}

// rate returns how many requests a number of visitors at a time are served in a
// second, each with a session of its own.
func rate(h handlers, handler http.Handler, visitors int, duration time.Duration, count int) (float64, error) {
	rates := make([]float64, count)
	for i := range rates {
		var err error
		if rates[i], err = rateOnce(h, handler, visitors, duration); err != nil {
			return 0, err
		}
	}
	slices.Sort(rates)
	return rates[count/2], nil
}

func rateOnce(h handlers, handler http.Handler, visitors int, duration time.Duration) (float64, error) {
	var served atomic.Int64
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	end := time.Now().Add(duration)
	for range visitors {
		wg.Go(func() {
			r, err := visitor(h)
			for ; err == nil && time.Now().Before(end); served.Add(1) {
				err = serveOnce(handler, r)
			}
			if err != nil {
				failed.Store(&err)
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return float64(served.Load()) / duration.Seconds(), nil
}
