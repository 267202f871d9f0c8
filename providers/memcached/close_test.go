package memcached_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/memcached"
)

// TestCloseWaits closes while calls wait for a server that is frozen.
func TestCloseWaits(t *testing.T) {
	server := servertest.Memcached(t)
	proxy := newProxy(t, server.Addr)
	const timeout = 2 * time.Second
	p, err := memcached.Connect(t.Context(), memcached.Options{Servers: []string{proxy.addr}, RequestTimeout: timeout, ConnectTimeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	c := openCache(t, p, "close")
	put(t, c, "k", "x")
	freeze(t, server)
	const calls = 4
	start, sent := time.Now(), proxy.sent()
	var running sync.WaitGroup
	for range calls {
		running.Go(func() {
			if _, _, err := c.Get(context.Background(), "k"); !errors.Is(err, driver.ErrUnavailable) {
				t.Errorf("Get of a frozen server: %v, want ErrUnavailable", err)
			}
		})
	}
	eventually(t, "all calls wait for an answer", func() bool { return proxy.sent()-sent == calls })

	hurried, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := p.Close(hurried); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Close with a short deadline: %v, want the context's error", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := p.Close(ctx); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took < timeout {
		t.Errorf("Close returned after %v, and calls end after %v", took, timeout)
	}
	running.Wait()
	if _, _, err := c.Get(t.Context(), "k"); !errors.Is(err, driver.ErrUnavailable) {
		t.Errorf("Get after Close: %v, want ErrUnavailable", err)
	}
	thaw(t, server)
}

// TestCloseHangsUp: nothing stays connected.
func TestCloseHangsUp(t *testing.T) {
	server := servertest.Memcached(t)
	p, err := memcached.Connect(t.Context(), memcached.Options{Servers: addrs(server)})
	if err != nil {
		t.Fatal(err)
	}
	c := openCache(t, p, "close")
	warm(t, c, server.Addr, 8)
	if _, err := client(c).Get("k"); !errors.Is(err, memcache.ErrCacheMiss) {
		t.Fatal(err)
	}
	if err := p.Close(t.Context()); err != nil {
		t.Error(err)
	}
	none := stats(t, servertest.Memcached(t).Addr)("curr_connections")
	eventually(t, "the connections end", func() bool { return stats(t, server.Addr)("curr_connections") <= none })
	runtime.KeepAlive(p) // or the connections would end with it
}
