package memcached_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/memcached"
)

func clearCache(t testing.TB, c driver.Cache) {
	t.Helper()
	if err := c.(driver.Clearer).Clear(t.Context()); err != nil {
		t.Fatalf("Clear: %v", err)
	}
}

func TestClear(t *testing.T) {
	p := connectTo(t, servertest.Memcached(t), servertest.Memcached(t), servertest.Memcached(t))
	c, other := openCache(t, p, "clear"), openCache(t, p, "clear.other")
	tokens := make([]driver.Token, 30)
	for i := range tokens {
		put(t, c, strconv.Itoa(i), "old")
		put(t, other, strconv.Itoa(i), "other")
		item, _ := get(t, c, strconv.Itoa(i))
		tokens[i] = item.Token
	}
	clearCache(t, c)
	for i, token := range tokens {
		key := strconv.Itoa(i)
		want(t, c, key, "")
		want(t, other, key, "other")
		if swapped, current, err := c.Swap(t.Context(), key, token, record("undead"), time.Time{}); swapped || current != nil || err != nil {
			t.Fatalf("Swap with a token from before = %v, %v, %v; want a conflict", swapped, current, err)
		}
		if swapped, _, err := c.Swap(t.Context(), key, driver.Token{}, nil, time.Time{}); !swapped || err != nil {
			t.Fatalf("Swap of a cleared key for nothing = %v, %v; want swapped", swapped, err)
		}
		if swapped, _, err := c.Swap(t.Context(), key, driver.Token{}, record("new"), time.Time{}); !swapped || err != nil {
			t.Fatalf("Swap of a cleared key = %v, %v; want swapped", swapped, err)
		}
		want(t, c, key, "new")
	}
	if items, err := c.(driver.BatchGetter).GetBatch(t.Context(), []string{"1", "2", "3", "absent"}); err != nil || len(items) != 3 {
		t.Errorf("GetBatch = %d items, %v; want 3", len(items), err)
	}
}

// TestClearIsSeenByOthers: other clients, with leases of the old generation in hand,
// see a Clear as soon as it has returned, and what they write then stays.
func TestClearIsSeenByOthers(t *testing.T) {
	server := servertest.Memcached(t)
	a, b := openCache(t, connectTo(t, server), "seen"), openCache(t, connectTo(t, server), "seen")
	for round := range 3 {
		const keys = 20
		var running sync.WaitGroup
		stop := make(chan struct{})
		for i := range keys {
			key := strconv.Itoa(i)
			put(t, b, key, "before")
			// Busy clients renew their lease at any moment.
			running.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
						if _, _, err := b.Get(t.Context(), key); err != nil {
							t.Error(err)
							return
						}
					}
				}
			})
		}
		clearCache(t, a)
		for i := range keys {
			key := strconv.Itoa(i)
			want(t, b, key, "")
			want(t, a, key, "")
			put(t, b, key, "after")
			want(t, a, key, "after")
			want(t, b, key, "after")
		}
		close(stop)
		running.Wait()
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
}

// TestClearWhileWriting: whatever was stored before Clear was called has gone when it
// returns, and whatever was stored after it returned is there.
func TestClearWhileWriting(t *testing.T) {
	server := servertest.Memcached(t)
	a := openCache(t, connectTo(t, server), "busy")
	var clears atomic.Int64 // even: none is running; the number of those that returned, twice
	var wg sync.WaitGroup
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	for w := range 4 {
		b := openCache(t, connectTo(t, server), "busy")
		wg.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				key := fmt.Sprint(w, i)
				started := clears.Load()
				if err := b.Put(t.Context(), key, record("x"), time.Time{}); err != nil {
					t.Error(err)
					return
				}
				_, found, err := a.Get(t.Context(), key)
				if err != nil {
					t.Error(err)
					return
				}
				// No Clear ran at any time from before the Put to after the Get.
				if started%2 == 0 && clears.Load() == started && !found {
					t.Error("a record put while nothing was being cleared is not there")
					return
				}
			}
		})
	}
	for ctx.Err() == nil {
		put(t, a, "before", "x")
		clears.Add(1)
		clearCache(t, a)
		clears.Add(1)
		want(t, a, "before", "")
	}
	wg.Wait()
}

