package memcached_test

import (
	"context"
	"errors"

	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/memcached"
)

// TestMaxConnections: however many calls there are, a server sees no more connections than it
// may, and no call fails for want of one.
func TestMaxConnections(t *testing.T) {
	for _, test := range []struct {
		name  string
		most  int // connections: ours, that which asks and that on which the server listens; zero: nobody can ask
		args  []string
		opts  memcached.Options
		other int // connections of somebody else
	}{
		{"as configured", 7, nil, memcached.Options{MaxConnections: 5}, 0},
		{"by default", 66, nil, memcached.Options{}, 0},
		{"on a server that takes 24", 0, []string{"-c", "24"}, memcached.Options{}, 0},
		{"on one that takes 40, many of them others'", 0, []string{"-c", "40"}, memcached.Options{}, 10},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := servertest.Memcached(t, test.args...)
			others := connect(t, memcached.Options{Servers: addrs(server), MaxConnections: max(1, test.other)})
			var holding sync.WaitGroup
			o := openCache(t, others, "other")
			put(t, o, "k", string(make([]byte, 900_000)))
			for range test.other {
				holding.Go(func() { get(t, o, "k") })
			}
			holding.Wait()
			test.opts.Servers, test.opts.ConnectTimeout = addrs(server), time.Second
			c := openCache(t, connect(t, test.opts), "callers")
			value := string(make([]byte, 10_000)) // so that calls overlap
			put(t, c, "k", value)
			var calls, failed atomic.Int64
			var wg sync.WaitGroup
			ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
			defer cancel()
			for i := range 64 {
				wg.Go(func() {
					for ctx.Err() == nil {
						call, cancel := context.WithTimeout(t.Context(), patience)
						_, found, err := c.Get(call, "k")
						if err == nil && i == 0 {
							err = c.Put(call, strconv.Itoa(i), record("x"), time.Time{})
						}
						cancel()
						if calls.Add(1); err != nil || !found {
							failed.Add(1)
							t.Errorf("%v, %v", found, err)
							return
						}
					}
				})
			}
			wg.Wait()
			if n := failed.Load(); n > 0 {
				t.Errorf("%d of %d calls failed", n, calls.Load())
			}
			if test.most > 0 {
				if n := stats(t, server.Addr)("curr_connections"); n > test.most+1 { // and the other's
					t.Errorf("%d connections, want at most %d", n, test.most)
				}
			}
			t.Logf("%d calls", calls.Load())
		})
	}
}

// TestQueueObeysContext: a call that waits for a connection ends with its context, and says
// what to do; and one whose provider is closed does not begin.
func TestQueueObeysContext(t *testing.T) {
	server := servertest.Memcached(t)
	p := connect(t, memcached.Options{Servers: addrs(server), MaxConnections: 1})
	c := openCache(t, p, "queue")
	put(t, c, "k", "x")
	freeze(t, server)
	holder := make(chan error, 1)
	go func() { _, _, err := c.Get(context.Background(), "k"); holder <- err }()
	ctx, cancel := context.WithCancel(t.Context())
	cancelled := make(chan error, 1)
	go func() { cancelled <- c.Put(ctx, "k", record("y"), time.Time{}) }()
	for _, life := range []time.Duration{time.Millisecond, 50 * time.Millisecond} {
		// Which of the two calls has the connection is open until one of them waited.
		eventually(t, "a call waits in vain for a connection", func() bool {
			ctx, cancel := context.WithTimeout(t.Context(), life)
			defer cancel()
			_, _, err := c.Get(ctx, "k")
			if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, driver.ErrUnavailable) || errors.Is(err, driver.ErrIndeterminate) {
				t.Fatalf("Get = %v, want the context's error and ErrUnavailable", err)
			}
			return strings.Contains(err.Error(), "maxConnections")
		})
	}
	cancel()
	if err := <-cancelled; !errors.Is(err, context.Canceled) || errors.Is(err, driver.ErrUnavailable) {
		t.Errorf("Put = %v, want the context's error alone", err)
	}
	closing := make(chan error, 1)
	queued := make(chan error, 1)
	go func() { _, _, err := c.Get(context.Background(), "k"); queued <- err }()
	go func() { closing <- p.Close(context.Background()) }()
	eventually(t, "the provider closes", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_ = p.Ping(ctx)
		return true
	})
	thaw(t, server)
	for what, done := range map[string]chan error{"the call that had the connection": holder, "Close": closing} {
		if err := <-done; err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := <-queued; err != nil && !errors.Is(err, driver.ErrUnavailable) {
		t.Errorf("the call that was waiting: %v", err)
	}
}
