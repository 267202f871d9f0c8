package peer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/conformance"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/peer"
)

// serve starts a server that joins others.
func serve(t testing.TB, others ...*peer.Provider) *peer.Provider {
	t.Helper()
	opts := peer.Options{Mode: peer.Server, Security: peer.Security{Secret: secret}, Replicas: 1, Logger: quiet,
		RequestTimeout: time.Minute, FailureTimeout: time.Minute, LeaveTimeout: time.Minute}
	for _, o := range others {
		opts.Join = append(opts.Join, o.Addr())
	}
	return start(t, opts)
}

// servers starts two servers, and waits until they have their parts.
func servers(t testing.TB) (a, b *peer.Provider) {
	t.Helper()
	a = serve(t)
	b = serve(t, a)
	settled(t, a, b)
	return a, b
}

// ask starts a client of some servers, which keeps so many bytes near, and ends it with the
// test.
func ask(t testing.TB, near int64, of ...*peer.Provider) *peer.Provider {
	t.Helper()
	p := connect(t, near, of...)
	t.Cleanup(func() {
		if err := p.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return p
}

func open(t testing.TB, p *peer.Provider) driver.Cache {
	t.Helper()
	c, err := p.OpenCache(t.Context(), "c", driver.CacheOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// skipUnderRace leaves out what takes many minutes with the race detector: long records,
// again and again, through TLS. make test runs it without.
func skipUnderRace(t *testing.T) {
	t.Helper()
	if raceEnabled {
		t.Skip("SKIPPED: left out with the race detector; make test runs it without")
	}
}

func TestConformanceOfClients(t *testing.T) {
	skipUnderRace(t)
	a, b := servers(t)
	conformance.Run(t, conformance.Harness{
		Name:    "peer, as a client",
		Connect: func(conformance.T) driver.Provider { return connect(t, 0, a, b) },
		Lacks:   []driver.Feature{driver.FeatureLock},

		NoFallbacks: true,
	})
}

// With records near, another process's writes are seen a moment later. Whoever uses a cache
// alone notices nothing of that.
func TestConformanceOfClientsWithNearCaches(t *testing.T) {
	skipUnderRace(t)
	a, b := servers(t)
	conformance.Run(t, conformance.Harness{
		Name:    "peer, as a client with a near cache",
		Connect: func(conformance.T) driver.Provider { return peer.Alone(connect(t, nearBytes, a, b)) },
		Lacks:   []driver.Feature{driver.FeatureLock},

		NoFallbacks: true,
	})
}

// connect starts a client, which keeps so many bytes near, for somebody who closes it.
func connect(t testing.TB, near int64, of ...*peer.Provider) *peer.Provider {
	t.Helper()
	opts := peer.Options{Mode: peer.Client, Security: peer.Security{Secret: secret}, NearBytes: near, Logger: quiet}
	for _, o := range of {
		opts.Join = append(opts.Join, o.Addr())
	}
	p, err := peer.Connect(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A client is no member, holds nothing, and is nothing that anybody waits for.
func TestClientIsNoMember(t *testing.T) {
	a, b := servers(t)
	client := ask(t, 0, a)
	c := open(t, client)
	for i := range 100 {
		key := fmt.Sprint("key", i)
		if err := c.Put(t.Context(), key, []byte("record"), never); err != nil {
			t.Fatal(err)
		}
		if c.(driver.Locality).Placement(key) == driver.Local {
			t.Errorf("%s counts as local to a client", key)
		}
	}
	if got := a.Stats().Entries + b.Stats().Entries; got != 200 {
		t.Errorf("the servers have %d copies of 100 records, should have 2 of each", got)
	}
	s := client.Stats()
	if s.Members != 2 || s.Primaries+s.Replicas+s.Entries != 0 || s.Coordinator {
		t.Errorf("a client says of itself: %+v", s)
	}
	if a.Members() != 2 || !client.Safe() || client.Addr() != "" {
		t.Errorf("%d members; the client is safe: %v, at %q", a.Members(), client.Safe(), client.Addr())
	}
	if err := client.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	before := a.Config()
	began := time.Now()
	if err := client.Close(t.Context()); err != nil || time.Since(began) > 30*time.Second {
		t.Errorf("closing took %v: %v", time.Since(began), err)
	}
	if a.Config() != before {
		t.Error("the members noticed that a client went")
	}
	if err := client.Ping(t.Context()); err == nil {
		t.Error("a closed client says that it is well")
	}
}

// Members join and leave; a client's operations go on, without an error.
func TestClientFollowsTheMembers(t *testing.T) {
	first := serve(t)
	client := ask(t, 0, first)
	c := open(t, client)
	ctx, cancel := context.WithCancel(t.Context())
	var work sync.WaitGroup
	for caller := range 4 {
		work.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				key, record := fmt.Sprint("key", caller, i%50), []byte(fmt.Sprint(i))
				if err := c.Put(t.Context(), key, record, never); err != nil {
					t.Error(err)
					return
				}
				if item, found, err := c.Get(t.Context(), key); err != nil || !found || string(item.Record) != string(record) {
					t.Errorf("put %s, got %q, %v, %v", record, item.Record, found, err)
					return
				}
			}
		})
	}
	second := serve(t, first)
	settled(t, first, second)
	third := serve(t, second)
	settled(t, first, second, third)
	for _, leaving := range []*peer.Provider{first, second} {
		if err := leaving.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	poll(t, "the client knows that one is left", time.Minute, func() bool { return client.Members() == 1 })
	// All members that it knew at first are gone. So is, for a while, every member.
	cancel()
	work.Wait()
	addr := third.Addr()
	if err := third.Close(t.Context()); err != nil {
		t.Error(err)
	}
	poll(t, "the client notices that nobody answers", time.Minute, func() bool { return client.Ping(t.Context()) != nil })
	start(t, peer.Options{Mode: peer.Server, Listen: []string{addr}, Security: peer.Security{Secret: secret}, Logger: quiet})
	ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := c.Put(ctx, "key", []byte("record"), never); err != nil {
		t.Errorf("nobody finds a new cluster: %v", err)
	}
}

func TestClientThatIsNotTrusted(t *testing.T) {
	a := serve(t)
	_, err := peer.Connect(t.Context(), peer.Options{Mode: peer.Client, Join: []string{a.Addr()}, Logger: quiet,
		Security: peer.Security{Secret: "known to all others"}, JoinTimeout: 100 * time.Millisecond})
	if !errors.Is(err, jcache.ErrUnavailable) || !strings.Contains(err.Error(), "trust") {
		t.Errorf("a client with another secret: %v", err)
	}
}