// TestNewerGeneration: a client whose lease is of an old generation meets an item of
// a newer one while a Clear is waiting.
func TestNewerGeneration(t *testing.T) {
	server := servertest.Memcached(t)
	a, b := openCache(t, connectTo(t, server), "newer"), openCache(t, connectTo(t, server), "newer")
	put(t, a, "k", "old")
	want(t, b, "k", "old")
	cleared := make(chan error, 1)
	go func() { cleared <- a.(driver.Clearer).Clear(context.Background()) }()
	defer func() {
		if err := <-cleared; err != nil {
			t.Error(err)
		}
	}()
	eventually(t, "the old record goes", func() bool { _, found := get(t, a, "k"); return !found })
	put(t, a, "k", "new")
	want(t, b, "k", "new")
	item, _ := get(t, a, "k")
	if swapped, _, err := b.Swap(t.Context(), "k", item.Token, record("newest"), time.Time{}); !swapped || err != nil {
		t.Errorf("Swap with the present token = %v, %v; want swapped", swapped, err)
	}
}

// TestLeaseBeginsBeforeTheRequest: the answer with a client's generation is under way for
// longer than a Clear takes. The lease has ended when it arrives.
func TestLeaseBeginsBeforeTheRequest(t *testing.T) {
	server := servertest.Memcached(t)
	proxy := newProxy(t, server.Addr)
	a := openCache(t, connectTo(t, server), "slow")
	p := connect(t, memcached.Options{Servers: []string{proxy.addr}, RequestTimeout: patience})
	put(t, a, "k", "old")
	want(t, openCache(t, p, "slow"), "k", "old")
	b := openCache(t, p, "slow") // without a lease
	waiting, release := proxy.holdAnswers()
	read := make(chan error, 1)
	go func() { _, _, err := b.Get(context.Background(), "k"); read <- err }()
	eventually(t, "the server has answered", func() bool { return waiting() == 1 })
	clearCache(t, a)
	release()
	if err := <-read; err != nil {
		t.Fatal(err)
	}
	put(t, b, "k", "new")
	want(t, a, "k", "new")
}

// TestForeignGeneration: a generation that is none is a mistake of the operator's, and no record that cannot
// be read.
func TestForeignGeneration(t *testing.T) {
	for _, item := range []memcache.Item{{Value: []byte("hello")}, {}, {Value: []byte("-1")}, {Value: []byte("1"), Flags: 2}} {
		c := openCache(t, connectTo(t, servertest.Memcached(t)), "strange")
		item.Key = "keepsake:strange@"
		if err := client(c).Set(&item); err != nil {
			t.Fatal(err)
		}
		_, _, got := c.Get(t.Context(), "k")
		for what, err := range map[string]error{
			"Get":   got,
			"Put":   c.Put(t.Context(), "k", record("v"), time.Time{}),
			"Clear": c.(driver.Clearer).Clear(t.Context()),
		} {
			if !errors.Is(err, jcache.ErrMisconfigured) || errors.Is(err, jcache.ErrUndecodable) || errors.Is(err, jcache.ErrUnavailable) {
				t.Errorf("%s under the generation %q, flags %d: %v, want ErrMisconfigured", what, item.Value, item.Flags, err)
			}
		}
	}
}

// TestClearNeedsAllServers: a server that does not answer might come back with what it
// holds.
func TestClearNeedsAllServers(t *testing.T) {
	up, down := servertest.Memcached(t), servertest.Memcached(t)
	c := openCache(t, connectTo(t, up, down), "partly")
	for i := range 20 {
		put(t, c, strconv.Itoa(i), "x")
	}
	down.Kill()
	err := c.(driver.Clearer).Clear(t.Context())
	if !errors.Is(err, driver.ErrUnavailable) || errors.Is(err, driver.ErrIndeterminate) {
		t.Fatalf("Clear with a dead server: %v, want ErrUnavailable", err)
	}
	left := 0
	for i := range 20 {
		if _, found, err := c.Get(t.Context(), strconv.Itoa(i)); err == nil && found {
			left++
		}
	}
	if left == 0 {
		t.Error("Clear said that nothing was changed, and cleared the living server")
	}
	restart(t, down.Addr)
	clearCache(t, c)
	for i := range 20 {
		want(t, c, strconv.Itoa(i), "")
	}
}

// TestClearCutShort: a Clear that is cut short after it was begun. On a busy machine the
// context may end before that, and it is tried again.
func TestClearCutShort(t *testing.T) {
	c := openCache(t, connectTo(t, servertest.Memcached(t)), "short")
	put(t, c, "k", "x")
	var err error
	for range 20 {
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		err = c.(driver.Clearer).Clear(ctx)
		cancel()
		if !errors.Is(err, driver.ErrUnavailable) {
			break
		}
	}
	if !errors.Is(err, driver.ErrIndeterminate) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Clear = %v, want ErrIndeterminate and the context's error", err)
	}
}
